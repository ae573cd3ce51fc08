"""Accounts, orders and workers, as the register of accounts has them."""

from dataclasses import dataclass
from enum import StrEnum

from migrator.core.accounts.turns import FreeAccount, Turn

__all__ = ["EVERY_S", "HELD", "Account", "AccountStanding", "Event", "KnownWorker", "Phase", "SecretsHere", "TurnOrder"]

HELD = "held"
"""State of an account that a person holds, for people."""

EVERY_S = 900.0
"""Seconds between two calls of a campaign, if nobody chose others."""


@dataclass(frozen=True, slots=True)
class TurnOrder:
    """Order of a person: the plan that a worker is to begin.

    Args:
        plan: its id.
        confirm: how many SIMs it will claim, as the person said; None where nothing is claimed.
        confirm_pauses: how many live SIMs it will pause; None for none.
        wave: the only wave to work on; None for all.
        max_sims: most claims; None for no such bound.
        ref: what the order refers to, such as a ticket; empty for nothing.
        by: who gave it.
        at: when (UTC seconds, by the server's clock).
    """

    plan: str
    confirm: int | None = None
    confirm_pauses: int | None = None
    wave: str | None = None
    max_sims: int | None = None
    ref: str = ""
    by: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Account:
    """Account of the register.

    Times are UTC seconds, by the server's clock.

    Args:
        name: its name, which its store has, too.
        carrier: key of the source in `core.run.sources`; another name for a fleet that comes from files.
        customer: who shares a rate at the source: 1NCE's client id, or a name that the operator gave; empty for nobody.
        organization: its number at Hologram; None where nobody said it yet.
        turn: when its next job is due, and what a person should read.
        is_held: whether nobody takes it until a person lets it go.
        order: what a worker is to begin; None for nothing.
        every_s: seconds between two calls of its campaign.
        worker: who is at it; None for nobody.
        since: when that worker began.
        added_at: when it was added.
        added_by: by whom.
        last_worker: the worker whose job was the last that ended; None before the first.
        ended_at: when that ended.
        is_untold: whether nothing in its outbox tells yet that it stands in attention.
        standstill: number of the event by which it last came into attention; 0 before the first, and where no single
            account was asked for.
    """

    name: str
    carrier: str
    customer: str
    organization: int | None
    turn: Turn
    is_held: bool
    order: TurnOrder | None
    every_s: float
    worker: str | None
    since: float | None
    added_at: float
    added_by: str
    last_worker: str | None = None
    ended_at: float | None = None
    is_untold: bool = False
    standstill: int = 0

    @property
    def word(self) -> str:
        """State for people: at work, held, or that of its turn."""
        if self.worker is not None:
            return "at work"
        return HELD if self.is_held else self.turn.state.value

    @property
    def candidate(self) -> FreeAccount | None:
        """Account for a worker; None if it is held or taken."""
        return None if self.is_held or self.worker is not None else self._candidate

    @property
    def lock(self) -> str:
        """Key of the lock that its job holds."""
        return self._candidate.lock

    @property
    def _candidate(self) -> FreeAccount:
        """Account, with the rate that it shares.

        Its own name stands for the rate where it shares none.
        """
        source = (self.carrier, self.customer) if self.customer else ("account", self.name)
        return FreeAccount(self.name, source, self.turn)


@dataclass(frozen=True, slots=True)
class KnownWorker:
    """Worker that gave a sign of life.

    Times are UTC seconds, by the server's clock.

    Args:
        name: its name.
        host: the machine.
        version: of the tool.
        slots: how many jobs it does at a time.
        started_at: its first sign of life.
        seen_at: its last one.
        serves: names of the accounts whose secrets it has.
        takes: names of the accounts that it is at.
    """

    name: str
    host: str
    version: str
    slots: int
    started_at: float
    seen_at: float
    serves: tuple[str, ...]
    takes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SecretsHere:
    """Secrets of an account, as one machine has them.

    Args:
        missing: what it lacks to work on the account, in words; empty if it has all.
        trouble: the first place that could not be asked, and why; empty if none is in trouble.
    """

    missing: tuple[str, ...] = ()
    trouble: str = ""


class Phase(StrEnum):
    """Phase of an account, as far as its store tells."""

    UNKNOWN = "unknown"  # its store cannot be read: the trouble says why
    NO_STORE = "no store"  # nothing was ever done
    NO_INVENTORY = "no inventory"
    INVENTORY = "inventory"  # its SIMs are known, and there is no plan
    PLANNED = "planned"  # a plan was made, and none was begun
    MIGRATING = "migrating"  # a plan was begun
    MIGRATED = "migrated"  # its newest plan was carried out
    CUTOVER = "cutover"  # old SIMs are switched off
    DONE = "done"  # all old SIMs of migrated units are off


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """Standing of an account, by short reads of its store.

    Args:
        phase: how far it is.
        sims: SIMs of its inventory.
        verified: SIMs whose newest verdict is that all is as planned.
        cut_over: SIMs whose old SIM a cutover of ours switched off.
        campaign: state of its campaign; None without an open one.
        plan: its newest plan; None without one.
        holder: the process that holds its store; None for nobody.
        trouble: why the store cannot be read; empty if it can.
        notices: how many deliveries of notices wait.
    """

    phase: Phase
    sims: int = 0
    verified: int = 0
    cut_over: int = 0
    campaign: str | None = None
    plan: str | None = None
    holder: str | None = None
    trouble: str = ""
    notices: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Deed of somebody to an account.

    Args:
        at: when (UTC seconds, by the server's clock).
        account: its name.
        kind: what was done: added, order, go, held, removed, attention, freed.
        by: the typed name of who did it, or the worker.
        db_user: the user of the database.
        words: more, for people.
    """

    at: float
    account: str
    kind: str
    by: str
    db_user: str
    words: str
