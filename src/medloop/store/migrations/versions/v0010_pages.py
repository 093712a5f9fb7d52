"""What pages look up often is found by an index; a password may be for one sign-in alone."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the indexes and the column."""
    op.create_index("ix_studies_arrived", "studies", ["arrived", "uid"])
    op.create_index("ix_jobs_state", "jobs", ["state", "analysis"])
    op.create_index("ix_results_kept", "results", ["kept", "job_id"])
    op.create_index("ix_audit_actor", "audit", ["actor", "id"])
    op.create_index("ix_audit_subject", "audit", ["subject", "id"])
    once = sa.Column("is_once", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("users", once)
