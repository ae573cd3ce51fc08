"""One journal for every kind of plan: cutovers and rollbacks move into the tables of migrations.

Revision: 0010, after 0009.

Their plans, runs and requests get numbers behind those of the migrations: one offset each. The log names the former
numbers and is never rewritten, so an event of its own tells the offsets.
"""

import json

import sqlalchemy as sa
from alembic import context, op

from migrator.core.audit.chain import GENESIS, digest_of
from migrator.core.fleet.identifiers import Iccid
from migrator.store.tables.types import Integer, Text, only_where

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LAST = 2**62
UNSET = LAST + 1
"""What sorts a SIM without limits, as `store.plans.draft` has it."""

FORMER = ("switch_steps", "switch_requests", "switch_runs", "switch_items", "switch_plans")
PAGE = 1000


def upgrade() -> None:
    """Add what the tables of migrations lack, move the rows, and drop the former tables."""
    text, number = (one.compile(op.get_bind().dialect) for one in (Text, Integer))
    op.execute(f"ALTER TABLE plans ADD COLUMN kind {text} NOT NULL DEFAULT 'migrate'")
    op.execute(
        f"ALTER TABLE plans ADD COLUMN of_plan_no {number} CONSTRAINT fk_plans_of_plan_no REFERENCES plans (plan_no)"
    )
    op.create_index("ix_plans_of_plan_no", "plans", ["of_plan_no"])
    op.add_column("changes", sa.Column("position", Integer))
    op.add_column("steps", sa.Column("before", Text))
    connection = op.get_bind()
    if connection.scalar(sa.text("SELECT count(*) FROM switch_plans")):
        offsets = {
            "plan_no": _highest(connection, "plans", "plan_no"),
            "run_id": _highest(connection, "runs", "run_id"),
            "request_id": _highest(connection, "requests", "request_id"),
        }
        _move(connection, offsets, _highest(connection, "plans", "made_no"))
        _tell(connection, offsets)
    op.create_index(
        "ix_changes_position",
        "changes",
        ["plan_no", "position"],
        unique=True,
        **only_where("position IS NOT NULL"),
    )
    for table in FORMER:
        op.drop_table(table)


def _highest(connection: sa.Connection, table: str, column: str) -> int:
    return int(connection.scalar(sa.text(f"SELECT COALESCE(MAX({column}), 0) FROM {table}")) or 0)  # noqa: S608 - our own


def _move(connection: sa.Connection, offsets: dict[str, int], made_no: int) -> None:
    values = offsets | {"made_no": made_no}
    for statement in (
        (
            "INSERT INTO plans (plan_no, plan_id, made_no, state, header, policy_text, policy_json, created_at, "
            "started_at, finished_at, kind, of_plan_no) SELECT switch_no + :plan_no, switch_id, made_no + :made_no, "
            "state, header, '', '{}', created_at, started_at, finished_at, direction, plan_no FROM switch_plans"
        ),
        (
            "INSERT INTO runs (run_id, plan_no, state, owner, started_at, ended_at, exit_code, reason) "
            "SELECT run_id + :run_id, switch_no + :plan_no, state, owner, started_at, ended_at, exit_code, reason "
            "FROM switch_runs"
        ),
        (
            "INSERT INTO requests (request_id, plan_no, run_id, kind, method, path, body, sims, intent_at, outcome, "
            "outcome_at, status, job_id, message) SELECT request_id + :request_id, switch_no + :plan_no, "
            "run_id + :run_id, kind, method, path, body, sims, intent_at, outcome, outcome_at, status, job_id, message "
            "FROM switch_requests"
        ),
    ):
        connection.execute(sa.text(statement), _of(statement, values))
    _move_sims(connection, offsets["plan_no"])
    steps = (
        "INSERT INTO steps (plan_no, source_key, kind, state, attempts, since, not_before, code, message, before) "
        "SELECT switch_no + :plan_no, source_key, kind, state, attempts, since, 0, code, message, before "
        "FROM switch_steps"
    )
    connection.execute(sa.text(steps), _of(steps, values))
    last = (
        "INSERT INTO request_items (plan_no, source_key, request_id) SELECT switch_no + :plan_no, source_key, "
        "request_id + :request_id FROM switch_steps WHERE request_id IS NOT NULL ON CONFLICT DO NOTHING"
    )
    connection.execute(sa.text(last), _of(last, values))
    _move_items(connection, offsets)


def _of(statement: str, values: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in values.items() if f":{name}" in statement}


def _move_sims(connection: sa.Connection, offset: int) -> None:
    """Move the SIMs of the plans: what their lines tell stands in columns, too."""
    page = sa.text(
        "SELECT switch_no, source_key, position, action, wave, document FROM switch_items "
        "WHERE (switch_no, source_key) > (:plan, :key) ORDER BY switch_no, source_key LIMIT :most"
    )
    put = sa.text(
        "INSERT INTO changes (plan_no, source_key, source_iccid, target_key, action, reason, wave, overage_order, "
        "sms_order, document, position) VALUES (:plan_no, :source_key, :source_iccid, :target_key, :action, :reason, "
        ":wave, :unset, :unset, :document, :position)"
    )
    plan, key = 0, ""
    while rows := connection.execute(page, {"plan": plan, "key": key, "most": PAGE}).all():
        connection.execute(put, [_sim(row, offset) for row in rows])
        plan, key = rows[-1].switch_no, rows[-1].source_key


def _sim(row: sa.Row[tuple[object, ...]], offset: int) -> dict[str, object]:
    """Return the row of a SIM. A line that somebody edited is kept as it is, for `audit verify` to find."""
    told = _document(row.document)
    target = told.get("target_iccid")
    return {
        "plan_no": row.switch_no + offset,
        "source_key": row.source_key,
        "source_iccid": str(told.get("source_iccid", row.source_key)),
        "target_key": _key(target) if isinstance(target, str) else None,
        "action": row.action,
        "reason": str(told.get("reason", "")),
        "wave": row.wave,
        "unset": UNSET,
        "document": row.document,
        "position": row.position,
    }


def _document(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _key(digits: str) -> str | None:
    try:
        return Iccid.parse(digits).key
    except ValueError:
        return None


def _move_items(connection: sa.Connection, offsets: dict[str, int]) -> None:
    """Note the SIMs that the bodies of older requests name: a step named its last request alone."""
    page = sa.text(
        "SELECT request_id, switch_no, body FROM switch_requests WHERE request_id > :after AND kind = 'source' "
        "ORDER BY request_id LIMIT :most"
    )
    put = sa.text(
        "INSERT INTO request_items (plan_no, source_key, request_id) SELECT :plan_no, source_key, :request_id "
        "FROM changes WHERE plan_no = :plan_no AND source_key = :key ON CONFLICT DO NOTHING"
    )
    after = 0
    while rows := connection.execute(page, {"after": after, "most": PAGE}).all():
        named = [
            {
                "plan_no": row.switch_no + offsets["plan_no"],
                "request_id": row.request_id + offsets["request_id"],
                "key": key,
            }
            for row in rows
            for key in _named(row.body)
        ]
        if named:
            connection.execute(put, named)
        after = rows[-1].request_id


def _named(body: str) -> list[str]:
    """Return the keys of the SIMs that an order to the source names."""
    try:
        told = json.loads(body)
    except ValueError:
        return []
    orders = told if isinstance(told, list) else [told]
    digits = [order["iccid"] for order in orders if isinstance(order, dict) and isinstance(order.get("iccid"), str)]
    return [key for one in digits if (key := _key(one)) is not None]


def _tell(connection: sa.Connection, offsets: dict[str, int]) -> None:
    """Add an event that tells the offsets to the log.

    Of events before it, the numbers of `switch.*` are the former ones.
    """
    last = connection.execute(sa.text("SELECT seq, digest FROM events ORDER BY seq DESC LIMIT 1")).one_or_none()
    seq, before = (1, GENESIS) if last is None else (last.seq + 1, last.digest)
    event = {
        "seq": seq,
        "at": context.config.attributes["now"],
        "kind": "journals.joined",
        "plan_id": None,
        "detail": {"added_to_switch_numbers": offsets},
    }
    put = sa.text(
        "INSERT INTO events (seq, at, kind, plan_id, detail, digest) VALUES (:seq, :at, :kind, :plan_id, :detail, "
        ":digest)"
    )
    detail = json.dumps(event["detail"], sort_keys=True, separators=(",", ":"))
    connection.execute(put, event | {"detail": detail, "digest": digest_of(before, event)})
