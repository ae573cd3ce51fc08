"""SIMs of a plan to retry or to skip."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from migrator import wiring
from migrator.core.run.control import Intervened, Selection
from migrator.errors import InputError
from migrator.inputs.files.iccids import read_iccids, unknown_iccids
from migrator.store import Store
from migrator.workflows.cutover.apply import cutover_may_be_retried
from migrator.workflows.lookups.plans import plan_id_of

__all__ = ["Target", "Wish", "retry_sims", "skip_sims"]


@dataclass(frozen=True, slots=True)
class Wish:
    """Plan and SIMs that a retry or skip is for.

    Args:
        plan: the id of a plan of any kind; None for the newest migration.
        codes: SIMs with a step that failed so.
        wave: SIMs of this wave.
        iccids: SIMs of this file.
        dry_run: whether to count only.

    Raises: InputError, for no way to choose.
    """

    plan: str | None
    codes: tuple[str, ...]
    wave: str | None
    iccids: Path | None
    dry_run: bool

    def __post_init__(self) -> None:
        if not (self.codes or self.wave or self.iccids):
            hint = "give --code, --wave or --iccids; several together mean the SIMs that fit all of them"
            raise InputError("which SIMs are meant?", code="no_selection", hint=hint)


@dataclass(frozen=True, slots=True)
class Target:
    """Plan of any kind, with the commands that apply and show it."""

    plan_id: str
    apply: str
    show: str


def retry_sims(store: Store, wish: Wish, *, never_claimed: bool) -> tuple[Target, Intervened]:
    """Have the next run try failed steps of some SIMs again.

    Args:
        store: with the plan.
        wish: the SIMs.
        never_claimed: whether the target said that these SIMs are not claimed, whatever its reply named.

    Raises: InputError, for a bad file; StalePlan, if a later cutover has these SIMs; StoreBusy.
    """

    def act(plan_id: str, chosen: Selection, now: float) -> Intervened:
        if store.cutovers.exists(plan_id) is not None:
            cutover_may_be_retried(store, plan_id, never_claimed=never_claimed)
        return store.interventions.retry(plan_id, chosen, now=now, never_claimed=never_claimed, dry_run=wish.dry_run)

    return _intervention(store, wish, act)


def skip_sims(store: Store, wish: Wish) -> tuple[Target, Intervened]:
    """Skip some SIMs of a plan: nothing more is sent for them.

    Raises: InputError, for a bad file; StoreBusy.
    """

    def act(plan_id: str, chosen: Selection, now: float) -> Intervened:
        skipping = store.interventions if store.cutovers.exists(plan_id) is None else store.cutovers
        return skipping.skip(plan_id, chosen, now=now, dry_run=wish.dry_run)

    return _intervention(store, wish, act)


def _intervention(
    store: Store, wish: Wish, act: Callable[[str, Selection, float], Intervened]
) -> tuple[Target, Intervened]:
    """Choose SIMs and act on them.

    The store is held while the SIMs are acted on, except in a dry run.
    """
    target = _target(store, wish.plan)
    chosen = _selection(store, target.plan_id, wish)
    now = wiring.SystemClock().now().timestamp()
    if wish.dry_run:
        return target, act(target.plan_id, chosen, now)
    with wiring.holding_lease(store):
        return target, act(target.plan_id, chosen, now)


def _target(store: Store, given: str | None) -> Target:
    """Return the plan of any kind that is meant.

    Raises: InputError, if there is no such plan.
    """
    if given is not None and store.cutovers.exists(given) is not None:
        return Target(given, f"migrator {store.cutovers.header(given).direction} apply {given}", "cutover show")
    plan_id = plan_id_of(store, given)
    return Target(plan_id, f"migrator apply {plan_id}", "status")


def _selection(store: Store, plan_id: str, wish: Wish) -> Selection:
    keys = None
    if wish.iccids is not None:
        lines = read_iccids(wish.iccids)
        unknown = store.interventions.not_in_plan(plan_id, lines)
        if unknown:
            raise unknown_iccids(wish.iccids, lines, unknown, plan_id=plan_id)
        keys = frozenset(lines)
    return Selection(frozenset(wish.codes), wish.wave, keys)
