"""Jobs and their results."""

import sqlalchemy as sa
from alembic import op

from medloop.store.sql import Instant

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of states, and what jobs leave."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("study_uid", sa.String, nullable=False),
        sa.Column("analysis", sa.String, nullable=False),
        sa.Column("selection_key", sa.String, nullable=False),
        sa.Column("selection", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claims", sa.Integer, nullable=False),
        sa.Column("due", Instant, nullable=False),
        sa.Column("lease", Instant),
        sa.Column("worker", sa.String, nullable=False),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("changed", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_jobs_studies"),
        sa.UniqueConstraint("study_uid", "analysis", "selection_key", name="uq_jobs"),
        sa.CheckConstraint(
            "state IN "
            "('waiting', 'running', 'sending', 'done', 'skipped', 'failed', 'reviewed')",
            name="ck_jobs_state",
        ),
    )
    op.create_index("ix_jobs_due", "jobs", ["state", "due"])
    op.create_table(
        "results",
        sa.Column("job_id", sa.Integer, nullable=False),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("products", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("kept", Instant, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_results"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_results_jobs"),
    )
