"""Notices of what stands still, where no run tells it."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from migrator import wiring
from migrator.core.accounts.records import HELD, Account
from migrator.core.accounts.turns import AccountState, after_job
from migrator.core.campaign.notices import Notice, end_notices
from migrator.core.policy.outside import Receiver
from migrator.core.run.results import ExitCode
from migrator.errors import Interrupted, MigratorError, NoStore, StoreBusy, StoreError, StoreLost
from migrator.inputs.policy.file import stored_policy
from migrator.reports.accounts.values import state_words
from migrator.reports.model import moment
from migrator.store import Store
from migrator.wiring.withheld import withheld
from migrator.workflows.notices.allowed import may_tell, migration_of
from migrator.workflows.notices.deliver import deliver
from migrator.workflows.site import Site

__all__ = [
    "NOT_TOLD",
    "TOLD",
    "Standstill",
    "plans_stopped",
    "standstill_of",
    "telling_failure",
    "told_of_turn",
    "without_secrets",
]

NOT_TOLD = (Interrupted, StoreBusy, StoreLost)
"""Ends of a call that nobody is told of.

Somebody stopped it, another one is at work, or there is no store to tell by.
"""

TOLD = "told"
"""Event of a call.

All that is to be told of it is in the outbox.
"""


@dataclass(frozen=True, slots=True)
class Standstill:
    """Reason for which something stands still.

    Args:
        exit_code: of the process that found it.
        words: the reason, as others may read it.
        hint: the way on.
        cause: the reason without what differs from time to time; "" for the words.
    """

    exit_code: int
    words: str
    hint: str = ""
    cause: str = ""

    @property
    def told(self) -> dict[str, Any]:
        """Values of a notice."""
        return {"reason": self.words, "next": self.hint, "exit_code": int(self.exit_code)}


def standstill_of(error: Exception) -> Standstill:
    """Return an error as others may be told of it.

    What nobody foresaw may hold anything, so only its kind is told.
    """
    if isinstance(error, MigratorError):
        first, *more = error.problems
        others = f" (and {len(more)} more)" if more else ""
        return Standstill(error.exit_code, f"{first.message}{others}", first.hint or error.hint, error.cause)
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return Standstill(ExitCode.ERROR, f"{place}{error.strerror}", "its log says more")
    words = f"an unexpected error: {type(error).__name__}"
    return Standstill(ExitCode.ERROR, words, "run it by hand with -vv, and report what it says")


def without_secrets(site: Site, stop: Standstill) -> Standstill:
    """Return a standstill in words without any secret that is known here.

    What is wrong with settings names their text, and a secret may stand where another setting belongs.
    """
    kept = withheld(site.settings, site.store.outbox.secret_names())
    return replace(stop, words=kept.struck(stop.words), hint=kept.struck(stop.hint), cause=kept.struck(stop.cause))


@contextmanager
def telling_failure(
    config: Path | None,
    tell: Callable[[Site, Standstill], object],
    turn_of: Callable[[str], Account | None] = lambda _state: None,
) -> Iterator[None]:
    """Tell by the store alone that the settings cannot be used.

    The error goes on as it is, also where nobody can be told. Trouble with the store is no matter of the settings.

    Args:
        config: the settings file, as the command names it.
        tell: called with a site whose settings are the least that can be known, and with the reason.
        turn_of: finds the account whose turn it is, by the address of its store; by default it is nobody's.
    """
    try:
        yield
    except (Interrupted, NoStore, StoreError):
        raise
    except Exception as error:
        with suppress(Exception):
            least = wiring.least_settings(config)
            with wiring.open_store(least.state, upgrade=False) as store:
                account = None
                with suppress(MigratorError):  # the register may be what is in trouble
                    account = turn_of(least.state)
                site = Site(store, least, turn_of=account)
                tell(site, standstill_of(error))
                deliver(site)
        raise


def told_of_turn(site: Site, exit_code: int, again_at: float | None = None) -> dict[str, Any]:
    """Return where it happened, and the account's state after it.

    Args:
        site: the store.
        exit_code: with which the process will end.
        again_at: when it will want to go on (UTC seconds); None for no time.
    """
    account = site.turn_of
    if account is None:
        return {"machine": socket.gethostname()}
    if account.worker is None:  # by hand: the register hears nothing of it
        turn, state = account.turn, account.word
    else:
        turn = after_job(exit_code, now=site.now(), again_at=again_at)
        state = turn.state.value
    told = {"account": account.name, "state": state_words(state, None if state == HELD else moment(turn.at))}
    told["machine"] = account.worker or socket.gethostname()
    if state == AccountState.ATTENTION.value:
        told["then"] = f"`migrator fleet go {account.name}` lets a worker go on"
    return told


def plans_stopped(site: Site, plan_ids: Sequence[str], stop: Standstill, about: Mapping[str, Any]) -> list[Notice]:
    """Return the notice for their receivers that plans stand still.

    For the same cause it is told once a day (UTC), and anew once the account stood and a person let it go.

    Args:
        site: the store.
        plan_ids: migrations, cutovers and rollbacks, the first one first; those that may not tell have no receiver.
        stop: the reason.
        about: what is told of the account.
    """
    if not plan_ids:
        return []
    stop = without_secrets(site, stop)
    to = dict.fromkeys(one for plan_id in plan_ids for one in _receivers(site.store, plan_id))
    return end_notices(
        plan_ids[0],
        ExitCode.HALTED,
        {"plan_id": plan_ids[0], **stop.told, **about},
        cause=stop.cause or stop.words,
        day=site.clock.now().date(),
        to=tuple(to),
        standstill=site.standstill,
    )


def _receivers(store: Store, plan_id: str) -> tuple[Receiver, ...]:
    if not may_tell(store, plan_id):
        return ()
    plan_id = migration_of(store, plan_id)
    return stored_policy(store.plans.policy_text(plan_id), name=f"policy of {plan_id}").notify
