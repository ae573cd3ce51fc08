"""Overview of the accounts of a register."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from migrator.core.accounts.overview import Line, Overview
from migrator.core.accounts.records import Account, Event, SecretsHere
from migrator.store.register import Register

__all__ = ["FindSecrets", "account_at", "overview_at", "read_overview"]

FindSecrets = Callable[[Sequence[Account]], Mapping[str, SecretsHere]]
"""Search for the secrets of accounts on this machine."""


def overview_at(url: str, secrets: FindSecrets) -> Overview:
    """Read all accounts of a database, their stores, and the workers.

    Raises: InputError, where there is no register; StoreLost.
    """
    with Register.open(url, writable=False) as register:
        return read_overview(register, secrets)


def account_at(url: str, name: str, secrets: FindSecrets, *, most_events: int) -> tuple[Overview, Sequence[Event]]:
    """Read one account, and what was done to it, newest first.

    Raises: InputError, for an account that is not registered; StoreLost.
    """
    with Register.open(url, writable=False) as register:
        return read_overview(register, secrets, names=[name]), register.events(name, most=most_events)


def read_overview(
    register: Register,
    secrets: FindSecrets | None = None,
    *,
    names: Iterable[str] | None = None,
) -> Overview:
    """Read accounts, their stores, and the workers.

    Args:
        register: of the accounts.
        secrets: looks for the secrets of accounts on this machine; None: nobody asks.
        names: of the accounts; None for all.

    Raises: InputError, for an account that is not registered; StoreLost.
    """
    chosen = None if names is None else list(names)
    found = {} if secrets is None else secrets(_accounts(register, chosen))  # it takes a while: all else is read after
    accounts = _accounts(register, chosen)
    everybody = accounts if chosen is None else register.accounts()
    standings = register.standings(account.name for account in accounts)
    lines = [Line(account, standings[account.name], found.get(account.name)) for account in accounts]
    at_work = {account.lock: account.name for account in everybody if account.worker is not None}
    return Overview(register.place, register.now(), lines, register.workers(), at_work)


def _accounts(register: Register, names: Sequence[str] | None) -> list[Account]:
    return register.accounts() if names is None else [register.account(name) for name in names]
