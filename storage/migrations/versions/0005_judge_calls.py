"""What judges were paid: their calls, the accounts of the caps, the verdicts, and their reuse."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "judge_calls",
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("question_key", sa.Text(), nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("judge", sa.Text(), nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("worst_case_usd", sa.Double(), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("latency_ms", sa.Double(), nullable=True),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outlives_run", sa.Boolean(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_judge_calls")),
    )
    with op.batch_alter_table("judge_calls", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_judge_calls_day_evaluator"), ["day", "evaluator"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_judge_calls_run_id"), ["run_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_judge_calls_state_open_until"), ["state", "open_until"], unique=False
        )
    op.create_table(
        "judge_accounts",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "name", name=op.f("pk_judge_accounts")),
    )
    op.create_table(
        "judge_verdicts",
        sa.Column("question_key", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("choice", sa.Text(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=True),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("question_key", name=op.f("pk_judge_verdicts")),
    )
    op.create_table(
        "judge_reuses",
        sa.Column("counter", sa.Text(), nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("judge", sa.Text(), nullable=False),
        sa.Column("verdicts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "counter",
            "day",
            "run_id",
            "evaluator",
            "version",
            "judge",
            name=op.f("pk_judge_reuses"),
        ),
    )


def downgrade() -> None:
    op.drop_table("judge_reuses")
    op.drop_table("judge_verdicts")
    op.drop_table("judge_accounts")
    with op.batch_alter_table("judge_calls", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_judge_calls_state_open_until"))
        batch_op.drop_index(batch_op.f("ix_judge_calls_run_id"))
        batch_op.drop_index(batch_op.f("ix_judge_calls_day_evaluator"))
    op.drop_table("judge_calls")
