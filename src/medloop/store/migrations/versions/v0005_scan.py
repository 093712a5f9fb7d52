"""How the volumes of a series were made."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what headers say of it, nothing for series that have arrived before."""
    op.add_column("series", sa.Column("scan", sa.Text, nullable=False, server_default="{}"))
