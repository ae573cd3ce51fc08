"""The hardware that each new SIM was last seen in, and what proof of life found.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Integer, Text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that is empty until the SIM is read again, and the last proof of life of each SIM of a plan."""
    op.add_column("target_links", sa.Column("imei", Text))
    op.create_table(
        "proofs",
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("source_key", Text, nullable=False),
        sa.Column("proved_at", sa.Float(), nullable=False),
        sa.Column("life", Text, nullable=False),
        sa.Column("alive_at", sa.Float()),
        sa.Column("unit", Text, nullable=False),
        sa.Column("source_imei", Text),
        sa.Column("target_imei", Text),
        sa.Column("old", Text),
        sa.Column("old_used_on", Text),
        sa.Column("old_asked_at", sa.Float()),
        sa.ForeignKeyConstraint(["plan_no", "source_key"], ["changes.plan_no", "changes.source_key"]),
        sa.PrimaryKeyConstraint("plan_no", "source_key"),
        sqlite_with_rowid=False,
    )
