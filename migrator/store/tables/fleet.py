"""Tables of the two fleets.

The tables of plans and their journal are in `store.tables.plans`. `migrations/` builds the same tables, and a test
compares the two.

SIMs are known by their canonical key (`Iccid.key`); the digits as they were given stand beside the key. Volumes are
text, so that a decimal keeps every digit. Times are UTC seconds. JSON is text in ASCII.
"""

from sqlalchemy import Column, Float, ForeignKey, Index, MetaData, Table

from migrator.store.tables.types import Integer, Text, only_where

__all__ = [
    "WITH_BLANKS",
    "account_limits",
    "meta",
    "metadata",
    "pairs",
    "snapshot_pages",
    "snapshots",
    "source_sims",
    "stock",
    "target_links",
    "unit_facts",
    "unreadable_rows",
]

WITH_BLANKS = only_where("instr(imei, ' ') > 0", "strpos(imei, ' ') > 0")
"""Condition of a partial index.

A query must repeat it to the letter: `store.database.sql.has_blanks`.
"""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

meta = Table(  # facts about this store: lineage, created_at
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# --- the source fleet ---------------------------------------------------------------------------------------------

snapshots = Table(  # one row per reading of the source fleet that was begun; the row stays without its SIMs
    "snapshots",
    metadata,
    Column("snapshot_id", Integer, primary_key=True),
    Column("api_version", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("passes", Integer, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("completed_at", Float),
    Column("sims", Integer),
    Column("unreadable", Integer),
    Column("fingerprint", Text),
    Column("origin", Text),  # the file of an import; NULL for a pull
)
Index(  # at most one is open, and at most one is in force
    "ix_snapshots_one_of_a_kind",
    snapshots.c.state,
    unique=True,
    **only_where("state IN ('open', 'in_force')"),
)

snapshot_pages = Table(  # one row per page that a pass has on disk; saved_no is the order of saving
    "snapshot_pages",
    metadata,
    Column("snapshot_id", ForeignKey(snapshots.c.snapshot_id), primary_key=True),
    Column("pass_number", Integer, primary_key=True),
    Column("page", Integer, primary_key=True),
    Column("total_sims", Integer),
    Column("total_pages", Integer),
    Column("saved_at", Float, nullable=False),
    Column("saved_no", Integer, nullable=False, server_default="0"),
)
Index(None, snapshot_pages.c.snapshot_id, snapshot_pages.c.pass_number, snapshot_pages.c.saved_no)

source_sims = Table(  # one row per SIM and snapshot; last_pass and prior_pass are the last two that listed it
    "source_sims",
    metadata,
    Column("snapshot_id", ForeignKey(snapshots.c.snapshot_id), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("iccid", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("status_word", Text, nullable=False),
    Column("label", Text),
    Column("imsi", Text),
    Column("msisdn", Text),
    Column("imei", Text),
    Column("imei_lock", Integer),
    Column("ip_address", Text),
    Column("activated_at", Text),
    Column("data_quota_mb", Text),
    Column("sms_quota", Text),
    Column("data_reading", Text, nullable=False),
    Column("data_remaining_mb", Text),
    Column("sms_reading", Text, nullable=False),
    Column("sms_remaining", Text),
    Column("expires_at", Text),
    Column("last_pass", Integer, nullable=False),
    Column("prior_pass", Integer, nullable=False),
    Column("raw", Text, nullable=False),
    Column("data_raw", Text),
    Column("sms_raw", Text),
    Column("data_limit_bytes", Text),
    Column("data_limit_period", Text),  # our word for it, else the carrier's
    Column("tags", Text),  # a list; NULL where the carrier told none of it
)
Index(  # what is still to be asked for
    "ix_source_sims_without_reading",
    source_sims.c.snapshot_id,
    source_sims.c.key,
    **only_where("data_reading = 'not_read' AND sms_reading = 'not_read'"),
)
Index(None, source_sims.c.imsi, source_sims.c.snapshot_id)  # with the snapshot, or SQLite goes through all of it
Index(None, source_sims.c.msisdn, source_sims.c.snapshot_id)
Index(None, source_sims.c.label, source_sims.c.snapshot_id)

unreadable_rows = Table(  # listed, but not as a SIM that we can read
    "unreadable_rows",
    metadata,
    Column("snapshot_id", ForeignKey(snapshots.c.snapshot_id), primary_key=True),
    Column("pass_number", Integer, primary_key=True),
    Column("page", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("problem", Text, nullable=False),
    Column("raw", Text, nullable=False),
)

account_limits = Table(  # one row: the account's monthly caps
    "account_limits",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("data_mb", Text),
    Column("sms_mo", Text),
)

# --- what it becomes ----------------------------------------------------------------------------------------------

pairs = Table(
    "pairs",
    metadata,
    Column("source_key", Text, primary_key=True),
    Column("source_iccid", Text, nullable=False),
    Column("target_key", Text, nullable=False, unique=True),
    Column("target_iccid", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("paired_at", Float, nullable=False),
    Column("eid", Text),
)

unit_facts = Table(  # what people noted of the unit that an old SIM is in; the pair may change, the unit stays
    "unit_facts",
    metadata,
    Column("source_key", Text, primary_key=True),
    Column("unit", Text, index=True),
    Column("imei", Text, index=True),
    Column("site", Text),
    Column("ticket", Text, index=True),
    Column("scanned_at", Float),
    Column("scanned_by", Text),
    Column("origin", Text, nullable=False),
    Column("noted_at", Float, nullable=False),
    sqlite_with_rowid=False,
)
Index(
    "ix_unit_facts_imei_with_blanks",
    unit_facts.c.imei,
    **WITH_BLANKS,
)

target_links = Table(  # the latest look at each target SIM; present 0: looked for and not seen
    "target_links",
    metadata,
    Column("key", Text, primary_key=True),
    Column("iccid", Text, nullable=False),
    Column("present", Integer, nullable=False),
    Column("org_id", Integer),
    Column("device_id", Integer, index=True),
    Column("link_id", Integer),
    Column("state", Text),
    Column("state_word", Text),
    Column("name", Text, index=True),
    Column("overage_limit_bytes", Integer),
    Column("sms_limit", Integer),
    Column("data_plan_id", Integer),
    Column("zone", Text),
    Column("tags", Text),
    Column("claimed_at", Text),
    Column("last_connected_at", Text),
    Column("other_iccids", Text),
    Column("raw", Text),
    Column("read_at", Float, nullable=False),
    Column("imei", Text, index=True),
)
Index(
    "ix_target_links_imei_with_blanks",
    target_links.c.imei,
    **WITH_BLANKS,
)

stock = Table(  # cards that may be claimed before anybody knows their unit
    "stock",
    metadata,
    Column("key", Text, primary_key=True),
    Column("iccid", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("noted_at", Float, nullable=False),
    sqlite_with_rowid=False,
)
