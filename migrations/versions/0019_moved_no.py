"""Event numbers of a step's last move, a resume and a retry.

Revision: 0019, after 0018.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Integer

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. 0 stands for what was before; its time gives the order."""
    op.add_column("steps", sa.Column("moved_no", Integer, nullable=False, server_default="0"))
    op.add_column("claim_retries", sa.Column("asked_no", Integer, nullable=False, server_default="0"))
    op.add_column("campaigns", sa.Column("budget_since_no", Integer, nullable=False, server_default="0"))
