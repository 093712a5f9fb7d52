"""What readers sign is issued and sent: a queue of it, and deliveries of each version."""

import sqlalchemy as sa
from alembic import op

from medloop.store.sql import Instant

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the queue; a delivery is then of a job's own result (0) or of what was issued."""
    op.create_table(
        "issues",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("reading_id", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claims", sa.Integer, nullable=False),
        sa.Column("due", Instant, nullable=False),
        sa.Column("lease", Instant),
        sa.Column("changed", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["reading_id", "number"],
            ["versions.reading_id", "versions.number"],
            name="fk_issues_versions",
        ),
        sa.UniqueConstraint("reading_id", "number", name="uq_issues"),
        sa.CheckConstraint("state IN ('waiting', 'issuing', 'done', 'failed')", name="state"),
    )
    with op.batch_alter_table("deliveries", copy_from=_as_it_was()) as batch:
        batch.add_column(sa.Column("issue", sa.Integer, nullable=False, server_default="0"))
        batch.drop_constraint("uq_deliveries", type_="unique")
        batch.create_unique_constraint("uq_deliveries", ["job_id", "destination", "issue"])


def _as_it_was() -> sa.Table:
    """Describe the table, since SQLite tells not all of it and can only write it anew."""
    return sa.Table(
        "deliveries",
        sa.MetaData(),
        sa.Column("id", sa.Integer),
        sa.Column("job_id", sa.Integer, nullable=False),
        sa.Column("destination", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claims", sa.Integer, nullable=False),
        sa.Column("due", Instant, nullable=False),
        sa.Column("lease", Instant),
        sa.Column("worker", sa.String, nullable=False),
        sa.Column("changed", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_deliveries_jobs"),
        sa.UniqueConstraint("job_id", "destination", name="uq_deliveries"),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'done', 'failed')", name="ck_deliveries_state"
        ),
        sa.Index("ix_deliveries_due", "state", "due"),
    )
