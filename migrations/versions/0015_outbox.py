"""Notices with their deliveries, and the reference of a run or approval.

Revision: 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Integer, Text, only_where

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and the columns, which are empty until somebody is told or refers to something."""
    op.create_table(
        "notices",
        sa.Column("notice_no", Integer, nullable=False),
        sa.Column("event", Text, nullable=False),
        sa.Column("key", Text, nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("plan_id", Text),
        sa.Column("told", Text, nullable=False),
        sa.PrimaryKeyConstraint("notice_no", name="pk_notices"),
        sa.UniqueConstraint("key", name="uq_notices_key"),
    )
    op.create_table(
        "deliveries",
        sa.Column("notice_no", Integer, nullable=False),
        sa.Column("receiver", Text, nullable=False),
        sa.Column("document", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("tries", Integer, nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.Column("delivered_at", sa.Float()),
        sa.Column("last_error", Text, nullable=False),
        sa.ForeignKeyConstraint(["notice_no"], ["notices.notice_no"], name="fk_deliveries_notice_no"),
        sa.PrimaryKeyConstraint("notice_no", "receiver", name="pk_deliveries"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_deliveries_open", "deliveries", ["next_at"], **only_where("state IN ('waiting', 'sending')"))
    for table in ("runs", "approvals"):
        op.add_column(table, sa.Column("ref", Text, nullable=False, server_default=""))
