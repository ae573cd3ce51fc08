"""Accounts, workers, and who did what.

Revision: 0001, the first one.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Integer, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'events are added, never changed' USING ERRCODE = 'insufficient_privilege'; END $$
"""


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "meta",
        sa.Column("name", Text, nullable=False),
        sa.Column("value", Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
    )
    op.create_table(
        "accounts",
        sa.Column("name", Text, nullable=False),
        sa.Column("carrier", Text, nullable=False),
        sa.Column("customer", Text, nullable=False),
        sa.Column("organization", Integer),
        sa.Column("state", Text, nullable=False),
        sa.Column("due_at", sa.Float()),
        sa.Column("words", Text, nullable=False),
        sa.Column("is_held", sa.Boolean(), nullable=False),
        sa.Column("order_json", Text),
        sa.Column("is_woken", sa.Boolean(), nullable=False),
        sa.Column("crashes", Integer, nullable=False),
        sa.Column("is_untold", sa.Boolean(), nullable=False),
        sa.Column("every_s", sa.Float(), nullable=False),
        sa.Column("worker", Text),
        sa.Column("since", sa.Float()),
        sa.Column("last_worker", Text),
        sa.Column("ended_at", sa.Float()),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.Column("added_by", Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_accounts"),
    )
    op.create_table(
        "workers",
        sa.Column("name", Text, nullable=False),
        sa.Column("host", Text, nullable=False),
        sa.Column("version", Text, nullable=False),
        sa.Column("slots", Integer, nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("serves", Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
    )
    op.create_table(
        "events",
        sa.Column("event_no", Integer, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("account", Text, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("by_whom", Text, nullable=False),
        sa.Column("db_user", Text, nullable=False, server_default=sa.text("SESSION_USER")),
        sa.Column("words", Text, nullable=False),
        sa.PrimaryKeyConstraint("event_no", name="pk_events"),
    )
    op.create_index("ix_events_account", "events", ["account", "event_no"])
    op.execute(APPEND_ONLY)
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events EXECUTE FUNCTION refuse_change()"
    )
