"""Which plan each operator was shown last.

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, which is empty until somebody is shown a plan."""
    op.create_table(
        "looks",
        sa.Column("who", Text, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("named", Text, nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("who", "kind"),
        sqlite_with_rowid=False,
    )
