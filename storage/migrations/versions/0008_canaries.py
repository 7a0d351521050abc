"""The canaries: runs of the judges over a golden set, their verdicts, and pinned references."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "canary_runs",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("judge", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("golden", sa.Text(), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scored", sa.BigInteger(), nullable=True),
        sa.Column("reasons", JSON, nullable=True),
        sa.Column("agreed", sa.BigInteger(), nullable=True),
        sa.Column("labelled", sa.BigInteger(), nullable=True),
        sa.Column("probes", sa.BigInteger(), nullable=True),
        sa.Column("flipped", sa.BigInteger(), nullable=True),
        sa.Column("compared_with", sa.Text(), nullable=True),
        sa.Column("pairs", sa.BigInteger(), nullable=True),
        sa.Column("better", sa.BigInteger(), nullable=True),
        sa.Column("worse", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(
            "source", "run_id", "evaluator", "version", "judge", name=op.f("pk_canary_runs")
        ),
    )
    op.create_table(
        "canary_verdicts",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("judge", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("stamp", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("expected", sa.Double(), nullable=True),
        sa.Column("twin", sa.Text(), nullable=True),
        sa.Column("asks", sa.Double(), nullable=True),
        sa.Column("cost_usd", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint(
            "source",
            "run_id",
            "evaluator",
            "version",
            "judge",
            "item",
            name=op.f("pk_canary_verdicts"),
        ),
    )
    op.create_table(
        "canary_references",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("judge", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "source",
            "evaluator",
            "version",
            "judge",
            "decided_at",
            name=op.f("pk_canary_references"),
        ),
    )


def downgrade() -> None:
    op.drop_table("canary_references")
    op.drop_table("canary_verdicts")
    op.drop_table("canary_runs")
