"""The tables, as the newest migration leaves them."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from medloop.store.sql import Instant

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

studies = Table(
    "studies",
    metadata,
    Column("uid", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("patient_name", String, nullable=False),
    Column("patient_identifier", String, nullable=False),
    Column("patient_birth_date", String, nullable=False),
    Column("patient_sex", String, nullable=False),
    Column("date", String, nullable=False),
    Column("description", String, nullable=False),
    Column("accession", String, nullable=False),
    Column("arrived", Instant, nullable=False),
    Index("ix_studies_patient", "patient_identifier"),
)

series = Table(
    "series",
    metadata,
    Column("study_uid", ForeignKey("studies.uid"), primary_key=True),
    Column("uid", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("modality", String, nullable=False),
    Column("description", String, nullable=False),
    Column("content", String, nullable=False),
    Column("source", String, nullable=False),
    Column("body_part", String, nullable=False),
    Column("laterality", String, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("columns", Integer, nullable=False),
    Column("slice_mm", Float),
    Column("frame_of_reference", String),
    Column("scan", Text, nullable=False, server_default="{}"),
    Column("notices", Text, nullable=False, server_default="[]"),
)

instances = Table(
    "instances",
    metadata,
    Column("uid", String, primary_key=True),
    Column("study_uid", String, nullable=False),
    Column("series_uid", String, nullable=False),
    Column("position", Integer, nullable=False),
    Column("sop_class", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("frames", Integer, nullable=False),
    ForeignKeyConstraint(["study_uid", "series_uid"], ["series.study_uid", "series.uid"]),
    Index("ix_instances_series", "study_uid", "series_uid"),
)

conflicts = Table(
    "conflicts",
    metadata,
    Column("uid", String, primary_key=True),
    Column("sha256", String, primary_key=True),
    Column("study_uid", String, nullable=False),
    Column("kept_sha256", String, nullable=False),
    Column("arrived", Instant, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_uid", ForeignKey("studies.uid"), nullable=False),
    Column("analysis", String, nullable=False),
    Column("selection_key", String, nullable=False),
    Column("selection", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("due", Instant, nullable=False),
    Column("lease", Instant),
    Column("worker", String, nullable=False),
    Column("folder", String, nullable=False),
    Column("changed", Instant, nullable=False),
    UniqueConstraint("study_uid", "analysis", "selection_key"),
    CheckConstraint(
        "state IN ('waiting', 'running', 'sending', 'done', 'skipped', 'failed', 'reviewed')",
        name="state",
    ),
    Index("ix_jobs_due", "state", "due"),
)

results = Table(
    "results",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("folder", String, nullable=False),
    Column("products", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("kept", Instant, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", String, nullable=False),
    Column("hash", String, nullable=False, unique=True),
)
