"""The chip that a pair's target SIM is in, and the file that an imported inventory came from.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns that may be empty."""
    op.add_column("pairs", sa.Column("eid", Text))
    op.add_column("snapshots", sa.Column("origin", Text))
