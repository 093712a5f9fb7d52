"""What a node on a network keeps: arrivals, deliveries, users, and how jobs are ranked."""

import sqlalchemy as sa
from alembic import op

from medloop.store.sql import Instant

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add tables and columns; what was there keeps its meaning."""
    _widen()
    _arrivals()
    _deliveries()
    _people()


def _widen() -> None:
    for name in ("time", "referring", "modalities"):
        op.add_column("studies", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("studies", sa.Column("expected", sa.Integer))
    op.add_column("studies", sa.Column("settled", Instant))
    op.execute("UPDATE studies SET settled = arrived")
    op.create_index("ix_studies_date", "studies", ["date"])
    for name in ("priority", "crashes"):
        op.add_column("jobs", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("started", Instant))


def _arrivals() -> None:
    op.create_table(
        "arrivals",
        sa.Column("uid", sa.String, primary_key=True),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("study_uid", sa.String, _to("arrivals", "studies.uid"), nullable=False),
        sa.Column("series_uid", sa.String, nullable=False),
        sa.Column("sop_class", sa.String, nullable=False),
        sa.Column("transfer_syntax", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("arrived", Instant, nullable=False),
        sa.Column("header", sa.Text, nullable=False),
    )
    op.create_index("ix_arrivals_series", "arrivals", ["study_uid", "series_uid", "number"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.Integer, _to("deliveries", "jobs.id"), nullable=False),
        sa.Column("destination", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claims", sa.Integer, nullable=False),
        sa.Column("due", Instant, nullable=False),
        sa.Column("lease", Instant),
        sa.Column("worker", sa.String, nullable=False),
        sa.Column("changed", Instant, nullable=False),
        sa.UniqueConstraint("job_id", "destination", name="uq_deliveries"),
        sa.CheckConstraint("state IN ('waiting', 'sending', 'done', 'failed')", name="state"),
    )
    op.create_index("ix_deliveries_due", "deliveries", ["state", "due"])


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("password", sa.String, nullable=False),
        sa.Column("subject", sa.String),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("is_disabled", sa.Boolean, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until", Instant),
        sa.Column("created", Instant, nullable=False),
        sa.Column("changed", Instant, nullable=False),
        sa.CheckConstraint(
            "role IN ('viewer', 'reader', 'annotator', 'administrator', 'service')",
            name="role",
        ),
    )
    op.create_index("ix_users_subject", "users", ["subject"], unique=True)
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, _to("tokens", "users.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("hash", sa.String, nullable=False, unique=True),
        sa.Column("created", Instant, nullable=False),
        sa.Column("expires", Instant),
        sa.Column("used", Instant),
        sa.Column("revoked", Instant),
    )
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String, primary_key=True),
        sa.Column("user_id", sa.Integer, _to("sessions", "users.id"), nullable=False),
        sa.Column("csrf", sa.String, nullable=False),
        sa.Column("created", Instant, nullable=False),
        sa.Column("seen", Instant, nullable=False),
        sa.Column("expires", Instant, nullable=False),
    )
    op.create_index("ix_sessions_expires", "sessions", ["expires"])


def _to(table: str, target: str) -> sa.ForeignKey:
    return sa.ForeignKey(target, name=f"fk_{table}_{target.partition('.')[0]}")
