"""What an OpenTelemetry collector was told, hour by hour."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "telemetry_hours",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("events_sent", sa.BigInteger(), nullable=False),
        sa.Column("metrics_sent", sa.BigInteger(), nullable=False),
        sa.Column("told", JSON, nullable=False),
        sa.Column("place", JSON, nullable=True),
        sa.PrimaryKeyConstraint("source", "hour", name=op.f("pk_telemetry_hours")),
    )


def downgrade() -> None:
    op.drop_table("telemetry_hours")
