"""What readers make of results: their readings, each edit, and each report they sign."""

import sqlalchemy as sa
from alembic import op

from medloop.store.sql import Instant

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "readings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.Integer, _to("readings", "jobs.id"), nullable=False),
        sa.Column("reader", sa.String, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("opened", Instant, nullable=False),
        sa.Column("changed", Instant, nullable=False),
        sa.UniqueConstraint("job_id", "reader", "purpose", name="uq_readings"),
        sa.CheckConstraint("purpose IN ('read', 'adjudicate')", name="purpose"),
        sa.CheckConstraint("state IN ('open', 'done')", name="state"),
    )
    op.create_table(
        "edits",
        sa.Column("reading_id", sa.Integer, _to("edits", "readings.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("mask", sa.String),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("clicks", sa.Integer, nullable=False),
        sa.Column("at", Instant, nullable=False),
    )
    op.create_index("ix_edits_mask", "edits", ["mask"])
    op.create_table(
        "versions",
        sa.Column("reading_id", sa.Integer, _to("versions", "readings.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("meaning", sa.String, nullable=False),
        sa.Column("signer", sa.String, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("language", sa.String, nullable=False),
        sa.Column("conclusion", sa.Text, nullable=False),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("record", sa.String, nullable=False),
        sa.Column("products", sa.Text, nullable=False),
        sa.Column("edits", sa.Integer, nullable=False),
        sa.CheckConstraint("meaning IN ('preliminary', 'final', 'addendum')", name="meaning"),
    )


def _to(table: str, target: str) -> sa.ForeignKey:
    return sa.ForeignKey(target, name=f"fk_{table}_{target.partition('.')[0]}")
