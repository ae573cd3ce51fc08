"""Tables of cutovers and rollbacks: plans, their SIMs, and their own journal.

`store.tables.fleet` explains the form of keys, times and JSON.
"""

from sqlalchemy import Column, Float, ForeignKey, ForeignKeyConstraint, Index, Integer, Table, Text

from migrator.store.tables.fleet import metadata
from migrator.store.tables.plans import plans

__all__ = ["switch_items", "switch_plans", "switch_requests", "switch_runs", "switch_steps"]

switch_plans = Table(  # never changes; only its state moves on, and the highest made_no is the newest
    "switch_plans",
    metadata,
    Column("switch_no", Integer, primary_key=True),
    Column("switch_id", Text, nullable=False, unique=True),
    Column("plan_no", ForeignKey(plans.c.plan_no), nullable=False, index=True),
    Column("made_no", Integer, nullable=False),
    Column("direction", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("header", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
)

switch_items = Table(  # one row per SIM, in the order of `position`
    "switch_items",
    metadata,
    Column("switch_no", ForeignKey(switch_plans.c.switch_no), primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("action", Text, nullable=False),
    Column("wave", Text),
    Column("document", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_switch_items_order", switch_items.c.switch_no, switch_items.c.position, unique=True)

switch_runs = Table(
    "switch_runs",
    metadata,
    Column("run_id", Integer, primary_key=True),
    Column("switch_no", ForeignKey(switch_plans.c.switch_no), nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("exit_code", Integer),
    Column("reason", Text, nullable=False),
)

switch_requests = Table(  # every request that was meant to change something; its body names its SIMs
    "switch_requests",
    metadata,
    Column("request_id", Integer, primary_key=True),
    Column("switch_no", ForeignKey(switch_plans.c.switch_no), nullable=False, index=True),
    Column("run_id", ForeignKey(switch_runs.c.run_id), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("sims", Integer, nullable=False),
    Column("intent_at", Float, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("outcome_at", Float),
    Column("status", Integer),
    Column("job_id", Text),
    Column("message", Text, nullable=False),
)

switch_steps = Table(  # a step without a row is PENDING; before is what was read ahead of its first order
    "switch_steps",
    metadata,
    Column("switch_no", Integer, primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("since", Float, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("before", Text),
    Column("request_id", ForeignKey(switch_requests.c.request_id)),
    ForeignKeyConstraint(["switch_no", "source_key"], [switch_items.c.switch_no, switch_items.c.source_key]),
    sqlite_with_rowid=False,
)
Index("ix_switch_steps_key", switch_steps.c.source_key, switch_steps.c.kind)
