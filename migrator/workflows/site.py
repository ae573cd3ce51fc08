"""Opened store with its settings: every stage works on one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from migrator import wiring
from migrator.core.accounts.records import Account
from migrator.core.campaign.state import CampaignState
from migrator.engine.run.context import Stopper, quiet
from migrator.errors import InputError
from migrator.inputs.settings.account_names import at_account, at_state
from migrator.inputs.settings.settings import Settings
from migrator.ports import Clock, Progress
from migrator.reports.remedies import CAMPAIGN_GOES_ON
from migrator.store import Owner, Store

__all__ = ["Site", "going_on", "holding", "living_holder", "named_person", "open_site", "required_inventory"]

LONGEST_NAME = 100


def _unheard(_words: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Site:
    """Place of work of one migration.

    Args:
        store: the state store, open.
        settings: carriers, rates and waits.
        progress: called with the name of each event and its values.
        warn: called with words that a person should read at once.
        outside: clock, signals and carriers; real unless somebody gives others.
        held_by: who holds the lease already, for a stage that is a part of a larger one.
        campaign: name of the campaign whose call is at work; "" for none. That call tells how its stages end.
        turn_of: the account whose turn is at work, as the register has it; None for none.
    """

    store: Store
    settings: Settings
    progress: Progress = quiet
    warn: Callable[[str], None] = _unheard
    outside: wiring.Outside = field(default_factory=wiring.Outside)
    held_by: Owner | None = None
    campaign: str = ""
    turn_of: Account | None = None

    @property
    def clock(self) -> Clock:
        """Clock of the stage."""
        return self.outside.clock

    @property
    def standstill(self) -> int:
        """Number of the account's last standstill; 0 for none."""
        return 0 if self.turn_of is None else self.turn_of.standstill

    def now(self) -> float:
        """Return the time in UTC seconds."""
        return self.clock.now().timestamp()

    def heartbeat(self, me: Owner, stopper: Stopper) -> AbstractAsyncContextManager[None]:
        """Renew the lease while a stage works."""
        return wiring.heartbeat(self.store, me, stopper, self.clock)


@contextmanager
def holding(site: Site) -> Iterator[Owner]:
    """Hold the lease of the site's store for one stage.

    A stage that is part of a larger one works under the lease of that.

    Raises: StoreBusy; InputError.
    """
    if site.held_by is not None:
        yield site.held_by
        return
    with wiring.holding_lease(site.store, warn=site.warn, clock=site.clock) as me:
        yield me


@contextmanager
def open_site(
    state: str | None = None,
    *,
    config: Path | None = None,
    create: bool = False,
    progress: Progress = quiet,
    warn: Callable[[str], None] = _unheard,
    account: str | None = None,
) -> Iterator[Site]:
    """Open a store, and read the settings from the environment.

    Args:
        state: the store's URL, as `sqlite:///migrator.db`; None: the one that the settings name.
        config: a settings file; values in the environment win.
        create: whether to make a store where there is none.
        progress: called with each event of a stage.
        warn: called with words that a person should read at once.
        account: the account in a store that has several; None: the one that MIGRATOR_ACCOUNT names.

    Raises: InputError, for settings that cannot be used, or where there is no store.
    """
    with ExitStack() as opened:
        with at_account(account), at_state(state):
            settings = wiring.settings(config)
            store = opened.enter_context(wiring.open_store(settings.state, create=create))
        yield Site(store, settings, progress, warn)


def required_inventory(store: Store) -> int:
    """Return the number of SIMs in the inventory.

    Raises: InputError, if no inventory was pulled yet.
    """
    count = int(store.inventory.summary().get("count", 0))
    if not count:
        raise InputError("the store holds no inventory yet", code="no_inventory", hint="run `migrator inventory pull`")
    return count


def going_on(store: Store, plan_id: str) -> str:
    """Return the command that goes on with a plan.

    For a plan of an open campaign that is the campaign's: `apply` knows none of its bounds.
    """
    campaign = store.campaigns.of_plan(plan_id)
    is_open = campaign is not None and campaign.state is not CampaignState.ENDED
    return CAMPAIGN_GOES_ON if is_open else f"migrator apply {plan_id}"


def living_holder(store: Store) -> Owner | None:
    """Return the process that is at work on the store, or None.

    A process that is known to be dead does not count.
    """
    holder = store.lease.holder()
    return None if holder is None or wiring.process_is_gone(holder[0]) else holder[0]


def named_person(name: str | None, *, option: str) -> str:
    """Return a person's name, as it is kept.

    Args:
        name: as somebody wrote it; None for the login name, at this host.
        option: the option to write it with, for errors.

    Raises: InputError, for a name that nobody could tell apart later.
    """
    name = wiring.person() if name is None else name
    if name is None:
        raise InputError("nobody knows your login name", code="approver", hint=f"say it: {option} NAME")
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        words = f"a name has 1 to {LONGEST_NAME} visible characters"
        raise InputError(words, code="approver", hint=f"write it as {option} NAME")
    return name
