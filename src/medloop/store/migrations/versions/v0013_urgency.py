"""How urgent results are, so that lists of studies begin with what cannot wait."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns, and the index by which studies know the state of their jobs."""
    urgency = sa.Column("urgency", sa.Integer, nullable=False, server_default="0")
    because = sa.Column("because", sa.Text, nullable=False, server_default="")
    op.add_column("results", urgency)
    op.add_column("results", because)
    op.add_column(
        "studies", sa.Column("urgency", sa.Integer, nullable=False, server_default="0")
    )
    op.create_index("ix_jobs_study", "jobs", ["study_uid", "state", "priority"])
