"""Cards that are there before anybody knows their unit.

Revision: 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Text

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, which is empty until cards are imported."""
    op.create_table(
        "stock",
        sa.Column("key", Text, nullable=False),
        sa.Column("iccid", Text, nullable=False),
        sa.Column("origin", Text, nullable=False),
        sa.Column("noted_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_stock"),
        sqlite_with_rowid=False,
    )
