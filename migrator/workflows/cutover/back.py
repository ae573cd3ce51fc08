"""Way back for some units, over all plans."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.core.cutover.plan import CutoverHeader
from migrator.core.run.states import StepKind, StepState
from migrator.errors import InputError
from migrator.workflows.cutover.make import make_rollback
from migrator.workflows.story.subject import one_named

if TYPE_CHECKING:
    from migrator.core.fleet.switched_off import SwitchedOff
    from migrator.store import Store

__all__ = ["WayBack", "named_units", "plan_way_back", "switched_since"]


@dataclass(frozen=True, slots=True)
class WayBack:
    """Rollback plans of one wish, one for each migration.

    Args:
        headers: the rollback plans, each with at least one SIM that was asked for.
        not_off: keys of SIMs that were asked for, and that no cutover of ours holds off.
    """

    headers: tuple[CutoverHeader, ...]
    not_off: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """SIMs that go back, over all of the plans."""
        return sum(header.count for header in self.headers)


def named_units(store: "Store", texts: Iterable[str]) -> set[str]:
    """Return the keys of some units, by any name of theirs.

    Raises: SeveralSims, if a name fits several; InputError, if it fits none.
    """
    found = (one_named(store, text).source_key for text in texts)
    return {key for key in found if key is not None}


def switched_since(store: "Store", since_s: float) -> set[str]:
    """Return the keys of old SIMs that went off since then.

    Cutovers of any plan count.

    An order whose outcome is not known counts, too. `since_s` is in UTC seconds.
    """
    by_cutover = defaultdict[str, list[str]](list)
    for key, off in store.cutovers.switched_off().items():
        by_cutover[off.cutover_id].append(key)
    return {
        item.key
        for cutover_id, keys in by_cutover.items()
        for item in store.cutovers.items_by_key(cutover_id, keys)
        if (step := item.steps.get(StepKind.SOURCE)) is not None
        and (step.since >= since_s or step.state is not StepState.DONE)
    }


def plan_way_back(
    store: "Store",
    keys: Collection[str],
    *,
    plan_id: str | None = None,
    is_one: bool = False,
    waves: Sequence[int] = (),
    now: float,
    source_rps: float = 1.0,
) -> WayBack:
    """Plan the way back for some SIMs, over all plans.

    Each migration gets a rollback plan of its own, with every guard of one. No carrier is asked.

    Args:
        store: where the plans are; the caller holds its lease.
        keys: the old SIMs that are meant.
        plan_id: only SIMs that were cut over under this migration; None for all.
        is_one: whether there must be one rollback plan at most, as for a file that takes one.
        waves: how many SIMs in each of the first waves; empty for the waves of each migration.
        now: UTC seconds.
        source_rps: how many requests a second may go to the source.

    Raises: InputError, if there were several and there must be one; then none is made.
    """
    off = store.cutovers.switched_off()
    by_plan = _by_plan({key: off[key] for key in keys if key in off}, plan_id)
    if is_one and len(by_plan) > 1:
        raise InputError(
            f"these SIMs are of {len(by_plan)} migrations, each with a rollback plan of its own: --out takes one",
            code="several_plans",
            hint="leave --out out, or name one PLAN",
        )
    headers = tuple(
        make_rollback(store, store.plans.header(of), listed=mine, waves=waves, now=now, source_rps=source_rps)
        for of, mine in sorted(by_plan.items())
    )
    held = {key for mine in by_plan.values() for key in mine}
    return WayBack(headers, tuple(sorted(key for key in keys if key not in held)))


def _by_plan(off: "dict[str, SwitchedOff]", plan_id: str | None) -> dict[str, set[str]]:
    found = defaultdict[str, set[str]](set)
    for key, one in off.items():
        if plan_id in {None, one.plan_id}:
            found[one.plan_id].add(key)
    return found
