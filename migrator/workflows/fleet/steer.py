"""Orders for accounts: go, hold, remove.

An order to begin a plan is checked. Also what is begun, and waits for an order.
"""

from collections.abc import Sequence

from migrator.core.accounts.records import Account, TurnOrder
from migrator.core.plan.refs import ref_of
from migrator.errors import InputError, NoStore
from migrator.store import Store
from migrator.store.database.postgresql.address import schema_of
from migrator.store.register import Register
from migrator.workflows.apply import must_be_confirmed
from migrator.workflows.cutover.apply import cutover_must_be_confirmed
from migrator.workflows.work.begun import Unordered, begun_without_order

__all__ = ["checked_order", "hold_accounts", "let_go", "not_ordered", "remove_account"]


def let_go(url: str, names: Sequence[str], who: str, order: TurnOrder | None) -> list[Account]:
    """Let workers take accounts now.

    Args:
        url: of the database.
        names: of the accounts; one that stands twice counts once.
        who: gives the order.
        order: a plan to begin, of the first account; None for none.

    Raises: InputError, before anything is done, for an account that is not registered, or as `checked_order`;
        StoreError.
    """
    with Register.open(url) as register:
        _must_be_registered(register, names)
        if order is not None:
            checked_order(url, names[0], order)
        return [register.go(name, None, who, order) for name in dict.fromkeys(names)]


def hold_accounts(url: str, names: Sequence[str], who: str, words: str) -> list[tuple[Account, TurnOrder | None]]:
    """Let no worker take accounts.

    Args:
        url: of the database.
        names: of the accounts; none for all that are not held.
        who: gives the order.
        words: why.

    Returns: the accounts, each with the order that it had before.
    Raises: InputError, for an account that is not registered, before anything is done; StoreError.
    """
    with Register.open(url) as register:
        _must_be_registered(register, names)
        chosen = names or [account.name for account in register.accounts() if not account.is_held]
        before = {name: register.account(name).order for name in dict.fromkeys(chosen)}
        return [(register.hold(name, who, words), order) for name, order in before.items()]


def remove_account(url: str, name: str, who: str) -> str:
    """Take an account out of the register; its store stays.

    Returns: the schema of the store.
    Raises: InputError, for an account that is not registered; StoreError.
    """
    with Register.open(url) as register:
        register.remove(name, who)
    return schema_of(name)


def _must_be_registered(register: Register, names: Sequence[str]) -> None:
    """Refuse names that are not registered.

    Raises: InputError.
    """
    for name in names:
        register.account(name)


def checked_order(url: str, account: str, order: TurnOrder) -> TurnOrder:
    """Check an order by the account's own store, which is only read.

    Raises: InputError, for an open campaign, a plan that is not there or used up, a wave that it has not, or wrong
        numbers; StoreError.
    """
    ref_of(order.ref or None)
    with Store.look(url, account=account) as store:
        campaign = store.campaigns.open()
        if campaign is not None:
            raise InputError(
                f"campaign {campaign.name!r} is open: workers begin no other plan until it is ended",
                code="campaign_open",
                hint=f"`migrator fleet go {account}` calls it; `migrator --account {account} campaign end` ends it",
            )
        cutover_state = store.cutovers.exists(order.plan)
        state = store.plans.state(order.plan) if cutover_state is None else cutover_state
        if state == "finished":
            raise InputError(
                f"plan {order.plan} is used up: there is nothing to begin",
                code="plan_used",
                hint=f"make a new one: `migrator --account {account} plan create`",
            )
        if cutover_state is not None:
            _must_be_a_cutover(store, account, order)
            return order
        header = store.plans.header(order.plan)
        _must_be_a_wave(order, header.waves)
        must_be_confirmed(store, header, order.confirm, order.confirm_pauses)
    return order


def not_ordered(url: str, account: Account) -> list[Unordered]:
    """Return what is begun in an account and waits for an order.

    Nothing while a campaign is open, or where there is no store yet.

    Raises: InputError; StoreError.
    """
    try:
        store = Store.look(url, account=account.name)
    except NoStore:
        return []
    with store:
        if store.campaigns.open() is not None:
            return []
        ordered = None if account.order is None else account.order.plan
        return [one for one in begun_without_order(store) if one.plan_id != ordered]


def _must_be_a_cutover(store: Store, account: str, order: TurnOrder) -> None:
    """Refuse what no worker can do of a cutover or rollback.

    Raises: InputError.
    """
    header = store.cutovers.header(order.plan)
    if header.is_by_hand:
        raise InputError(
            f"plan {order.plan} is a list for a portal: no worker can switch its SIMs",
            code="by_hand",
            hint=f"`migrator --account {account} {header.command.removeprefix('migrator ')}` writes it",
        )
    if order.max_sims is not None or order.confirm_pauses is not None:
        raise InputError(
            f"plan {order.plan} claims and pauses nothing",
            code="bad_options",
            hint="leave --max-sims and --confirm-pauses out",
        )
    _must_be_a_wave(order, header.waves)
    cutover_must_be_confirmed(store, header, order.confirm)


def _must_be_a_wave(order: TurnOrder, waves: Sequence[str]) -> None:
    if order.wave is not None and order.wave not in waves:
        raise InputError(
            f"plan {order.plan} has no wave {order.wave!r}",
            code="no_wave",
            hint=f"its waves: {', '.join(waves) or 'none'}",
        )
