"""`skip` for cutovers and rollbacks: nothing more is sent for some SIMs.

`retry` is the same for every kind of plan: `store.journal.retry_skip`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import select

from migrator.core.cutover.plan import ACTING_CUTOVERS, Aside, Direction, is_as_found
from migrator.core.run.control import Intervened, Selection
from migrator.core.run.doubts import MAY_STILL_COME, doubt_of
from migrator.core.run.states import IN_DOUBT, StepEvent, StepKind, StepState
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow
from migrator.store.journal.retry_skip import (
    LEFT_TO_DO,
    NOT_BEGUN,
    Moves,
    chosen_keys,
    chosen_plan,
    move_all,
    refuse_doubt,
    steps_of,
)
from migrator.store.plans.lookup import cutover_row
from migrator.store.tables.plans import changes

__all__ = ["skip_sims"]


def skip_sims(
    database: Database,
    cutover_id: str,
    chosen: Selection,
    *,
    now: float,
    dry_run: bool = False,
    why: tuple[str, str] | None = None,
) -> Intervened:
    """Skip SIMs: nothing more is sent for them under this plan.

    The first step of a SIM that is not settled becomes SKIPPED. SIMs with nothing left to send are left as they are.

    Args:
        database: the open store.
        cutover_id: the cutover or rollback.
        chosen: which SIMs; with codes, those with a step that failed under one of them.
        now: UTC seconds.
        dry_run: only count.
        why: code and words of the reason; None where an operator wants it.

    Raises: InputError, if there is no such plan or wave, or if an order of one of the SIMs may still take effect; then
        nothing is written.
    """
    plan = cutover_row(database, cutover_id)
    chosen_plan(database, cutover_id, chosen)
    acting = (
        select(changes.c.source_key, changes.c.source_iccid)
        .where(changes.c.plan_no == plan.plan_no, changes.c.action.in_(ACTING_CUTOVERS))
        .where(changes.c.source_key.in_(chosen_keys(plan.plan_no, chosen)))
        .order_by(changes.c.position)
    )
    with database.write() as connection:
        sims = connection.execute(acting).all()
        by_key = steps_of(connection, plan.plan_no, [sim.source_key for sim in sims])
        if chosen.codes:
            sims = [sim for sim in sims if _failed_so(by_key[sim.source_key], chosen.codes)]
        doubtful = [sim.source_iccid for sim in sims if any(map(_may_still_come, by_key[sim.source_key]))]
        refuse_doubt(f"migrator {plan.kind} apply {cutover_id}", doubtful)
        moves: Moves = defaultdict(dict)
        codes: Counter[str] = Counter()
        for sim in sims:
            step = _first_open(by_key[sim.source_key], Direction(plan.kind))
            if step is not None:
                kind, was, words = step
                moves[kind][sim.source_key] = why or (Aside.LEFT_BY_OPERATOR, f"{was}: {words}" if was else words)
                codes[was or NOT_BEGUN] += 1
        if not dry_run:
            move_all(connection, plan, StepEvent.OPERATOR_SKIP, moves, now)
    return Intervened(codes.total(), codes)


def _failed_so(taken: Iterable[AnyRow], codes: frozenset[str]) -> bool:
    return any(step.state == StepState.FAILED and step.code in codes for step in taken)


def _may_still_come(step: AnyRow) -> bool:
    """True if a step's order is in doubt, or may come late.

    A step that failed is no longer waited for; that it was ordered stays known.
    """
    return step.state in IN_DOUBT or (step.state == StepState.PENDING and doubt_of(step.code) in MAY_STILL_COME)


def _first_open(taken: Sequence[AnyRow], direction: Direction) -> tuple[StepKind, str, str] | None:
    """Return kind, code and words of the step to skip.

    That is the first step that is not settled; None where nothing is left to send for the SIM.
    """
    by_kind = {step.kind: step for step in taken}
    kinds = (StepKind.SOURCE,) if direction is Direction.CUTOVER else (StepKind.SOURCE, StepKind.PAUSE)
    for kind in kinds:
        step = by_kind.get(kind)
        if step is None:
            return kind, "", ""
        if step.state in LEFT_TO_DO:
            return kind, step.code, step.message
        if step.state != StepState.DONE and not is_as_found(StepState(step.state), step.code):
            return None
    return None
