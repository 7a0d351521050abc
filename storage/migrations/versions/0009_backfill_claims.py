"""Backfills that many workers share: jobs, and their hours with who works on them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "backfill_jobs",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("what", JSON, nullable=False),
        sa.Column("days_in_order", sa.Boolean(), nullable=False),
        sa.Column("budget_usd", sa.Double(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_backfill_jobs")),
    )
    op.create_index(
        op.f("ix_backfill_jobs_source_digest_number"),
        "backfill_jobs",
        ["source", "digest", "number"],
    )
    op.create_table(
        "backfill_units",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed", sa.Boolean(), nullable=True),
        sa.Column("listed", sa.BigInteger(), nullable=True),
        sa.Column("scored", sa.BigInteger(), nullable=True),
        sa.Column("skipped", sa.BigInteger(), nullable=True),
        sa.Column("failed", sa.BigInteger(), nullable=True),
        sa.Column("unreadable", sa.BigInteger(), nullable=True),
        sa.Column("late", sa.BigInteger(), nullable=True),
        sa.Column("in_batch", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "hour", name=op.f("pk_backfill_units")),
    )
    op.create_index(
        op.f("ix_backfill_units_job_id_state_hour"),
        "backfill_units",
        ["job_id", "state", "hour"],
    )


def downgrade() -> None:
    op.drop_table("backfill_units")
    op.drop_table("backfill_jobs")
