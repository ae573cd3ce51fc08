"""The first schema: inventory, pairs, plans, journal and lease.

Revision: 0001, after none.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Integer, Text, only_where

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "account_limits",
        sa.Column("one", Integer, autoincrement=False, nullable=False),
        sa.Column("data_mb", Text),
        sa.Column("sms_mo", Text),
        sa.PrimaryKeyConstraint("one", name="pk_account_limits"),
    )
    op.create_table(
        "lease",
        sa.Column("one", Integer, autoincrement=False, nullable=False),
        sa.Column("host", Text, nullable=False),
        sa.Column("pid", Integer, nullable=False),
        sa.Column("process_started_at", sa.Float(), nullable=False),
        sa.Column("acquired_at", sa.Float(), nullable=False),
        sa.Column("heartbeat_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_lease"),
    )
    op.create_table(
        "meta",
        sa.Column("name", Text, nullable=False),
        sa.Column("value", Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
    )
    op.create_table(
        "pairs",
        sa.Column("source_key", Text, nullable=False),
        sa.Column("source_iccid", Text, nullable=False),
        sa.Column("target_key", Text, nullable=False),
        sa.Column("target_iccid", Text, nullable=False),
        sa.Column("origin", Text, nullable=False),
        sa.Column("paired_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source_key", name="pk_pairs"),
        sa.UniqueConstraint("target_key", name="uq_pairs_target_key"),
    )
    op.create_table(
        "plans",
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("plan_id", Text),
        sa.Column("made_no", Integer, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("header", Text, nullable=False),
        sa.Column("policy_text", Text, nullable=False),
        sa.Column("policy_json", Text, nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float()),
        sa.Column("finished_at", sa.Float()),
        sa.PrimaryKeyConstraint("plan_no", name="pk_plans"),
        sa.UniqueConstraint("plan_id", name="uq_plans_plan_id"),
    )
    op.create_table(
        "snapshots",
        sa.Column("snapshot_id", Integer, nullable=False),
        sa.Column("api_version", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("passes", Integer, nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("completed_at", sa.Float()),
        sa.Column("sims", Integer),
        sa.Column("unreadable", Integer),
        sa.Column("fingerprint", Text),
        sa.PrimaryKeyConstraint("snapshot_id", name="pk_snapshots"),
    )
    op.create_index(
        "ix_snapshots_one_of_a_kind",
        "snapshots",
        ["state"],
        unique=True,
        **only_where("state IN ('open', 'in_force')"),
    )
    op.create_table(
        "target_links",
        sa.Column("key", Text, nullable=False),
        sa.Column("iccid", Text, nullable=False),
        sa.Column("present", Integer, nullable=False),
        sa.Column("org_id", Integer),
        sa.Column("device_id", Integer),
        sa.Column("link_id", Integer),
        sa.Column("state", Text),
        sa.Column("state_word", Text),
        sa.Column("name", Text),
        sa.Column("overage_limit_bytes", Integer),
        sa.Column("sms_limit", Integer),
        sa.Column("data_plan_id", Integer),
        sa.Column("zone", Text),
        sa.Column("tags", Text),
        sa.Column("claimed_at", Text),
        sa.Column("last_connected_at", Text),
        sa.Column("other_iccids", Text),
        sa.Column("raw", Text),
        sa.Column("read_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_target_links"),
    )
    op.create_table(
        "changes",
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("source_key", Text, nullable=False),
        sa.Column("source_iccid", Text, nullable=False),
        sa.Column("target_key", Text),
        sa.Column("action", Text, nullable=False),
        sa.Column("reason", Text, nullable=False),
        sa.Column("wave", Text),
        sa.Column("overage_order", Integer, nullable=False),
        sa.Column("sms_order", Integer, nullable=False),
        sa.Column("document", Text, nullable=False),
        sa.ForeignKeyConstraint(["plan_no"], ["plans.plan_no"], name="fk_changes_plan_no"),
        sa.PrimaryKeyConstraint("plan_no", "source_key", name="pk_changes"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_changes_claim_order", "changes", ["plan_no", "wave", "overage_order", "sms_order", "source_iccid"]
    )
    op.create_table(
        "left_out",
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("source_key", Text, nullable=False),
        sa.ForeignKeyConstraint(["plan_no"], ["plans.plan_no"], name="fk_left_out_plan_no"),
        sa.PrimaryKeyConstraint("plan_no", "source_key", name="pk_left_out"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "runs",
        sa.Column("run_id", Integer, nullable=False),
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("owner", Text, nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float()),
        sa.Column("exit_code", Integer),
        sa.Column("reason", Text, nullable=False),
        sa.ForeignKeyConstraint(["plan_no"], ["plans.plan_no"], name="fk_runs_plan_no"),
        sa.PrimaryKeyConstraint("run_id", name="pk_runs"),
    )
    op.create_index("ix_runs_plan_no", "runs", ["plan_no"])
    op.create_table(
        "snapshot_pages",
        sa.Column("snapshot_id", Integer, nullable=False),
        sa.Column("pass_number", Integer, nullable=False),
        sa.Column("page", Integer, nullable=False),
        sa.Column("total_sims", Integer),
        sa.Column("total_pages", Integer),
        sa.Column("saved_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.snapshot_id"], name="fk_snapshot_pages_snapshot_id"),
        sa.PrimaryKeyConstraint("snapshot_id", "pass_number", "page", name="pk_snapshot_pages"),
    )
    op.create_table(
        "source_sims",
        sa.Column("snapshot_id", Integer, nullable=False),
        sa.Column("key", Text, nullable=False),
        sa.Column("iccid", Text, nullable=False),
        sa.Column("status", Text, nullable=False),
        sa.Column("status_word", Text, nullable=False),
        sa.Column("label", Text),
        sa.Column("imsi", Text),
        sa.Column("msisdn", Text),
        sa.Column("imei", Text),
        sa.Column("imei_lock", Integer),
        sa.Column("ip_address", Text),
        sa.Column("activated_at", Text),
        sa.Column("data_quota_mb", Text),
        sa.Column("sms_quota", Text),
        sa.Column("data_reading", Text, nullable=False),
        sa.Column("data_remaining_mb", Text),
        sa.Column("sms_reading", Text, nullable=False),
        sa.Column("sms_remaining", Text),
        sa.Column("expires_at", Text),
        sa.Column("last_pass", Integer, nullable=False),
        sa.Column("prior_pass", Integer, nullable=False),
        sa.Column("raw", Text, nullable=False),
        sa.Column("data_raw", Text),
        sa.Column("sms_raw", Text),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.snapshot_id"], name="fk_source_sims_snapshot_id"),
        sa.PrimaryKeyConstraint("snapshot_id", "key", name="pk_source_sims"),
    )
    op.create_index(
        "ix_source_sims_without_reading",
        "source_sims",
        ["snapshot_id", "key"],
        **only_where("data_reading = 'not_read' AND sms_reading = 'not_read'"),
    )
    op.create_table(
        "unreadable_rows",
        sa.Column("snapshot_id", Integer, nullable=False),
        sa.Column("pass_number", Integer, nullable=False),
        sa.Column("page", Integer, nullable=False),
        sa.Column("position", Integer, nullable=False),
        sa.Column("problem", Text, nullable=False),
        sa.Column("raw", Text, nullable=False),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.snapshot_id"], name="fk_unreadable_rows_snapshot_id"),
        sa.PrimaryKeyConstraint("snapshot_id", "pass_number", "page", "position", name="pk_unreadable_rows"),
    )
    op.create_table(
        "requests",
        sa.Column("request_id", Integer, nullable=False),
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("run_id", Integer, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("wave", Text),
        sa.Column("method", Text, nullable=False),
        sa.Column("path", Text, nullable=False),
        sa.Column("body", Text, nullable=False),
        sa.Column("sims", Integer, nullable=False),
        sa.Column("intent_at", sa.Float(), nullable=False),
        sa.Column("outcome", Text, nullable=False),
        sa.Column("outcome_at", sa.Float()),
        sa.Column("status", Integer),
        sa.Column("job_id", Text),
        sa.Column("job_status", Text),
        sa.Column("message", Text, nullable=False),
        sa.ForeignKeyConstraint(["plan_no"], ["plans.plan_no"], name="fk_requests_plan_no"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_requests_run_id"),
        sa.PrimaryKeyConstraint("request_id", name="pk_requests"),
    )
    op.create_index("ix_requests_job_id", "requests", ["job_id"])
    op.create_index("ix_requests_plan_no", "requests", ["plan_no"])
    op.create_table(
        "steps",
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("source_key", Text, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("attempts", Integer, nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("not_before", sa.Float(), nullable=False),
        sa.Column("code", Text, nullable=False),
        sa.Column("message", Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_no", "source_key"], ["changes.plan_no", "changes.source_key"], name="fk_steps_plan_no_source_key"
        ),
        sa.PrimaryKeyConstraint("plan_no", "source_key", "kind", name="pk_steps"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_steps_claimed",
        "steps",
        ["source_key"],
        **only_where("kind = 'claim' AND state = 'done'"),
    )
    op.create_index("ix_steps_states", "steps", ["plan_no", "state", "kind"])
    op.create_table(
        "verifications",
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("source_key", Text, nullable=False),
        sa.Column("verdict", Text, nullable=False),
        sa.Column("findings", Text, nullable=False),
        sa.Column("verified_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_no", "source_key"],
            ["changes.plan_no", "changes.source_key"],
            name="fk_verifications_plan_no_source_key",
        ),
        sa.PrimaryKeyConstraint("plan_no", "source_key", name="pk_verifications"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "request_items",
        sa.Column("plan_no", Integer, nullable=False),
        sa.Column("source_key", Text, nullable=False),
        sa.Column("request_id", Integer, nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.request_id"], name="fk_request_items_request_id"),
        sa.PrimaryKeyConstraint("plan_no", "source_key", "request_id", name="pk_request_items"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_request_items_request_id", "request_items", ["request_id"])
