"""The audit log: events that are only ever added, each with the hash of the one before.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Integer, Text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the log; requests that were sent before it have no event, so note which those are."""
    op.create_table(
        "events",
        sa.Column("seq", Integer, autoincrement=False, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("plan_id", Text),
        sa.Column("detail", Text, nullable=False),
        sa.Column("digest", Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_events"),
    )
    op.execute(
        "INSERT INTO meta (name, value) "
        "SELECT 'audited_after_switch_request', COALESCE(MAX(request_id), 0) FROM switch_requests"
    )
    op.execute(
        "INSERT INTO meta (name, value) SELECT 'audited_after_request', COALESCE(MAX(request_id), 0) FROM requests"
    )
