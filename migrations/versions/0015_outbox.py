"""Notices with their deliveries, and the reference of a run or approval.

Revision: 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and the columns, which are empty until somebody is told or refers to something."""
    op.create_table(
        "notices",
        sa.Column("notice_no", sa.Integer(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("plan_id", sa.Text()),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("notice_no", name="pk_notices"),
        sa.UniqueConstraint("key", name="uq_notices_key"),
    )
    op.create_table(
        "deliveries",
        sa.Column("notice_no", sa.Integer(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.Column("delivered_at", sa.Float()),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["notice_no"], ["notices.notice_no"], name="fk_deliveries_notice_no"),
        sa.PrimaryKeyConstraint("notice_no", "receiver", name="pk_deliveries"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_deliveries_open", "deliveries", ["next_at"], sqlite_where=sa.text("state IN ('waiting', 'sending')")
    )
    for table in ("runs", "approvals"):
        op.add_column(table, sa.Column("ref", sa.Text(), nullable=False, server_default=""))
