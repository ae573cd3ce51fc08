"""The hardware that each new SIM was last seen in.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that is empty until the SIM is read again."""
    op.add_column("target_links", sa.Column("imei", sa.Text()))
