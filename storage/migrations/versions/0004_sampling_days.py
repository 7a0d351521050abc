"""What sampling learned for each day: the usual length of answers, the share of flagged traces."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "flagged_shares",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("judge", sa.Text(), nullable=False),
        sa.Column("share", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint(
            "source", "day", "evaluator", "version", "judge", name=op.f("pk_flagged_shares")
        ),
    )
    op.create_table(
        "usual_lengths",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=True),
        sa.Column("high", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("source", "day", name=op.f("pk_usual_lengths")),
    )


def downgrade() -> None:
    op.drop_table("usual_lengths")
    op.drop_table("flagged_shares")
