"""Cutover and rollback plans with their journal.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables."""
    op.create_table(
        "switch_plans",
        sa.Column("switch_no", sa.Integer(), nullable=False),
        sa.Column("switch_id", sa.Text(), nullable=False),
        sa.Column("plan_no", sa.Integer(), nullable=False),
        sa.Column("made_no", sa.Integer(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("header", sa.Text(), nullable=False),
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
        sa.Column("switch_no", sa.Integer(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("wave", sa.Text()),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["switch_no"], ["switch_plans.switch_no"], name="fk_switch_items_switch_no"),
        sa.PrimaryKeyConstraint("switch_no", "source_key", name="pk_switch_items"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_switch_items_order", "switch_items", ["switch_no", "position"], unique=True)
    op.create_table(
        "switch_runs",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("switch_no", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float()),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["switch_no"], ["switch_plans.switch_no"], name="fk_switch_runs_switch_no"),
        sa.PrimaryKeyConstraint("run_id", name="pk_switch_runs"),
    )
    op.create_index("ix_switch_runs_switch_no", "switch_runs", ["switch_no"])
    op.create_table(
        "switch_requests",
        sa.Column("request_id", sa.Integer(), nullable=False),
        sa.Column("switch_no", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sims", sa.Integer(), nullable=False),
        sa.Column("intent_at", sa.Float(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("outcome_at", sa.Float()),
        sa.Column("status", sa.Integer()),
        sa.Column("job_id", sa.Text()),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["switch_no"], ["switch_plans.switch_no"], name="fk_switch_requests_switch_no"),
        sa.ForeignKeyConstraint(["run_id"], ["switch_runs.run_id"], name="fk_switch_requests_run_id"),
        sa.PrimaryKeyConstraint("request_id", name="pk_switch_requests"),
    )
    op.create_index("ix_switch_requests_switch_no", "switch_requests", ["switch_no"])
    op.create_index("ix_switch_requests_run_id", "switch_requests", ["run_id"])
    op.create_table(
        "switch_steps",
        sa.Column("switch_no", sa.Integer(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("before", sa.Text()),
        sa.Column("request_id", sa.Integer()),
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
