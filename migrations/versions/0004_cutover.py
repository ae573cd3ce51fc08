"""Cutover and rollback plans with their journal.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Integer, Text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables."""
    op.create_table(
        "switch_plans",
        sa.Column("switch_no", Integer, nullable=False),
        sa.Column("switch_id", Text, nullable=False),
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("made_no", Integer, nullable=False),
        sa.Column("direction", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("header", Text, nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float()),
        sa.Column("finished_at", sa.Float()),
        sa.ForeignKeyConstraint(["plan_no"], ["plans.plan_no"], name="fk_switch_plans_plan_no"),
        sa.PrimaryKeyConstraint("switch_no", name="pk_switch_plans"),
        sa.UniqueConstraint("switch_id", name="uq_switch_plans_switch_id"),
    )
    op.create_index("ix_switch_plans_plan_no", "switch_plans", ["plan_no"])
    op.create_table(
        "switch_items",
        sa.Column("switch_no", Integer, nullable=False),
        sa.Column("source_key", Text, nullable=False),
        sa.Column("position", Integer, nullable=False),
        sa.Column("action", Text, nullable=False),
        sa.Column("wave", Text),
        sa.Column("document", Text, nullable=False),
        sa.ForeignKeyConstraint(["switch_no"], ["switch_plans.switch_no"], name="fk_switch_items_switch_no"),
        sa.PrimaryKeyConstraint("switch_no", "source_key", name="pk_switch_items"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_switch_items_order", "switch_items", ["switch_no", "position"], unique=True)
    op.create_table(
        "switch_runs",
        sa.Column("run_id", Integer, nullable=False),
        sa.Column("switch_no", Integer, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("owner", Text, nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float()),
        sa.Column("exit_code", Integer),
        sa.Column("reason", Text, nullable=False),
        sa.ForeignKeyConstraint(["switch_no"], ["switch_plans.switch_no"], name="fk_switch_runs_switch_no"),
        sa.PrimaryKeyConstraint("run_id", name="pk_switch_runs"),
    )
    op.create_index("ix_switch_runs_switch_no", "switch_runs", ["switch_no"])
    op.create_table(
        "switch_requests",
        sa.Column("request_id", Integer, nullable=False),
        sa.Column("switch_no", Integer, nullable=False),
        sa.Column("run_id", Integer, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("method", Text, nullable=False),
        sa.Column("path", Text, nullable=False),
        sa.Column("body", Text, nullable=False),
        sa.Column("sims", Integer, nullable=False),
        sa.Column("intent_at", sa.Float(), nullable=False),
        sa.Column("outcome", Text, nullable=False),
        sa.Column("outcome_at", sa.Float()),
        sa.Column("status", Integer),
        sa.Column("job_id", Text),
        sa.Column("message", Text, nullable=False),
        sa.ForeignKeyConstraint(["switch_no"], ["switch_plans.switch_no"], name="fk_switch_requests_switch_no"),
        sa.ForeignKeyConstraint(["run_id"], ["switch_runs.run_id"], name="fk_switch_requests_run_id"),
        sa.PrimaryKeyConstraint("request_id", name="pk_switch_requests"),
    )
    op.create_index("ix_switch_requests_switch_no", "switch_requests", ["switch_no"])
    op.create_index("ix_switch_requests_run_id", "switch_requests", ["run_id"])
    op.create_table(
        "switch_steps",
        sa.Column("switch_no", Integer, nullable=False),
        sa.Column("source_key", Text, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("attempts", Integer, nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("code", Text, nullable=False),
        sa.Column("message", Text, nullable=False),
        sa.Column("before", Text),
        sa.Column("request_id", Integer),
        sa.ForeignKeyConstraint(
            ["switch_no", "source_key"],
            ["switch_items.switch_no", "switch_items.source_key"],
            name="fk_switch_steps_switch_no",
        ),
        sa.ForeignKeyConstraint(["request_id"], ["switch_requests.request_id"], name="fk_switch_steps_request_id"),
        sa.PrimaryKeyConstraint("switch_no", "source_key", "kind", name="pk_switch_steps"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_switch_steps_key", "switch_steps", ["source_key", "kind"])
