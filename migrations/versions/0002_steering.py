"""Steering of runs, what the pacers learned, gates that rest, and approvals.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Integer, Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables."""
    op.create_table(
        "approvals",
        sa.Column("approval_id", Integer, nullable=False),
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("approved_by", Text, nullable=False),
        sa.Column("approved_at", sa.Float(), nullable=False),
        sa.Column("changes_sha256", Text, nullable=False),
        sa.Column("note", Text, nullable=False),
        sa.ForeignKeyConstraint(["plan_no"], ["plans.plan_no"], name="fk_approvals_plan_no"),
        sa.PrimaryKeyConstraint("approval_id", name="pk_approvals"),
    )
    op.create_index("ix_approvals_plan_no", "approvals", ["plan_no"])
    op.create_table(
        "orders",
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("given_by", Text, nullable=False),
        sa.Column("given_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["plan_no"], ["plans.plan_no"], name="fk_orders_plan_no"),
        sa.PrimaryKeyConstraint("plan_no", name="pk_orders"),
    )
    op.create_table(
        "rates",
        sa.Column("carrier", Text, nullable=False),
        sa.Column("ceiling", sa.Float()),
        sa.Column("ceiling_by", Text, nullable=False),
        sa.Column("ceiling_at", sa.Float()),
        sa.Column("learned", Text),
        sa.Column("learned_at", sa.Float()),
        sa.PrimaryKeyConstraint("carrier", name="pk_rates"),
    )
    op.create_table(
        "wave_gates",
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("wave", Text, nullable=False),
        sa.Column("reached_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["plan_no"], ["plans.plan_no"], name="fk_wave_gates_plan_no"),
        sa.PrimaryKeyConstraint("plan_no", "wave", name="pk_wave_gates"),
    )
