"""The user of the database who approved, beside the typed name.

Revision: 0018, after 0017.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Text

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. PostgreSQL itself fills them from now on; a file knows no users."""
    for table in ("approvals", "campaign_approvals"):
        op.add_column(table, sa.Column("db_user", Text))
        if op.get_bind().dialect.name == "postgresql":
            op.alter_column(table, "db_user", server_default=sa.text("SESSION_USER"))
