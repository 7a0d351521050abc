"""Hours say which run began to restate them, so that one that broke off is finished."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("windows", sa.Column("restating", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("windows", "restating")
