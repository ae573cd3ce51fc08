"""The journal of every kind of plan.

The intent is written before a request leaves, and the outcome after. Steps move under a guard, or nothing is written.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, select, update

from migrator.core.audit.chain import hash_of_lines, request_digest
from migrator.core.campaign.notices import Notice
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import (
    RUN_TRANSITIONS,
    PlanKind,
    PlanState,
    RunEvent,
    RunState,
    StepEvent,
    StepKind,
    StepState,
    advance,
)
from migrator.core.run.steps import JobRecord, RequestOutcome
from migrator.errors import IllegalTransition, LeaseLost, MigratorError, StalePlan, StoreError
from migrator.ports import Request
from migrator.store.database.database import Database, storable
from migrator.store.database.documents import document_text, request_text
from migrator.store.database.rows import AnyRow, json_list
from migrator.store.database.sql import changed_rows, elements_of, insert, new_number
from migrator.store.journal.counts import Counts
from migrator.store.journal.moves import move_noted, move_steps
from migrator.store.log import NEXT_NO, PlanRow, note_of_plan
from migrator.store.notices import add_notices
from migrator.store.pairs.paid_pairs import may_be_paid, paid_elsewhere, was_taken_away
from migrator.store.pairs.pairs_in_use import refuse_changed_pairs
from migrator.store.plans.lookup import MIGRATIONS, any_plan_row
from migrator.store.plans.stock import refuse_claimed_for_stock, refuse_unstocked
from migrator.store.tables.plans import changes, plans, request_items, requests, runs, steps
from migrator.store.tables.types import Integer

__all__ = ["SqlJournal"]

_PLAN = (plans.c.plan_id, plans.c.kind, plans.c.of_plan_no)  # what `note_of_plan` asks of a row, beside its number
_later = runs.alias("later").c
_is_replaced = select(_later.run_id).where(_later.run_id > runs.c.run_id, _later.state == RunState.RUNNING).exists()
_PLAN_OF = select(runs.c.plan_no, *_PLAN).join_from(runs, plans).where(runs.c.run_id == bindparam("run_id"))
_RUN = _PLAN_OF.add_columns(runs.c.state.label("run_state"), runs.c.ended_at)
_told = ("kind", "wave", "method", "path", "body", "sims", "intent_at", "outcome", "message")
_may_send = (runs.c.run_id == bindparam("of_run", type_=Integer)) & (runs.c.state == RunState.RUNNING) & ~_is_replaced
_intent = select(runs.c.plan_no, runs.c.run_id, *(bindparam(name, type_=requests.c[name].type) for name in _told))
_INTENT = (
    insert(requests)
    .from_select(["plan_no", "run_id", *_told], _intent.where(_may_send))
    .returning(requests.c.request_id)
)
"""Request of a run that may still send.

For any other run there is no row.
"""

_this_step = (
    (steps.c.plan_no == bindparam("at_plan"))
    & (steps.c.source_key == bindparam("at_key"))
    & (steps.c.kind == bindparam("at_kind"))
)
_KEEP = update(steps).where(_this_step).values(before=func.coalesce(steps.c.before, bindparam("was")))

_keys = elements_of(bindparam("keys")).subquery("named")
_ABOUT = insert(request_items).from_select(
    ["plan_no", "source_key", "request_id"],
    select(bindparam("plan_no", type_=Integer), _keys.c.value, bindparam("request_id", type_=Integer)),
)

DIED = (Doubt.PROCESS_DIED, "the process that sent it ended before an answer was on disk")


class SqlJournal(Counts):
    """Implementation of `ports.Journal` in the store.

    Each method is one committed transaction. No method waits.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._plans: dict[int, PlanRow] = {}  # what never changes: the plan of each run
        self._sent: dict[int, tuple[PlanRow, StepKind]] = {}  # and that of each request without an answer yet

    # --- runs -----------------------------------------------------------------------------------------------------

    def start_run(self, plan_id: str, owner: str, now: float, *, ref: str = "") -> int:
        """Note that a run began, of a plan of any kind.

        The plan is then in use. The caller holds the lease, so a run of this plan that is still RUNNING has lost its
        process. `ref` is the change or ticket that the run is for.

        Returns: the run's id.
        """
        plan = any_plan_row(self._db, plan_id)
        plan_no = plan.plan_no
        unused = (plans.c.plan_no == plan_no) & (plans.c.state == PlanState.CREATED)
        with self._db.write() as connection:
            connection.execute(update(plans).where(unused).values(state=PlanState.STARTED, started_at=now))
            dead = (runs.c.plan_no == plan_no) & (runs.c.state == RunState.RUNNING)
            state = RUN_TRANSITIONS[RunState.RUNNING, RunEvent.TAKE_OVER]
            connection.execute(update(runs).where(dead).values(state=state, reason="its process died"))
            run = {"plan_no": plan_no, "state": RunState.RUNNING, "owner": owner, "started_at": now, "reason": ""}
            run_id = new_number(connection.execute(insert(runs).values(run | {"ref": ref})))
            began = {"run_id": run_id, "owner": owner} | ({"ref": ref} if ref else {})
            note_of_plan(connection, now, "run.started", plan, began)
        self._plans[run_id] = plan
        return run_id

    def end_run(
        self,
        run_id: int,
        event: RunEvent,
        *,
        exit_code: int,
        reason: str,
        now: float,
        told: Sequence[Notice] = (),
    ) -> None:
        """Note how a run ended, and who is to be told.

        Raises: LeaseLost, if another run took this run for dead; IllegalTransition, if the run is over.
        """
        ended = {"ended_at": now, "exit_code": exit_code, "reason": storable(reason)}
        moved = 0
        with self._db.write() as connection:
            for (was, taken), to in RUN_TRANSITIONS.items():
                if taken is event:
                    this = (runs.c.run_id == run_id) & (runs.c.state == was)
                    moved += changed_rows(connection.execute(update(runs).where(this).values(state=to, **ended)))
            run = connection.execute(_RUN, {"run_id": run_id}).one_or_none()
            if run is None or moved != 1:
                if _was_replaced(run):
                    raise _lost(run_id)
                raise IllegalTransition(f"run {run_id} is not running and cannot take the event {event}")
            state = RUN_TRANSITIONS[RunState.RUNNING, event].value
            end = {"run_id": run_id, "exit_code": exit_code, "reason": ended["reason"], "state": state}
            note_of_plan(connection, now, "run.ended", run, end)
            add_notices(connection, told, now)

    def runs(self, plan_id: str) -> Sequence[JobRecord]:
        """Return the runs of a plan, oldest first."""
        sent = select(func.count()).where(requests.c.run_id == runs.c.run_id).scalar_subquery().label("sent")
        plan_no = any_plan_row(self._db, plan_id).plan_no
        rows = self._db.rows(select(runs, sent).where(runs.c.plan_no == plan_no).order_by(runs.c.run_id))
        return [
            JobRecord(
                run_id=row.run_id,
                plan_id=plan_id,
                state=row.state,
                owner=row.owner,
                started_at=row.started_at,
                ended_at=row.ended_at,
                exit_code=row.exit_code,
                reason=row.reason,
                requests=row.sent,
                ref=row.ref,
            )
            for row in rows
        ]

    # --- requests and steps ---------------------------------------------------------------------------------------

    def begin(
        self,
        run_id: int,
        kind: StepKind,
        keys: Sequence[str],
        request: Request,
        *,
        wave: str | None,
        now: float,
        before: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> int:
        """Commit the intent: move the steps and save the request.

        The steps move from PENDING to IN_FLIGHT.

        Args:
            run_id: the run.
            kind: which step.
            keys: the SIMs.
            request: the request, to the letter.
            wave: the wave of the SIMs.
            now: UTC seconds.
            before: by SIM key, the values that were read of the SIM; kept from the first order on.

        Returns: the request's id.
        Raises: LeaseLost, if another run took this run for dead; StalePlan, if another plan claimed for one of the
            SIMs, or may have; PairChanged, if some SIMs are to be claimed for a pair that is now another pair;
            IllegalTransition, if one of the steps is not PENDING, or a SIM is named twice or not in the plan. Then
            nothing is written.
        """
        intended = dict.fromkeys(keys, ("", ""))
        if len(intended) != len(keys):
            raise IllegalTransition(f"a request of {len(keys)} SIMs names one of them twice")
        with self._db.write() as connection:
            body = request_text(request.body)
            row = {
                "kind": kind,
                "wave": wave,
                "method": request.method,
                "path": request.path,
                "body": body,
                "sims": len(keys),
                "intent_at": now,
                "outcome": RequestOutcome.SENT,
                "message": "",
            }
            request_id = int(connection.scalar(_INTENT, row | {"of_run": run_id}) or 0)
            if not request_id:
                raise _no_more(connection, run_id)
            run = self._plans.get(run_id) or connection.execute(_PLAN_OF, {"run_id": run_id}).one()
            plan_no = run.plan_no
            if run.kind == PlanKind.STOCK:
                refuse_unstocked(connection, plan_no, keys)
            if kind is StepKind.CLAIM:
                _refuse_claimed_elsewhere(connection, plan_no, keys)
                if run.kind != PlanKind.STOCK:
                    refuse_claimed_for_stock(connection, plan_no, keys)
                    refuse_changed_pairs(connection, plan_no, keys)
            move_steps(connection, plan_no, kind, StepEvent.BEGIN, intended, now=now)
            if before:
                connection.execute(_KEEP, [_kept(plan_no, key, kind, values) for key, values in before.items()])
            sent = {
                "request_id": request_id,
                "kind": kind.value,
                "sims": len(keys),
                "sims_sha256": hash_of_lines(keys),
                "sha256": request_digest(request.method, request.path, body),
                "run_id": run_id,
                "wave": wave,
            }
            note_of_plan(connection, now, "request.sent", run, sent)
            if keys:
                about = {"plan_no": plan_no, "request_id": request_id, "keys": json_list(keys)}
                connection.execute(_ABOUT, about)
        self._plans[run_id], self._sent[request_id] = run, (run, kind)
        return request_id

    def into_main_file(self) -> bool:
        """Put all that was committed into the main file.

        Returns: True if all is in the main file; False while a reader prevents this.
        """
        return self._db.into_main_file()

    def answered(
        self,
        request_id: int,
        outcome: RequestOutcome,
        *,
        now: float,
        status: int | None = None,
        job_id: str | None = None,
        message: str = "",
        in_doubt: Mapping[str, tuple[str, str]] | None = None,
        proved: Sequence[str] = (),
    ) -> None:
        """Note the answer to a request.

        Steps whose outcome stays unknown become UNCERTAIN in the same transaction, and those that are proved DONE.

        Args:
            request_id: the request.
            outcome: what the answer means for the request.
            now: UTC seconds.
            status: the HTTP status.
            job_id: the carrier's job id.
            message: the carrier's words.
            in_doubt: code and message by SIM key; the steps of these SIMs become UNCERTAIN.
            proved: the keys of SIMs whose steps the answer proves; these become DONE.

        Raises: IllegalTransition, if the outcome is known already; then nothing is written.
        """
        waiting = (requests.c.request_id == request_id) & (requests.c.outcome == RequestOutcome.SENT)
        told = {"outcome": outcome, "outcome_at": now, "status": status, "job_id": storable(job_id)}
        told["message"] = storable(message)
        with self._db.write() as connection:
            if changed_rows(connection.execute(update(requests).where(waiting).values(told))) != 1:
                raise IllegalTransition(f"request {request_id} is not waiting for an answer")
            known = self._sent.pop(request_id) if request_id in self._sent else None
            sent, step = known or _sent(connection, request_id)
            answer = {"request_id": request_id, "outcome": outcome.value, "status": status, "job_id": told["job_id"]}
            answer["message"] = told["message"]
            note_of_plan(connection, now, "request.answered", sent, answer)
            if in_doubt:
                move_noted(connection, sent, step, StepEvent.LOST, in_doubt, now=now)
            if proved:
                move_noted(connection, sent, step, StepEvent.CONFIRMED, dict.fromkeys(proved, ("", "")), now=now)

    def move(
        self,
        plan_id: str,
        kind: StepKind,
        event: StepEvent,
        keys: Mapping[str, tuple[str, str]],
        *,
        now: float,
        not_before: float = 0.0,
    ) -> None:
        """Move the steps of some SIMs by one event.

        The moves are guarded in SQL by the state from which a step moves.

        Args:
            plan_id: the plan.
            kind: which step.
            event: what happened.
            keys: code and message by SIM key; both may be empty.
            now: UTC seconds.
            not_before: UTC seconds before which the step should not be tried again.

        Raises: IllegalTransition, if the table has no such move from the state of a step; then nothing is written.
        """
        plan = any_plan_row(self._db, plan_id)
        if not keys:
            return
        with self._db.write() as connection:
            move_noted(connection, plan, kind, event, keys, now=now, not_before=not_before)

    def reclaim_in_flight(self, plan_id: str, now: float) -> int:
        """Mark what a dead process left: steps UNCERTAIN, requests LOST.

        These are the IN_FLIGHT steps and the open requests.

        Returns: the number of steps.
        """
        plan = any_plan_row(self._db, plan_id)
        plan_no, (code, message) = plan.plan_no, DIED
        flying = (steps.c.plan_no == plan_no) & (steps.c.state == StepState.IN_FLIGHT)
        waiting = (requests.c.plan_no == plan_no) & (requests.c.outcome == RequestOutcome.SENT)
        with self._db.write() as connection:
            lost = connection.execute(select(requests.c.request_id).where(waiting)).scalars().all()
            connection.execute(
                update(requests).where(waiting).values(outcome=RequestOutcome.LOST, outcome_at=now, message=message)
            )
            state = advance(StepState.IN_FLIGHT, StepEvent.LOST)
            settled = (
                update(steps).where(flying).values(state=state, since=now, code=code, message=message, moved_no=NEXT_NO)
            )
            count = changed_rows(connection.execute(settled))
            if count or lost:
                told = {"steps": count, "requests": list(lost)}
                note_of_plan(connection, now, "run.took_over", plan, told)
            return count

    # --- counts ---------------------------------------------------------------------------------------------------

    def requests_of(self, run_id: int) -> int:
        """Count the writes that a run sent."""
        (row,) = self._db.rows(select(func.count().label("sent")).where(requests.c.run_id == run_id))
        return int(row.sent)

    def step_counts(self, plan_id: str, wave: str | None = None) -> Mapping[tuple[StepKind, str], int]:
        """Count the steps in each state, by kind.

        Steps without a row, which are PENDING, are not counted.
        """
        rows = self._counted(plan_id, wave, steps.c.state, steps.c.kind)
        return Counter({(StepKind(row.kind), row.state): row.steps for row in rows})

    def step_codes(self, plan_id: str, wave: str | None = None) -> Mapping[tuple[StepKind, StepState, str], int]:
        """Count the steps in each state with each code, by kind.

        Steps without a row, which are PENDING, are not counted.
        """
        rows = self._counted(plan_id, wave, steps.c.state, steps.c.kind, steps.c.code)
        return Counter({(StepKind(row.kind), StepState(row.state), row.code): row.steps for row in rows})

    def _counted(self, plan_id: str, wave: str | None, *by: ColumnElement[str]) -> Sequence[AnyRow]:
        plan_no = any_plan_row(self._db, plan_id).plan_no
        counted: Any = select(*by, func.count().label("steps")).where(steps.c.plan_no == plan_no).group_by(*by)
        if wave is not None:
            of_change = (steps.c.plan_no == changes.c.plan_no) & (steps.c.source_key == changes.c.source_key)
            counted = counted.join_from(steps, changes, of_change).where(changes.c.wave == wave)
        return self._db.rows(counted)


def _kept(plan_no: int, key: str, kind: StepKind, values: Mapping[str, Any]) -> dict[str, Any]:
    was = document_text(values) if values else None
    return {"at_plan": plan_no, "at_key": key, "at_kind": kind.value, "was": was}


def _refuse_claimed_elsewhere(connection: Connection, plan_no: int, keys: Sequence[str]) -> None:
    """Refuse source SIMs for which another plan claimed a SIM.

    Refuse cards, too, that were claimed for another source SIM. Without this check, a SIM would be paid twice. A card
    that a correction took away does not count for the SIM that it was taken from.

    Raises: StalePlan, if another plan has claimed a SIM for one of these SIMs, or may have, or one of their cards.
    """
    others = MIGRATIONS.where(plans.c.plan_no != plan_no, plans.c.started_at.is_not(None))
    mine = (changes.c.plan_no == plan_no) & changes.c.source_key.in_(keys)
    claimed = (
        select(func.count(steps.c.source_key.distinct()), func.min(plans.c.plan_id))
        .join_from(steps, plans, plans.c.plan_no == steps.c.plan_no)
        .join(changes, changes.c.source_key == steps.c.source_key)
        .where(mine, steps.c.plan_no.in_(others), may_be_paid(steps))
        .where(~was_taken_away(steps))
    )
    sims, plan_id = connection.execute(claimed).one()
    if not sims:
        cards = select(func.count()).where(mine, paid_elsewhere(changes.c.target_key))
        sims, plan_id = connection.scalar(cards) or 0, "before a correction"
    else:
        plan_id = f"under plan {plan_id}"
    if sims:
        raise StalePlan(
            f"{sims} SIMs of this claim have a new SIM {plan_id}, or may have; nothing was sent for them",
            code="claimed_by_another_plan",
            hint="make a new plan: what is claimed already is never claimed again",
        )


def _sent(connection: Connection, request_id: int) -> tuple[PlanRow, StepKind]:
    """Return plan and step of a request of another process."""
    of_request = select(plans.c.plan_no, *_PLAN, requests.c.kind.label("step")).join_from(requests, plans)
    row = connection.execute(of_request.where(requests.c.request_id == request_id)).one()
    return row, StepKind(row.step)


def _no_more(connection: Connection, run_id: int) -> MigratorError:
    """Return why a run sends nothing more."""
    run = connection.execute(_RUN, {"run_id": run_id}).one_or_none()
    if run is None:
        return StoreError(f"there is no run {run_id} in this store", code="no_such_run")
    if run.run_state == RunState.RUNNING or _was_replaced(run):
        return _lost(run_id)
    return IllegalTransition(f"run {run_id} is over, and sends nothing more")


def _was_replaced(run: Any) -> bool:
    """True if another run took a run for dead.

    Such a run was ended without a note of its own.
    """
    return run is not None and run.run_state == RunState.STOPPED and run.ended_at is None


def _lost(run_id: int) -> LeaseLost:
    return LeaseLost(
        f"run {run_id} lost the store to another run, and sends nothing more",
        hint="see `migrator status`; the same command goes on once the other run has ended",
    )
