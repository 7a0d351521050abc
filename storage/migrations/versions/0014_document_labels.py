"""Labels on single documents: which document each is on."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("labels", sa.Column("document", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("labels", "document")
