"""What indexing had to say about a series."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the notices, none for series that have arrived before."""
    op.add_column("series", sa.Column("notices", sa.Text, nullable=False, server_default="[]"))
