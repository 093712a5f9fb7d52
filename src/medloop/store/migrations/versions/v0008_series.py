"""Series are found by their UID without that of their study."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the index that such searches need."""
    op.create_index("ix_arrivals_series_uid", "arrivals", ["series_uid"])
