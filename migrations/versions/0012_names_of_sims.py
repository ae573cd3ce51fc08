"""Indexes of what a SIM is known by, and of a run's requests.

Revision: 0012, after 0011.
"""

from alembic import op

from migrator.store.tables.types import only_where

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INDEXES = (
    ("source_sims", ("imsi", "snapshot_id")),
    ("source_sims", ("msisdn", "snapshot_id")),
    ("source_sims", ("label", "snapshot_id")),
    ("source_imeis", ("imei",)),
    ("target_links", ("device_id",)),
    ("target_links", ("imei",)),
    ("target_links", ("name",)),
    ("requests", ("run_id",)),
)


def upgrade() -> None:
    """Add the indexes; those of IMEIs with blanks are small."""
    for table, columns in INDEXES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
    for table in ("source_imeis", "target_links", "unit_facts"):
        with_blanks = only_where("instr(imei, ' ') > 0", "strpos(imei, ' ') > 0")
        op.create_index(f"ix_{table}_imei_with_blanks", table, ["imei"], **with_blanks)
