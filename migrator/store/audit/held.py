"""Comparison of rows with the log.

The words of operators (approvals, orders, rates), plans, runs, pairs and the inventory must be as the events report.

Rows that are older than the log have no event. Such a row is accepted only if the row is dated before the first event,
and the log does not report the making of its plan either.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, or_, select

from migrator.core.audit.chain import AuditEvent, guarded, plan_digest
from migrator.core.audit.replay import Replayed, course_problem, order_problem, run_problem
from migrator.core.fleet.identifiers import Iccid
from migrator.store.audit.damage import checkable, is_json
from migrator.store.database.database import Database
from migrator.store.database.rows import AnyRow
from migrator.store.inventory.pairs import fingerprint_of_pairs
from migrator.store.inventory.snapshot_rows import fingerprint
from migrator.store.tables.cutovers import switch_plans, switch_runs
from migrator.store.tables.fleet import snapshots
from migrator.store.tables.plans import approvals, changes, orders, plans, rates, runs, wave_gates

__all__ = ["Expected"]

_change = changes.c
_readable = case((is_json(_change.document), _change.document), else_="{}")
_TARGET = func.json_extract(_readable, "$.target_iccid")
_LIES = and_(
    is_json(_change.document),
    or_(
        _change.action.is_distinct_from(func.json_extract(_readable, "$.action")),
        _change.wave.is_distinct_from(func.json_extract(_readable, "$.wave")),
        _change.reason.is_distinct_from(func.json_extract(_readable, "$.reason")),
        _change.source_iccid.is_distinct_from(func.json_extract(_readable, "$.source_iccid")),
        _change.target_key.is_distinct_from(func.substr(_TARGET, 1, func.length(_change.target_key))),
    ),
)
"""True if the columns of a change differ from its document.

The columns beside the hashed document steer a run. A key is the beginning of its ICCID.
"""
_SHORT_KEYS = (
    select(_change.target_key, _TARGET.label("target"))
    .where(_change.plan_no == bindparam("plan_no"), func.length(_TARGET) - func.length(_change.target_key) > 1)
    .order_by(_change.source_key)
)
"""Query for keys that lack more than a check digit.

This is one key in ten, since the digit before the check digit happens to be right, too.
"""

_PLANS = (
    select(
        plans.c.plan_no,
        plans.c.plan_id,
        plans.c.state,
        plans.c.created_at,
        plans.c.started_at,
        plans.c.finished_at,
        plans.c.header,
        plans.c.policy_text,
        plans.c.policy_json,
        select(func.count()).where(_change.plan_no == plans.c.plan_no, _LIES).scalar_subquery().label("lies"),
    )
    .where(plans.c.plan_id.is_not(None))
    .order_by(plans.c.plan_no)
)
_APPROVALS = (
    select(plans.c.plan_id, approvals).join_from(approvals, plans, isouter=True).order_by(approvals.c.approval_id)
)
_ORDERS = select(plans.c.plan_id, orders).join_from(orders, plans, isouter=True)
_RUNS = (
    select(plans.c.plan_id, plans.c.plan_id.label("told_id"), runs)
    .join_from(runs, plans, isouter=True)
    .order_by(runs.c.run_id)
)
_SWITCH_RUNS = (
    select(plans.c.plan_id, switch_plans.c.switch_id.label("told_id"), switch_runs)
    .join_from(switch_runs, switch_plans, isouter=True)
    .join(plans, plans.c.plan_no == switch_plans.c.plan_no, isouter=True)
    .order_by(switch_runs.c.run_id)
)

_GATES = select(plans.c.plan_id, wave_gates).join_from(wave_gates, plans)

_Approval = tuple[str | None, str, str, str, float]


@dataclass(slots=True)
class Expected:
    """Expected values of the rows, from the events that were noted."""

    migrations: Replayed
    switches: Replayed
    first_at: float | None = None
    approved: Counter[_Approval] = field(default_factory=Counter)
    orders: dict[str | None, tuple[str, str, float]] = field(default_factory=dict)
    ceilings: dict[str, tuple[float | None, str, float | None]] = field(default_factory=dict)
    pairs: str | None = None
    inventory: tuple[int, str] | None = None

    def note(self, event: AuditEvent) -> None:
        """Gather facts from one event."""
        if self.first_at is None:
            self.first_at = event.at
        detail, kind = event.detail, event.kind
        if kind == "pairs.changed":
            self.pairs = detail["fingerprint"]
        elif kind == "inventory.completed":
            self.inventory = (detail["snapshot_id"], detail["fingerprint"])
        self._note_word(event)

    def _note_word(self, event: AuditEvent) -> None:
        """Gather what a person ordered: approvals, orders, rates."""
        detail, plan_id, kind = event.detail, event.plan_id, event.kind
        if kind == "plan.approved":
            self.approved[plan_id, detail["by"], detail["changes_sha256"], detail["note"], event.at] += 1
        elif kind == "order.given":
            self.orders[plan_id] = (detail["order"], detail["by"], event.at)
        elif kind == "order.withdrawn":
            self.orders.pop(plan_id, None)
        elif kind == "rate.set":
            is_free = detail["per_second"] is None
            told = (None, "", None) if is_free else (detail["per_second"], detail["by"], event.at)
            self.ceilings[detail["carrier"]] = told

    # --- holding the rows against it ------------------------------------------------------------------------------

    def problems(self, database: Database) -> Iterator[str]:
        """Yield the differences between the tables and the log, in words.

        A difference is a row that only the tables or only the log has, or that is not the same in both.
        """
        yield from checkable("the plans", self._of_plans(database))
        for what, table, name, told in (
            ("plans", plans, plans.c.plan_id, self.migrations),
            ("cutovers and rollbacks", switch_plans, switch_plans.c.switch_id, self.switches),
        ):
            yield from checkable(f"the order of {what}", self._of_order(database, table.c.made_no, name, told))
        yield from checkable("how far cutovers and rollbacks are", self._of_switch_states(database))
        yield from checkable("approvals", self._of_approvals(database))
        yield from checkable("orders", self._of_orders(database))
        yield from checkable("rates", self._of_rates(database))
        yield from checkable("the rest of waves", self._of_gates(database))
        yield from checkable("runs", self._of_runs(database, _RUNS, self.migrations, "run"))
        yield from checkable("switch runs", self._of_runs(database, _SWITCH_RUNS, self.switches, "switch run"))
        for what, check in (("the pairs", self._of_pairs), ("the inventory", self._of_inventory)):
            yield from checkable(what, check(database))

    def _is_older(self, at: float | None, plan_id: str | None) -> bool:
        """True if a row is older than the log.

        Such a row may have no event.
        """
        if plan_id in self.migrations.made or not isinstance(at, float):
            return False
        return not isinstance(self.first_at, float) or at < self.first_at

    def _of_plans(self, database: Database) -> Iterator[str]:
        missing = set(self.migrations.made)
        for row in database.rows(_PLANS):
            missing.discard(row.plan_id)
            yield from guarded(f"plan {row.plan_id}", partial(self._of_plan, row))
            short = database.rows(_SHORT_KEYS, plan_no=row.plan_no)
            if lies := row.lies + sum(_key_of(one.target) != one.target_key for one in short):
                yield f"plan {row.plan_id} is not what was made: {lies} SIMs have another action, wave or target"
        yield from (f"plan {plan_id} is in the log, and not in the store" for plan_id in sorted(missing))

    def _of_plan(self, row: AnyRow) -> Iterator[str]:
        made = self.migrations.made.get(row.plan_id)
        if made is None:
            if not self._is_older(row.created_at, row.plan_id):
                yield f"plan {row.plan_id} is in the store, and the log does not know it"
        elif made.get("plan_sha256") not in {None, plan_digest(row.header, row.policy_text, row.policy_json)}:
            yield f"plan {row.plan_id} is not what was made: its header or policy was changed"
        elif (words := course_problem(row._asdict(), self.migrations.courses[row.plan_id])) is not None:
            yield f"plan {row.plan_id} {words}"

    @staticmethod
    def _of_order(
        database: Database, made_no: ColumnElement[int], name: ColumnElement[Any], told: Replayed
    ) -> Iterator[str]:
        rows = database.rows(select(name.label("plan_id"), made_no.label("made_no")).where(name.is_not(None)))
        words = order_problem({row.plan_id: row.made_no for row in rows}, told)
        yield from [] if words is None else [words]

    def _of_switch_states(self, database: Database) -> Iterator[str]:
        for row in database.rows(select(switch_plans).order_by(switch_plans.c.switch_no)):
            told = self.switches.courses.get(row.switch_id)
            if told is not None and (words := course_problem(row._asdict(), told)) is not None:
                yield f"plan {row.switch_id} {words}"

    def _of_approvals(self, database: Database) -> Iterator[str]:
        told = self.approved.copy()
        for row in database.rows(_APPROVALS):
            one = (row.plan_id, row.approved_by, row.changes_sha256, row.note, row.approved_at)
            if told[one]:
                told[one] -= 1
            elif not self._is_older(row.approved_at, row.plan_id):
                yield f"plan {row.plan_id}: an approval by {row.approved_by} is in the store, and not in the log"
        for (plan_id, by, *_), times in told.items():
            if times:
                yield f"plan {plan_id}: an approval by {by} is in the log, and not in the store"

    def _of_orders(self, database: Database) -> Iterator[str]:
        told = dict(self.orders)
        for row in database.rows(_ORDERS):
            given = told.pop(row.plan_id, None)
            if given != (row.kind, row.given_by, row.given_at) and not self._is_older(row.given_at, row.plan_id):
                yield f"plan {row.plan_id}: the order to {row.kind} is not what the log tells"
        yield from (f"plan {plan_id}: an order to {kind} is in the log alone" for plan_id, (kind, *_) in told.items())

    def _of_rates(self, database: Database) -> Iterator[str]:
        told = dict(self.ceilings)
        for row in database.rows(select(rates)):
            is_older = row.carrier not in told and self._is_older(row.ceiling_at, None)
            set_to = told.pop(row.carrier, (None, "", None))
            if set_to != (row.ceiling, row.ceiling_by, row.ceiling_at) and not is_older:
                yield f"the most requests per second at {row.carrier} are not what the log tells"
        yield from (f"the rate of {carrier} is in the log alone" for carrier, (rate, *_) in told.items() if rate)

    def _of_gates(self, database: Database) -> Iterator[str]:
        told = dict(self.migrations.gates)
        for row in database.rows(_GATES):
            at = told.pop((row.plan_id, row.wave), None)
            is_told = at is not None or "steps_sha256" in self.migrations.made.get(
                row.plan_id, {}
            )  # as gates since then
            if at != row.reached_at and is_told:
                yield f"plan {row.plan_id}: wave {row.wave} rests since another time by the log"
        yield from (f"plan {plan_id}: the rest of wave {wave} is in the log alone" for plan_id, wave in told)

    def _of_runs(self, database: Database, wanted: Select[Any], told: Replayed, name: str) -> Iterator[str]:
        missing = set(told.runs)
        for row in database.rows(wanted):
            missing.discard(row.run_id)
            ran = told.runs.get(row.run_id)
            if ran is None:
                if not self._is_older(row.started_at, row.plan_id):
                    yield f"{name} {row.run_id} is in the journal, and the log does not know it"
            elif ran.plan_id != row.told_id:
                yield f"{name} {row.run_id} is one of plan {row.told_id}, and otherwise in the log"
            elif (words := run_problem(row._asdict(), ran)) is not None:
                yield f"{name} {row.run_id} {words}"
        yield from (f"{name} {run_id} is in the log, and not in the journal" for run_id in sorted(missing))

    def _of_pairs(self, database: Database) -> Iterator[str]:
        with database.read() as connection:
            if self.pairs is not None and fingerprint_of_pairs(connection) != self.pairs:
                yield "the pairs are not what the log tells"

    def _of_inventory(self, database: Database) -> Iterator[str]:
        if self.inventory is None:
            return
        snapshot_id, told = self.inventory
        with database.read() as connection:
            is_there = connection.scalar(select(func.count()).where(snapshots.c.snapshot_id == snapshot_id))
            if not is_there or fingerprint(connection, snapshot_id) != told:
                yield "the inventory is not what the log tells"


def _key_of(iccid: str) -> str | None:
    try:
        return Iccid.parse(iccid).key
    except ValueError:
        return None
