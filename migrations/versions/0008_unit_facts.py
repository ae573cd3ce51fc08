"""Facts about the unit that an old SIM is in, as people in the field noted them.

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, which is empty until a file with such facts is imported."""
    op.create_table(
        "unit_facts",
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text()),
        sa.Column("imei", sa.Text()),
        sa.Column("site", sa.Text()),
        sa.Column("ticket", sa.Text()),
        sa.Column("scanned_at", sa.Float()),
        sa.Column("scanned_by", sa.Text()),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("noted_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source_key", name="pk_unit_facts"),
        sqlite_with_rowid=False,
    )
    for name in ("unit", "imei", "ticket"):
        op.create_index(f"ix_unit_facts_{name}", "unit_facts", [name])
