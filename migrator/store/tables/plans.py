"""Tables of plans of every kind, and of their one journal.

`store.tables.fleet` explains the form of keys, times and JSON.
"""

from sqlalchemy import Column, Float, ForeignKey, ForeignKeyConstraint, Index, Table

from migrator.store.tables.fleet import metadata
from migrator.store.tables.types import Integer, Text, filled_with_user, only_where

__all__ = [
    "approvals",
    "changes",
    "events",
    "lease",
    "left_out",
    "looks",
    "orders",
    "plans",
    "rates",
    "request_items",
    "requests",
    "runs",
    "steps",
    "verifications",
    "wave_gates",
]

# --- plans --------------------------------------------------------------------------------------------------------

plans = Table(  # plan_id is NULL while a plan is being made; of a kind, the highest made_no is the newest
    "plans",
    metadata,
    Column("plan_no", Integer, primary_key=True),
    Column("plan_id", Text, unique=True),
    Column("made_no", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("header", Text, nullable=False),
    Column("policy_text", Text, nullable=False),
    Column("policy_json", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("kind", Text, nullable=False, server_default="migrate"),
    Column("of_plan_no", ForeignKey("plans.plan_no"), index=True),  # the migration of a cutover or rollback
    Column("campaign_no", Integer, index=True),  # the campaign that made it
)

changes = Table(  # one row per SIM: of a migration sorted by its limits ("no limit" last), of others by position
    "changes",
    metadata,
    Column("plan_no", ForeignKey(plans.c.plan_no), primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("source_iccid", Text, nullable=False),
    Column("target_key", Text),
    Column("action", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("wave", Text),
    Column("overage_order", Integer, nullable=False),
    Column("sms_order", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("position", Integer),
    sqlite_with_rowid=False,
)
Index(
    "ix_changes_position",
    changes.c.plan_no,
    changes.c.position,
    unique=True,
    **only_where("position IS NOT NULL"),
)
Index(
    "ix_changes_claim_order",
    changes.c.plan_no,
    changes.c.wave,
    changes.c.overage_order,
    changes.c.sms_order,
    changes.c.source_iccid,
)
Index("ix_changes_of_sim", changes.c.source_key, changes.c.plan_no, changes.c.action, changes.c.reason)

left_out = Table(  # SIMs that a plan was told to leave alone, so that later ones can be told from them
    "left_out",
    metadata,
    Column("plan_no", ForeignKey(plans.c.plan_no), primary_key=True),
    Column("source_key", Text, primary_key=True),
    sqlite_with_rowid=False,
)

approvals = Table(  # who approved a plan, and the hash of what they saw; rows are only ever added
    "approvals",
    metadata,
    Column("approval_id", Integer, primary_key=True),
    Column("plan_no", ForeignKey(plans.c.plan_no), nullable=False, index=True),
    Column("approved_by", Text, nullable=False),
    Column("approved_at", Float, nullable=False),
    Column("changes_sha256", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("ref", Text, nullable=False, server_default=""),
    Column("db_user", Text),  # NULL in a file, and before there was this column
)
filled_with_user(approvals, "db_user")

looks = Table(  # which plan of a kind each operator was shown last
    "looks",
    metadata,
    Column("who", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("named", Text, nullable=False),
    Column("seen_at", Float, nullable=False),
    sqlite_with_rowid=False,
)

# --- the journal --------------------------------------------------------------------------------------------------

runs = Table(
    "runs",
    metadata,
    Column("run_id", Integer, primary_key=True),
    Column("plan_no", ForeignKey(plans.c.plan_no), nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("exit_code", Integer),
    Column("reason", Text, nullable=False),
    Column("ref", Text, nullable=False, server_default=""),  # the change or ticket that it was done for
)

steps = Table(  # a step without a row is PENDING; before is what was read ahead of the first order of an old SIM
    "steps",
    metadata,
    Column("plan_no", Integer, primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("since", Float, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("before", Text),
    Column("moved_no", Integer, nullable=False, server_default="0"),  # event of the last move; 0: none is known
    ForeignKeyConstraint(["plan_no", "source_key"], [changes.c.plan_no, changes.c.source_key]),
    sqlite_with_rowid=False,
)
Index("ix_steps_states", steps.c.plan_no, steps.c.state, steps.c.kind)
Index(
    "ix_steps_claimed",
    steps.c.source_key,
    **only_where("kind = 'claim' AND state = 'done'"),
)

requests = Table(  # every request that was meant to change something
    "requests",
    metadata,
    Column("request_id", Integer, primary_key=True),
    Column("plan_no", ForeignKey(plans.c.plan_no), nullable=False, index=True),
    Column("run_id", ForeignKey(runs.c.run_id), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("wave", Text),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("sims", Integer, nullable=False),
    Column("intent_at", Float, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("outcome_at", Float),
    Column("status", Integer),
    Column("job_id", Text, index=True),
    Column("job_status", Text),
    Column("message", Text, nullable=False),
)

request_items = Table(  # which SIMs a request was about
    "request_items",
    metadata,
    Column("plan_no", Integer, primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("request_id", ForeignKey(requests.c.request_id), primary_key=True, index=True),
    sqlite_with_rowid=False,
)

verifications = Table(  # the last judgement of each SIM
    "verifications",
    metadata,
    Column("plan_no", Integer, primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("findings", Text, nullable=False),
    Column("verified_at", Float, nullable=False),
    ForeignKeyConstraint(["plan_no", "source_key"], [changes.c.plan_no, changes.c.source_key]),
    sqlite_with_rowid=False,
)

proofs = Table(  # the last proof of life of each SIM; what was asked of its old SIM may be of an earlier time
    "proofs",
    metadata,
    Column("plan_no", Integer, primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("proved_at", Float, nullable=False),
    Column("life", Text, nullable=False),
    Column("alive_at", Float),
    Column("unit", Text, nullable=False),
    Column("source_imei", Text),
    Column("target_imei", Text),
    Column("old", Text),
    Column("old_used_on", Text),
    Column("old_asked_at", Float),
    Column("first_alive_at", Float),
    ForeignKeyConstraint(["plan_no", "source_key"], [changes.c.plan_no, changes.c.source_key]),
    sqlite_with_rowid=False,
)

lease = Table(  # one row while somebody holds the store
    "lease",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started_at", Float, nullable=False),
    Column("acquired_at", Float, nullable=False),
    Column("heartbeat_at", Float, nullable=False),
)

# --- audit --------------------------------------------------------------------------------------------------------

events = Table(  # only ever added to; each digest is taken over its event and the digest before it
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("plan_id", Text),
    Column("detail", Text, nullable=False),
    Column("digest", Text, nullable=False),
)

# --- steering -----------------------------------------------------------------------------------------------------

orders = Table(  # what an operator ordered for a plan's runs, from another terminal; no row: go on
    "orders",
    metadata,
    Column("plan_no", ForeignKey(plans.c.plan_no), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("given_by", Text, nullable=False),
    Column("given_at", Float, nullable=False),
)

rates = Table(  # per carrier: the ceiling that an operator set, and what the pacer learned
    "rates",
    metadata,
    Column("carrier", Text, primary_key=True),
    Column("ceiling", Float),
    Column("ceiling_by", Text, nullable=False),
    Column("ceiling_at", Float),
    Column("learned", Text),
    Column("learned_at", Float),
)

wave_gates = Table(  # when a wave reached the share of verified SIMs that opens the next: its rest counts from here
    "wave_gates",
    metadata,
    Column("plan_no", ForeignKey(plans.c.plan_no), primary_key=True),
    Column("wave", Text, primary_key=True),
    Column("reached_at", Float, nullable=False),
)
