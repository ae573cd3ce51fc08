"""Campaigns: standing approvals, ticks, and what was seen on the way.

Revision: 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op

from migrator.store.tables.types import Integer, Text

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, which are empty until a campaign is made, and the campaign of a plan."""
    op.add_column("plans", sa.Column("campaign_no", Integer))
    op.create_index("ix_plans_campaign_no", "plans", ["campaign_no"])
    op.create_table(
        "campaigns",
        sa.Column("campaign_no", Integer, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("policy_file", Text, nullable=False),
        sa.Column("policy_text", Text, nullable=False),
        sa.Column("policy_json", Text, nullable=False),
        sa.Column("policy_sha256", Text, nullable=False),
        sa.Column("folder", Text, nullable=False),
        sa.Column("org_id", Integer, nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("created_by", Text, nullable=False),
        sa.Column("approved_at", sa.Float(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("budget_since", sa.Float(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("campaign_no", name="pk_campaigns"),
    )
    op.create_table(
        "campaign_approvals",
        sa.Column("approval_id", Integer, nullable=False),
        sa.Column("campaign_no", Integer, nullable=False),
        sa.Column("approved_by", Text, nullable=False),
        sa.Column("approved_at", sa.Float(), nullable=False),
        sa.Column("policy_sha256", Text, nullable=False),
        sa.Column("ref", Text, nullable=False),
        sa.Column("note", Text, nullable=False),
        sa.ForeignKeyConstraint(["campaign_no"], ["campaigns.campaign_no"], name="fk_campaign_approvals_campaign_no"),
        sa.PrimaryKeyConstraint("approval_id", name="pk_campaign_approvals"),
    )
    op.create_index("ix_campaign_approvals_campaign_no", "campaign_approvals", ["campaign_no"])
    op.create_table(
        "ticks",
        sa.Column("tick_no", Integer, nullable=False),
        sa.Column("campaign_no", Integer, nullable=False),
        sa.Column("began_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("exit_code", Integer, nullable=True),
        sa.Column("reason", Text, nullable=False),
        sa.Column("told", Text, nullable=False),
        sa.ForeignKeyConstraint(["campaign_no"], ["campaigns.campaign_no"], name="fk_ticks_campaign_no"),
        sa.PrimaryKeyConstraint("tick_no", name="pk_ticks"),
    )
    op.create_index("ix_ticks_campaign_no", "ticks", ["campaign_no"])
    op.create_table(
        "shipped_cards",
        sa.Column("key", Text, nullable=False),
        sa.Column("iccid", Text, nullable=False),
        sa.Column("origin", Text, nullable=False),
        sa.Column("noted_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_shipped_cards"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "first_lives",
        sa.Column("target_key", Text, nullable=False),
        sa.Column("imei", Text, nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
        sa.Column("session_at", Text, nullable=True),
        sa.PrimaryKeyConstraint("target_key", "imei", name="pk_first_lives"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_first_lives_seen_at", "first_lives", ["seen_at"])
    op.create_table(
        "claim_retries",
        sa.Column("source_key", Text, nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("asked_by", Text, nullable=False),
        sa.PrimaryKeyConstraint("source_key", name="pk_claim_retries"),
        sqlite_with_rowid=False,
    )
