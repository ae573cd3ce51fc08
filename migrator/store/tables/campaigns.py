"""Tables of campaigns: standing approvals, ticks, and sightings.

`store.tables.fleet` explains the form of keys, times and JSON.
"""

from sqlalchemy import Column, Float, ForeignKey, Index, Table

from migrator.store.tables.fleet import metadata
from migrator.store.tables.types import Integer, Text, filled_with_user

__all__ = ["campaign_approvals", "campaigns", "claim_retries", "first_lives", "shipped_cards", "ticks"]

campaigns = Table(  # at most one is not ended; failures before event budget_since_no do not count any more
    "campaigns",
    metadata,
    Column("campaign_no", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("policy_file", Text, nullable=False),
    Column("policy_text", Text, nullable=False),
    Column("policy_json", Text, nullable=False),
    Column("policy_sha256", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("org_id", Integer),
    Column("created_at", Float, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("approved_at", Float),
    Column("ended_at", Float),
    Column("budget_since", Float, nullable=False, server_default="0"),
    Column("budget_since_no", Integer, nullable=False, server_default="0"),
)
campaign_approvals = Table(  # who approved a campaign, and the hash of the policy that they saw; only ever added to
    "campaign_approvals",
    metadata,
    Column("approval_id", Integer, primary_key=True),
    Column("campaign_no", ForeignKey(campaigns.c.campaign_no), nullable=False, index=True),
    Column("approved_by", Text, nullable=False),
    Column("approved_at", Float, nullable=False),
    Column("policy_sha256", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("db_user", Text),
)
filled_with_user(campaign_approvals, "db_user")

ticks = Table(  # one row per `campaign run --once`; a row without an end: it was killed
    "ticks",
    metadata,
    Column("tick_no", Integer, primary_key=True),
    Column("campaign_no", ForeignKey(campaigns.c.campaign_no), nullable=False, index=True),
    Column("began_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("exit_code", Integer),
    Column("reason", Text, nullable=False),
    Column("told", Text, nullable=False),
)

shipped_cards = Table(  # cards that were sent to the field, by the lists of shipments
    "shipped_cards",
    metadata,
    Column("key", Text, primary_key=True),
    Column("iccid", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("noted_at", Float, nullable=False),
    sqlite_with_rowid=False,
)

first_lives = Table(  # since when a claimed card lives in each hardware; its return to one begins anew
    "first_lives",
    metadata,
    Column("target_key", Text, primary_key=True),
    Column("imei", Text, primary_key=True),
    Column("seen_at", Float, nullable=False),
    Column("session_at", Text),
    sqlite_with_rowid=False,
)
Index("ix_first_lives_seen_at", first_lives.c.seen_at)

claim_retries = Table(  # old SIMs whose refused claim a person lets go again, and when
    "claim_retries",
    metadata,
    Column("source_key", Text, primary_key=True),
    Column("asked_at", Float, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_no", Integer, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)
