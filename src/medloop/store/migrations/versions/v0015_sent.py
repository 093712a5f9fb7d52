"""What each destination got, and when, is counted from an index."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_deliveries_to", "deliveries", ["destination", "state", "changed"])
