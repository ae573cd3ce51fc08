"""The first schema: inventory, pairs, plans, journal and lease.

Revision: 0001, after none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "account_limits",
        sa.Column("one", sa.Integer(), nullable=False),
        sa.Column("data_mb", sa.Text()),
        sa.Column("sms_mo", sa.Text()),
        sa.PrimaryKeyConstraint("one", name="pk_account_limits"),
    )
    op.create_table(
        "lease",
        sa.Column("one", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_started_at", sa.Float(), nullable=False),
        sa.Column("acquired_at", sa.Float(), nullable=False),
        sa.Column("heartbeat_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_lease"),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_meta"),
    )
    op.create_table(
        "pairs",
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("source_iccid", sa.Text(), nullable=False),
        sa.Column("target_key", sa.Text(), nullable=False),
        sa.Column("target_iccid", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("paired_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("source_key", name="pk_pairs"),
        sa.UniqueConstraint("target_key", name="uq_pairs_target_key"),
    )
    op.create_table(
        "plans",
        sa.Column("plan_no", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Text()),
        sa.Column("made_no", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("header", sa.Text(), nullable=False),
        sa.Column("policy_text", sa.Text(), nullable=False),
        sa.Column("policy_json", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float()),
        sa.Column("finished_at", sa.Float()),
        sa.PrimaryKeyConstraint("plan_no", name="pk_plans"),
        sa.UniqueConstraint("plan_id", name="uq_plans_plan_id"),
    )
    op.create_table(
        "snapshots",
        sa.Column("snapshot_id", sa.Integer(), nullable=False),
        sa.Column("api_version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("passes", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("completed_at", sa.Float()),
        sa.Column("sims", sa.Integer()),
        sa.Column("unreadable", sa.Integer()),
        sa.Column("fingerprint", sa.Text()),
        sa.PrimaryKeyConstraint("snapshot_id", name="pk_snapshots"),
    )
    op.create_index(
        "ix_snapshots_one_of_a_kind",
        "snapshots",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state IN ('open', 'in_force')"),
    )
    op.create_table(
        "target_links",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("iccid", sa.Text(), nullable=False),
        sa.Column("present", sa.Integer(), nullable=False),
        sa.Column("org_id", sa.Integer()),
        sa.Column("device_id", sa.Integer()),
        sa.Column("link_id", sa.Integer()),
        sa.Column("state", sa.Text()),
        sa.Column("state_word", sa.Text()),
        sa.Column("name", sa.Text()),
        sa.Column("overage_limit_bytes", sa.Integer()),
        sa.Column("sms_limit", sa.Integer()),
        sa.Column("data_plan_id", sa.Integer()),
        sa.Column("zone", sa.Text()),
        sa.Column("tags", sa.Text()),
        sa.Column("claimed_at", sa.Text()),
        sa.Column("last_connected_at", sa.Text()),
        sa.Column("other_iccids", sa.Text()),
        sa.Column("raw", sa.Text()),
        sa.Column("read_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_target_links"),
    )
    op.create_table(
        "changes",
        sa.Column("plan_no", sa.Integer(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("source_iccid", sa.Text(), nullable=False),
        sa.Column("target_key", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("wave", sa.Text()),
        sa.Column("overage_order", sa.Integer(), nullable=False),
        sa.Column("sms_order", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan_no"], ["plans.plan_no"], name="fk_changes_plan_no"),
        sa.PrimaryKeyConstraint("plan_no", "source_key", name="pk_changes"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_changes_claim_order", "changes", ["plan_no", "wave", "overage_order", "sms_order", "source_iccid"]
    )
    op.create_table(
        "left_out",
        sa.Column("plan_no", sa.Integer(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan_no"], ["plans.plan_no"], name="fk_left_out_plan_no"),
        sa.PrimaryKeyConstraint("plan_no", "source_key", name="pk_left_out"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("plan_no", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float()),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan_no"], ["plans.plan_no"], name="fk_runs_plan_no"),
        sa.PrimaryKeyConstraint("run_id", name="pk_runs"),
    )
    op.create_index("ix_runs_plan_no", "runs", ["plan_no"])
    op.create_table(
        "snapshot_pages",
        sa.Column("snapshot_id", sa.Integer(), nullable=False),
        sa.Column("pass_number", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("total_sims", sa.Integer()),
        sa.Column("total_pages", sa.Integer()),
        sa.Column("saved_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.snapshot_id"], name="fk_snapshot_pages_snapshot_id"),
        sa.PrimaryKeyConstraint("snapshot_id", "pass_number", "page", name="pk_snapshot_pages"),
    )
    op.create_table(
        "source_sims",
        sa.Column("snapshot_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("iccid", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_word", sa.Text(), nullable=False),
        sa.Column("label", sa.Text()),
        sa.Column("imsi", sa.Text()),
        sa.Column("msisdn", sa.Text()),
        sa.Column("imei", sa.Text()),
        sa.Column("imei_lock", sa.Integer()),
        sa.Column("ip_address", sa.Text()),
        sa.Column("activated_at", sa.Text()),
        sa.Column("data_quota_mb", sa.Text()),
        sa.Column("sms_quota", sa.Text()),
        sa.Column("data_reading", sa.Text(), nullable=False),
        sa.Column("data_remaining_mb", sa.Text()),
        sa.Column("sms_reading", sa.Text(), nullable=False),
        sa.Column("sms_remaining", sa.Text()),
        sa.Column("expires_at", sa.Text()),
        sa.Column("last_pass", sa.Integer(), nullable=False),
        sa.Column("prior_pass", sa.Integer(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("data_raw", sa.Text()),
        sa.Column("sms_raw", sa.Text()),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.snapshot_id"], name="fk_source_sims_snapshot_id"),
        sa.PrimaryKeyConstraint("snapshot_id", "key", name="pk_source_sims"),
    )
    op.create_index(
        "ix_source_sims_without_reading",
        "source_sims",
        ["snapshot_id", "key"],
        sqlite_where=sa.text("data_reading = 'not_read' AND sms_reading = 'not_read'"),
    )
    op.create_table(
        "unreadable_rows",
        sa.Column("snapshot_id", sa.Integer(), nullable=False),
        sa.Column("pass_number", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.snapshot_id"], name="fk_unreadable_rows_snapshot_id"),
        sa.PrimaryKeyConstraint("snapshot_id", "pass_number", "page", "position", name="pk_unreadable_rows"),
    )
    op.create_table(
        "requests",
        sa.Column("request_id", sa.Integer(), nullable=False),
        sa.Column("plan_no", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("wave", sa.Text()),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sims", sa.Integer(), nullable=False),
        sa.Column("intent_at", sa.Float(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("outcome_at", sa.Float()),
        sa.Column("status", sa.Integer()),
        sa.Column("job_id", sa.Text()),
        sa.Column("job_status", sa.Text()),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan_no"], ["plans.plan_no"], name="fk_requests_plan_no"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_requests_run_id"),
        sa.PrimaryKeyConstraint("request_id", name="pk_requests"),
    )
    op.create_index("ix_requests_job_id", "requests", ["job_id"])
    op.create_index("ix_requests_plan_no", "requests", ["plan_no"])
    op.create_table(
        "steps",
        sa.Column("plan_no", sa.Integer(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("not_before", sa.Float(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_no", "source_key"], ["changes.plan_no", "changes.source_key"], name="fk_steps_plan_no_source_key"
        ),
        sa.PrimaryKeyConstraint("plan_no", "source_key", "kind", name="pk_steps"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_steps_claimed", "steps", ["source_key"], sqlite_where=sa.text("kind = 'claim' AND state = 'done'")
    )
    op.create_index("ix_steps_states", "steps", ["plan_no", "state", "kind"])
    op.create_table(
        "verifications",
        sa.Column("plan_no", sa.Integer(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
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
        sa.Column("plan_no", sa.Integer(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.request_id"], name="fk_request_items_request_id"),
        sa.PrimaryKeyConstraint("plan_no", "source_key", "request_id", name="pk_request_items"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_request_items_request_id", "request_items", ["request_id"])
