"""Users have a name as people write it: given here, or by who vouches for them."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the columns."""
    for name in ("full_name", "claimed_name"):
        op.add_column("users", sa.Column(name, sa.String, nullable=False, server_default=""))
