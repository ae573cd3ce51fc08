"""The hardware that each new SIM was last seen in, and what proof of life found.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that is empty until the SIM is read again, and the last proof of life of each SIM of a plan."""
    op.add_column("target_links", sa.Column("imei", sa.Text()))
    op.create_table(
        "proofs",
        sa.Column("plan_no", sa.Integer(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("proved_at", sa.Float(), nullable=False),
        sa.Column("life", sa.Text(), nullable=False),
        sa.Column("alive_at", sa.Float()),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("source_imei", sa.Text()),
        sa.Column("target_imei", sa.Text()),
        sa.Column("old", sa.Text()),
        sa.Column("old_used_on", sa.Text()),
        sa.Column("old_asked_at", sa.Float()),
        sa.ForeignKeyConstraint(["plan_no", "source_key"], ["changes.plan_no", "changes.source_key"]),
        sa.PrimaryKeyConstraint("plan_no", "source_key"),
        sqlite_with_rowid=False,
    )
