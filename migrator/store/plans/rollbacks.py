"""SIMs that a rollback of ours took back to their old SIM.

The module also finds those of these SIMs that an older plan would move once more.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, select

from migrator.core.cutover.plan import Aside
from migrator.core.plan.plan import ACTING, Action
from migrator.core.run.states import IN_DOUBT, PlanKind, StepKind, StepState
from migrator.core.run.steps import Verdict
from migrator.store.database.database import Database
from migrator.store.plans.lookup import CUTOVERS, MIGRATIONS
from migrator.store.tables.plans import changes, plans, steps, verifications

__all__ = ["overtaken", "rolled_back"]

_pauses, _rollbacks = steps.alias("pause"), plans.alias("rollback")
_pause, _plan = _pauses.c, _rollbacks.c
_later, _later_plan = steps.alias("later"), plans.alias("later_plan")
_was_paused = _pause.state.in_((*IN_DOUBT, StepState.DONE)) | (_pause.code == Aside.ALREADY)
"""Condition for a new SIM that a rollback paused, or may have.

The pause was ordered and nobody refused it, or the SIM was paused already.
"""

_was_cut_over_again = (
    select(_later.c.source_key)
    .join_from(_later, _later_plan, _later.c.plan_no == _later_plan.c.plan_no)
    .where(_later.c.plan_no.in_(CUTOVERS), _later.c.source_key == _pause.source_key)
    .where(_later.c.kind == StepKind.SOURCE, _later.c.attempts > 0)
    .where(_later_plan.c.kind == PlanKind.CUTOVER, _later_plan.c.started_at > _plan.started_at)
    .exists()
)
_was_set_again = (
    select(steps.c.source_key)
    .where(steps.c.plan_no.in_(MIGRATIONS), steps.c.source_key == _pause.source_key)
    .where(steps.c.kind == StepKind.STATE, steps.c.state == StepState.DONE, steps.c.since > _pause.since)
    .exists()
)
_TAKEN_BACK = (
    select(_pause.source_key, _plan.plan_id)
    .join_from(_pauses, _rollbacks, _pause.plan_no == _plan.plan_no)
    .where(_pause.plan_no.in_(CUTOVERS))
    .where(_plan.kind == PlanKind.ROLLBACK, _pause.kind == StepKind.PAUSE, _was_paused)
    .where(~_was_cut_over_again, ~_was_set_again)
    .order_by(_plan.started_at, _plan.plan_no)
)


def rolled_back(database: Database, plan_no: int | None = None) -> dict[str, str]:
    """Return SIMs whose new SIM a rollback paused, or may have.

    Each SIM comes with the id of the last such rollback. A SIM no longer counts once a later cutover orders the old SIM
    off, or a plan has set the state of the new SIM since.

    Args:
        database: the open store.
        plan_no: only SIMs that this plan acts on; None for all.
    """
    wanted = _TAKEN_BACK
    if plan_no is not None:
        mine = select(changes.c.source_key).where(changes.c.plan_no == plan_no, changes.c.action.in_(ACTING))
        wanted = wanted.where(mine.where(changes.c.source_key == _pause.source_key).exists())
    return {row.source_key: row.plan_id for row in database.rows(wanted)}


def overtaken(connection: Connection, plan_no: int) -> Iterator[tuple[str, str]]:
    """Yield SIMs of a plan that a rollback took back since.

    The plan still gives orders to these SIMs, and the rollback came after the plan was made.

    Yields: source ICCID and the rollback's id, sorted by key.
    """
    made_at = select(plans.c.created_at).where(plans.c.plan_no == plan_no).scalar_subquery()
    judged = select(verifications.c.source_key).where(
        verifications.c.plan_no == plan_no,
        verifications.c.source_key == _pause.source_key,
        verifications.c.verdict.in_((Verdict.OK, Verdict.MISMATCH)),
    )
    set_aside = select(steps.c.source_key).where(
        steps.c.plan_no == plan_no, steps.c.source_key == _pause.source_key, steps.c.state == StepState.SKIPPED
    )
    its_own = (changes.c.plan_no == plan_no) & (changes.c.source_key == _pause.source_key)
    wanted = (
        _TAKEN_BACK.add_columns(changes.c.source_iccid)
        .join(changes, its_own)
        .where(changes.c.action.in_(ACTING), changes.c.action != Action.NO_OP, _pause.since > made_at)
        .where(~judged.exists(), ~set_aside.exists())
    )
    found = {row.source_key: (row.source_iccid, row.plan_id) for row in connection.execute(wanted)}
    yield from (found[key] for key in sorted(found))
