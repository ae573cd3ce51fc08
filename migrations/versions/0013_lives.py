"""First sign of life, first look at each old SIM, and plans by SIM.

Revision: 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Integer, Text

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OLDEST_THERE_IS = """
INSERT INTO baselines (source_key, status, label, imei, seen_at, is_first)
SELECT sim.key, sim.status, sim.label, coalesce(
    (SELECT seen.imei FROM source_imeis AS seen WHERE seen.source_key = sim.key
     ORDER BY seen.first_seen_at, seen.imei LIMIT 1), nullif(sim.imei, '')),
    coalesce(taken.completed_at, taken.started_at), 0
FROM snapshots AS taken JOIN source_sims AS sim ON sim.snapshot_id = taken.snapshot_id
WHERE taken.state = 'in_force' ORDER BY sim.key
"""


def upgrade() -> None:
    """Add them; what nobody kept is taken from the oldest that is there, and marked as not the first look."""
    op.add_column("proofs", sa.Column("first_alive_at", sa.Float()))
    op.execute("UPDATE proofs SET first_alive_at = alive_at")
    op.create_index("ix_changes_of_sim", "changes", ["source_key", "plan_no", "action", "reason"])
    op.create_table(
        "baselines",
        sa.Column("source_key", Text, nullable=False),
        sa.Column("status", Text, nullable=False),
        sa.Column("label", Text),
        sa.Column("imei", Text),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("is_first", Integer, nullable=False),
        sa.PrimaryKeyConstraint("source_key", name="pk_baselines"),
        sqlite_with_rowid=False,
    )
    op.execute(OLDEST_THERE_IS)
