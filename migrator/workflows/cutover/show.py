"""Cutover and rollback plans as people are shown them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from migrator.core.cutover.plan import CutoverHeader, CutoverItem, CutoverRow, CutoverStep
from migrator.core.run.states import StepKind, StepState
from migrator.store import Store
from migrator.workflows.cutover.make import cutover_lines, overlap_of
from migrator.workflows.lookups.looks import shown_cutover

__all__ = ["CutoverShown", "CutoverStanding", "cutover_shown", "cutover_standing"]


@dataclass(frozen=True, slots=True)
class CutoverShown:
    """Plan with its first SIMs.

    `lines` are those of the plan's file; they are read from the store as they are taken.
    """

    header: CutoverHeader
    rows: Sequence[CutoverRow]
    lines: Iterable[str]


@dataclass(frozen=True, slots=True)
class CutoverStanding:
    """State of a plan.

    Args:
        state: created, started or finished.
        steps: SIMs by step, its state and its code.
        attention: the first SIMs that need attention, each with the step that needs it.
        double_billing: what two SIMs a unit cost now, as JSON values.
    """

    state: str
    steps: Mapping[tuple[StepKind, StepState, str], int]
    attention: Sequence[tuple[CutoverItem, CutoverStep]]
    double_billing: Mapping[str, Any]


def cutover_shown(store: Store, header: CutoverHeader, *, sims: int, action: str | None = None) -> CutoverShown:
    """Read the first SIMs of a plan, noted as shown.

    Args:
        store: with the plan.
        header: of the plan.
        sims: the most SIMs.
        action: only SIMs with this action.
    """
    shown_cutover(store, header.direction, header.cutover_id)
    rows = (row for row in store.cutovers.rows(header.cutover_id) if action is None or row.action.value == action)
    return CutoverShown(header, list(islice(rows, sims)), cutover_lines(store, header.cutover_id))


def cutover_standing(store: Store, header: CutoverHeader, *, sims: int, now: float) -> CutoverStanding:
    """Read the state of a plan.

    `sims` is the most SIMs that need attention, and `now` is in UTC seconds.
    """
    return CutoverStanding(
        state=str(store.cutovers.state(header.cutover_id)),
        steps=store.journal.step_codes(header.cutover_id),
        attention=list(islice(_attention(store.cutovers.all_items(header.cutover_id)), sims)),
        double_billing=overlap_of(store, store.plans.header(header.plan_id), now),
    )


def _attention(items: Iterable[CutoverItem]) -> Iterator[tuple[CutoverItem, CutoverStep]]:
    """Yield the steps that need attention.

    Such steps failed, were skipped after trouble, or left something otherwise than it was.
    """
    for item in items:
        for step in item.steps.values():
            ended = step.state in {StepState.FAILED, StepState.SKIPPED, StepState.DONE}
            if ended and step.code and not step.is_as_found:
                yield item, step
