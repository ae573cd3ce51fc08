"""Facts about the unit that an old SIM is in, as people in the field noted them.

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, which is empty until a file with such facts is imported."""
    op.create_table(
        "unit_facts",
        sa.Column("source_key", Text, nullable=False),
        sa.Column("unit", Text),
        sa.Column("imei", Text),
        sa.Column("site", Text),
        sa.Column("ticket", Text),
        sa.Column("scanned_at", sa.Float()),
        sa.Column("scanned_by", Text),
        sa.Column("origin", Text, nullable=False),
        sa.Column("noted_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source_key", name="pk_unit_facts"),
        sqlite_with_rowid=False,
    )
    for name in ("unit", "imei", "ticket"):
        op.create_index(f"ix_unit_facts_{name}", "unit_facts", [name])
