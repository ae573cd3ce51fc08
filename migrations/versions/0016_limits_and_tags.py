"""Data limits and tags of old SIMs.

Revision: 0016, after 0015.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Text

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, which are empty until a source tells of limits and tags."""
    for name in ("data_limit_bytes", "data_limit_period", "tags"):
        op.add_column("source_sims", sa.Column(name, Text))
