"""Every IMEI of an old SIM, corrections of pairs, and answers about the use of old SIMs.

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Integer, Text

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

IN_FORCE = """
INSERT INTO source_imeis (source_key, imei, first_seen_at, last_seen_at)
SELECT sim.key, sim.imei, coalesce(taken.completed_at, taken.started_at), coalesce(taken.completed_at, taken.started_at)
FROM snapshots AS taken JOIN source_sims AS sim ON sim.snapshot_id = taken.snapshot_id
WHERE taken.state = 'in_force' AND sim.imei IS NOT NULL AND sim.imei != ''
ORDER BY sim.key
"""


def upgrade() -> None:
    """Add the tables; the history of IMEIs begins with the inventory in force."""
    op.create_table(
        "source_imeis",
        sa.Column("source_key", Text, nullable=False),
        sa.Column("imei", Text, nullable=False),
        sa.Column("first_seen_at", sa.Float(), nullable=False),
        sa.Column("last_seen_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source_key", "imei"),
        sqlite_with_rowid=False,
    )
    op.execute(IN_FORCE)
    op.create_table(
        "pair_versions",
        sa.Column("source_key", Text, nullable=False),
        sa.Column("version", Integer, nullable=False),
        sa.Column("source_iccid", Text, nullable=False),
        sa.Column("was_target_key", Text),
        sa.Column("was_target_iccid", Text),
        sa.Column("was_origin", Text),
        sa.Column("target_key", Text),
        sa.Column("target_iccid", Text),
        sa.Column("origin", Text, nullable=False),
        sa.Column("evidence", Text, nullable=False),
        sa.Column("reason", Text, nullable=False),
        sa.Column("corrected_by", Text, nullable=False),
        sa.Column("corrected_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source_key", "version"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_pair_versions_was", "pair_versions", ["was_target_key"])
    op.create_table(
        "old_uses",
        sa.Column("source_key", Text, nullable=False),
        sa.Column("asked_from", Text, nullable=False),
        sa.Column("asked_to", Text, nullable=False),
        sa.Column("used_on", Text),
        sa.Column("is_told", Integer, nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source_key"),
        sqlite_with_rowid=False,
    )
