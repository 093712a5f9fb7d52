"""Nodes that share a database know which destinations the others have."""

import sqlalchemy as sa
from alembic import op

from medloop.store.sql import Instant

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the table of who sends where."""
    op.create_table(
        "offers",
        sa.Column("node", sa.String, primary_key=True),
        sa.Column("destination", sa.String, primary_key=True),
        sa.Column("seen", Instant, nullable=False),
    )
