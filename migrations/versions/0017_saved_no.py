"""The order in which pages of a pass were saved, as a number of its own.

Revision: 0017, after 0016.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Integer

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the order from SQLite's own numbers of rows; no other database had a store before."""
    op.add_column("snapshot_pages", sa.Column("saved_no", Integer, nullable=False, server_default="0"))
    if op.get_bind().dialect.name == "sqlite":
        op.execute("UPDATE snapshot_pages SET saved_no = rowid")
    op.create_index(
        "ix_snapshot_pages_snapshot_id_pass_number_saved_no",
        "snapshot_pages",
        ["snapshot_id", "pass_number", "saved_no"],
    )
