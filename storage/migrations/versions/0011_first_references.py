"""A judge has one first reference, also when two runs pin one at once."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_KEY = ["source", "evaluator", "version", "judge", "first"]


def upgrade() -> None:
    op.add_column("canary_references", sa.Column("first", sa.Boolean(), nullable=True))
    op.execute(
        sa.text(
            "UPDATE canary_references SET first = true WHERE decided_at = (SELECT MIN(r.decided_at)"
            " FROM canary_references r WHERE r.source = canary_references.source"
            " AND r.evaluator = canary_references.evaluator"
            " AND r.version = canary_references.version AND r.judge = canary_references.judge)"
        )
    )
    name = op.f("ix_canary_references_source_evaluator_version_judge_first")
    op.create_index(name, "canary_references", _KEY, unique=True)


def downgrade() -> None:
    op.drop_index(op.f("ix_canary_references_source_evaluator_version_judge_first"))
    op.drop_column("canary_references", "first")
