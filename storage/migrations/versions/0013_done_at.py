"""Hours say when they were first done: a trace that was first seen later came late."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("windows", sa.Column("done_at", sa.DateTime(timezone=True), nullable=True))
    # of an hour that was restated since, nobody knows: what came late until then counts no more
    op.execute(sa.text("UPDATE windows SET done_at = evaluated_at WHERE status = 'done'"))


def downgrade() -> None:
    op.drop_column("windows", "done_at")
