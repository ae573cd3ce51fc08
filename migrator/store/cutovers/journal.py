"""The journal of cutovers and rollbacks.

The intent is written before a request leaves, and the outcome after. Steps are moved under a guard.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from migrator.core.audit.chain import hash_of_lines, request_digest
from migrator.core.cutover.plan import SwitchKind
from migrator.core.fleet.spelling import UNREAD
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import (
    RUN_TRANSITIONS,
    STEP_TRANSITIONS,
    PlanState,
    RunEvent,
    RunState,
    StepEvent,
    StepState,
    advance,
)
from migrator.core.run.steps import RequestOutcome
from migrator.errors import IllegalTransition, StoreError
from migrator.ports import Request
from migrator.store.cutovers.cutovers import Switches, note_switch, switch_row
from migrator.store.database.database import storable
from migrator.store.database.documents import document_text, raw_text
from migrator.store.database.rows import among, json_list
from migrator.store.inventory.snapshots import in_force
from migrator.store.log import moved
from migrator.store.plans.switched_off import may_yet_take_effect
from migrator.store.tables.cutovers import switch_items, switch_plans, switch_requests, switch_runs, switch_steps
from migrator.store.tables.fleet import source_sims

__all__ = ["SqlSwitchJournal"]

DIED = (Doubt.PROCESS_DIED, "the process that sent it ended before an answer was on disk")


class SqlSwitchJournal(Switches):
    """Implementation of `ports.SwitchJournal` in the store.

    Each method is one committed transaction. No method waits.
    """

    # --- runs -----------------------------------------------------------------------------------------------------

    def start_run(self, switch_id: str, owner: str, now: float) -> int:
        """Note that a run began, and that the plan is in use.

        The caller holds the lease.

        Returns: the run's id.
        """
        switch_no = switch_row(self._db, switch_id).switch_no
        unused = (switch_plans.c.switch_no == switch_no) & (switch_plans.c.state == PlanState.CREATED)
        dead = (switch_runs.c.switch_no == switch_no) & (switch_runs.c.state == RunState.RUNNING)
        taken_over = RUN_TRANSITIONS[RunState.RUNNING, RunEvent.TAKE_OVER]
        run = {"switch_no": switch_no, "state": RunState.RUNNING, "owner": owner, "started_at": now, "reason": ""}
        with self._db.write() as connection:
            connection.execute(update(switch_plans).where(unused).values(state=PlanState.STARTED, started_at=now))
            connection.execute(update(switch_runs).where(dead).values(state=taken_over, reason="its process died"))
            run_id = int(connection.execute(insert(switch_runs).values(run)).lastrowid)
            note_switch(connection, now, "run_started", switch_id, run_id=run_id, owner=owner)
            return run_id

    def end_run(self, run_id: int, event: RunEvent, *, exit_code: int, reason: str, now: float) -> None:
        """Note how a run ended.

        Raises: IllegalTransition, if the run is over already.
        """
        to = RUN_TRANSITIONS[RunState.RUNNING, event]
        this = (switch_runs.c.run_id == run_id) & (switch_runs.c.state == RunState.RUNNING)
        ended = {"state": to, "ended_at": now, "exit_code": exit_code, "reason": storable(reason)}
        with self._db.write() as connection:
            if connection.execute(update(switch_runs).where(this).values(ended)).rowcount != 1:
                raise IllegalTransition(f"run {run_id} is not running and cannot take the event {event}")
            _, switch_id = _plan_of_run(connection, run_id)
            told = {"run_id": run_id, "exit_code": exit_code, "reason": ended["reason"], "state": to.value}
            note_switch(connection, now, "run_ended", switch_id, **told)

    def runs(self, switch_id: str) -> Sequence[Mapping[str, Any]]:
        """Return the runs of a plan, oldest first, as JSON values.

        Times are UTC seconds.
        """
        wanted = select(switch_runs).where(switch_runs.c.switch_no == switch_row(self._db, switch_id).switch_no)
        names = ("run_id", "state", "owner", "started_at", "ended_at", "exit_code", "reason")
        rows = self._db.rows(wanted.order_by(switch_runs.c.run_id))
        return [{name: getattr(row, name) for name in names} for row in rows]

    # --- requests and steps ---------------------------------------------------------------------------------------

    def begin(
        self,
        run_id: int,
        kind: SwitchKind,
        before: Mapping[str, Mapping[str, Any]],
        request: Request,
        *,
        now: float,
    ) -> int:
        """Commit the intent: move the steps and save the request.

        The steps move from PENDING to IN_FLIGHT.

        Args:
            run_id: the run.
            kind: which step.
            before: by SIM key, the values that were read of the SIM; kept from the first order on.
            request: the request, to the letter.
            now: UTC seconds.

        Returns: the request's id.
        Raises: IllegalTransition, if one of the steps is not PENDING, or a SIM is not in the plan; then nothing is
            written.
        """
        with self._db.write() as connection:
            switch_no, switch_id = _plan_of_run(connection, run_id)
            body = raw_text(request.body)
            row = {
                "switch_no": switch_no,
                "run_id": run_id,
                "kind": kind.value,
                "method": request.method,
                "path": request.path,
                "body": body,
                "sims": len(before),
                "intent_at": now,
                "outcome": RequestOutcome.SENT,
                "message": "",
            }
            request_id = int(connection.execute(insert(switch_requests).values(row)).lastrowid)
            _begin_steps(connection, switch_no, kind, before, request_id, now=now)
            note_switch(
                connection,
                now,
                "request_sent",
                switch_id,
                request_id=request_id,
                kind=kind.value,
                sims=len(before),
                sims_sha256=hash_of_lines(before),
                sha256=request_digest(request.method, request.path, body),
                run_id=run_id,
            )
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
    ) -> None:
        """Note the answer to a request.

        Steps whose outcome stays unknown become UNCERTAIN in the same transaction: `in_doubt` has code and words of
        them, by SIM key.

        Raises: IllegalTransition, if the outcome is known already; then nothing is written.
        """
        row = switch_requests.c
        waiting = (row.request_id == request_id) & (row.outcome == RequestOutcome.SENT)
        told = {"outcome": outcome, "outcome_at": now, "status": status, "job_id": storable(job_id)}
        told["message"] = storable(message)
        with self._db.write() as connection:
            if connection.execute(update(switch_requests).where(waiting).values(told)).rowcount != 1:
                raise IllegalTransition(f"request {request_id} is not waiting for an answer")
            sent = connection.execute(select(row.run_id, row.kind).where(row.request_id == request_id)).one()
            switch_no, switch_id = _plan_of_run(connection, sent.run_id)
            answer = {"request_id": request_id, "outcome": outcome.value, "status": status, "job_id": told["job_id"]}
            answer["message"] = told["message"]
            note_switch(connection, now, "request_answered", switch_id, **answer)
            if in_doubt:
                kind = SwitchKind(sent.kind)
                _move(connection, switch_no, kind, StepEvent.LOST, in_doubt, now=now)
                note_switch(connection, now, "steps_moved", switch_id, **moved(kind, StepEvent.LOST, in_doubt))

    def move(
        self, switch_id: str, kind: SwitchKind, event: StepEvent, keys: Mapping[str, tuple[str, str]], *, now: float
    ) -> None:
        """Move steps by one event, each with a code and words.

        The moves are guarded in SQL by the state from which a step moves.

        Raises: IllegalTransition, if the table has no such move from the state of a step; then nothing is written.
        """
        if not keys:
            return
        switch_no = switch_row(self._db, switch_id).switch_no
        with self._db.write() as connection:
            _move(connection, switch_no, kind, event, keys, now=now)
            note_switch(connection, now, "steps_moved", switch_id, **moved(kind, event, keys))

    def reclaim_in_flight(self, switch_id: str, now: float) -> int:
        """Settle the steps and requests that a dead process left.

        The IN_FLIGHT steps become UNCERTAIN. The open requests become LOST.

        Returns: the number of steps.
        """
        switch_no = switch_row(self._db, switch_id).switch_no
        code, message = DIED
        flying = (switch_steps.c.switch_no == switch_no) & (switch_steps.c.state == StepState.IN_FLIGHT)
        waiting = (switch_requests.c.switch_no == switch_no) & (switch_requests.c.outcome == RequestOutcome.SENT)
        lost = {"outcome": RequestOutcome.LOST, "outcome_at": now, "message": message}
        state = advance(StepState.IN_FLIGHT, StepEvent.LOST)
        with self._db.write() as connection:
            open_requests = connection.scalars(select(switch_requests.c.request_id).where(waiting)).all()
            connection.execute(update(switch_requests).where(waiting).values(lost))
            settled = update(switch_steps).where(flying).values(state=state, since=now, code=code, message=message)
            count = connection.execute(settled).rowcount
            if count or open_requests:
                told = {"steps": count, "requests": list(open_requests)}
                note_switch(connection, now, "run_took_over", switch_id, **told)
            return count

    # --- counts ---------------------------------------------------------------------------------------------------

    def unsettled_elsewhere(self, switch_id: str, keys: Sequence[str]) -> frozenset[str]:
        """Return SIMs with an order of another plan whose outcome is unknown.

        Such an order may still take effect.
        """
        step = switch_steps.c
        wanted = select(step.source_key).where(
            among(step.source_key, bindparam("keys")),
            step.kind == SwitchKind.SOURCE.value,
            step.switch_no != switch_row(self._db, switch_id).switch_no,
            may_yet_take_effect,
        )
        return frozenset(row.source_key for row in self._db.rows(wanted, keys=json_list(keys)))

    def labels_in_force(self, keys: Sequence[str]) -> Mapping[str, str | None]:
        """Return the labels of SIMs in the inventory in force.

        The labels are by key. SIMs that the inventory does not hold are left out.
        """
        sim = source_sims.c
        wanted = select(sim.key, sim.label, sim.raw).where(
            sim.snapshot_id == in_force, among(sim.key, bindparam("keys"))
        )
        return {row.key: _exact(row.label, row.raw) for row in self._db.rows(wanted, keys=json_list(keys))}

    def step_counts(self, switch_id: str, wave: str | None = None) -> Mapping[tuple[SwitchKind, StepState, str], int]:
        """Count the steps in each state, by kind and code.

        Steps without a row are not counted.
        """
        step = switch_steps.c
        counted = (
            select(step.kind, step.state, step.code, func.count().label("steps"))
            .where(step.switch_no == switch_row(self._db, switch_id).switch_no)
            .group_by(step.kind, step.state, step.code)
        )
        if wave is not None:
            of_item = (switch_items.c.switch_no == step.switch_no) & (switch_items.c.source_key == step.source_key)
            counted = counted.join_from(switch_steps, switch_items, of_item).where(switch_items.c.wave == wave)
        rows = self._db.rows(counted)
        return Counter({(SwitchKind(row.kind), StepState(row.state), row.code): row.steps for row in rows})

    def requests_of(self, run_id: int) -> int:
        """Count the writes that a run sent."""
        (row,) = self._db.rows(select(func.count().label("n")).where(switch_requests.c.run_id == run_id))
        return int(row.n)

    def requests(self, switch_id: str) -> Sequence[Mapping[str, Any]]:
        """Return every write of a plan, oldest first.

        A write is its columns by name; `body` is JSON text.
        """
        wanted = select(switch_requests).where(switch_requests.c.switch_no == switch_row(self._db, switch_id).switch_no)
        return [row._asdict() for row in self._db.rows(wanted.order_by(switch_requests.c.request_id))]


def _exact(label: str | None, raw: str) -> str | None:
    """Return a label letter by letter.

    The column has U+FFFD for half an emoji. The record as listed still has the half emoji.

    If the list has no text as the label, the value is returned as JSON in ASCII. No label with U+FFFD can be equal to
    such a text.
    """
    if label is None or UNREAD not in label:
        return label
    told = json.loads(raw).get("label")
    return told if isinstance(told, str) else json.dumps(told)


def _plan_of_run(connection: Connection, run_id: int | None) -> tuple[int, str]:
    """Return number and id of the plan of a run.

    Raises: StoreError, if there is no such run.
    """
    of_run = select(switch_plans.c.switch_no, switch_plans.c.switch_id).join_from(switch_runs, switch_plans)
    row = connection.execute(of_run.where(switch_runs.c.run_id == run_id)).one_or_none()
    if row is None:
        raise StoreError(f"there is no run {run_id} in this store", code="no_such_run")
    return int(row.switch_no), str(row.switch_id)


def _this_step(switch_no: int, kind: SwitchKind) -> Any:
    step = switch_steps.c
    return (step.switch_no == switch_no) & (step.source_key == bindparam("at_key")) & (step.kind == kind.value)


def _move(
    connection: Connection,
    switch_no: int,
    kind: SwitchKind,
    event: StepEvent,
    keys: Mapping[str, tuple[str, str]],
    *,
    now: float,
) -> None:
    """Move every step or raise.

    The state in the row of a step decides whether the step may take the event.
    """
    told = [{"at_key": key, "new_code": code, "words": storable(words)} for key, (code, words) in keys.items()]
    begun = 1 if event is StepEvent.BEGIN else 0
    moved = 0
    for was, taken in STEP_TRANSITIONS:
        if taken is not event:
            continue
        if was is StepState.PENDING:
            _make_rows(connection, switch_no, kind, keys, now)
        moving = (
            update(switch_steps)
            .where(_this_step(switch_no, kind), switch_steps.c.state == was)
            .values(
                state=advance(was, event),
                since=now,
                code=bindparam("new_code"),
                message=bindparam("words"),
                attempts=switch_steps.c.attempts + begun,
            )
        )
        moved += connection.execute(moving, told).rowcount
    if moved != len(keys):
        raise IllegalTransition(
            f"{len(keys) - moved} of {len(keys)} steps {kind} cannot take the event {event} from where they stand"
        )


def _begin_steps(
    connection: Connection,
    switch_no: int,
    kind: SwitchKind,
    before: Mapping[str, Mapping[str, Any]],
    request_id: int,
    *,
    now: float,
) -> None:
    """Move steps to IN_FLIGHT, with their request.

    The values that were read before the first order of each step are kept.
    """
    _move(connection, switch_no, kind, StepEvent.BEGIN, dict.fromkeys(before, ("", "")), now=now)
    kept = func.coalesce(switch_steps.c.before, bindparam("was"))
    noted = update(switch_steps).where(_this_step(switch_no, kind)).values(request_id=request_id, before=kept)
    told = [{"at_key": key, "was": document_text(values) if values else None} for key, values in before.items()]
    connection.execute(noted, told)


def _make_rows(
    connection: Connection, switch_no: int, kind: SwitchKind, keys: Mapping[str, tuple[str, str]], now: float
) -> None:
    """Write a row for each PENDING step that has no row.

    A step without a row is PENDING. The guard needs a row to check.
    """
    blank = {
        "switch_no": switch_no,
        "kind": kind.value,
        "state": StepState.PENDING,
        "attempts": 0,
        "since": now,
        "code": "",
        "message": "",
    }
    connection.execute(upsert(switch_steps).on_conflict_do_nothing(), [{**blank, "source_key": key} for key in keys])
