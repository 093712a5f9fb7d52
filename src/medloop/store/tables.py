"""The tables, as the newest migration leaves them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
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
    false,
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
    Column("arrived", Instant, nullable=False),  # of its newest instance
    Column("time", Text, nullable=False, server_default=""),
    Column("referring", Text, nullable=False, server_default=""),
    Column("modalities", Text, nullable=False, server_default=""),
    Column("expected", Integer),  # instances announced by whoever sends
    Column("settled", Instant),  # when it was last split into series and routed
    Column("urgency", Integer, nullable=False, server_default="0"),  # of its results, at most
    Index("ix_studies_patient", "patient_identifier"),
    Index("ix_studies_date", "date"),
    Index("ix_studies_arrived", "arrived", "uid"),
    Column("study_id", String, nullable=False, server_default=""),
    Index("ix_studies_study_id", "study_id"),
)

# Each instance as it came, with what DICOMweb is asked for (DICOM JSON, PS3.18 F.2);
# `series` and `instances` are made of it once the study is quiet, split for analyses.
arrivals = Table(
    "arrivals",
    metadata,
    Column("uid", String, primary_key=True),
    Column("sha256", String, nullable=False),
    Column("study_uid", ForeignKey("studies.uid"), nullable=False),
    Column("series_uid", String, nullable=False),
    Column("sop_class", String, nullable=False),
    Column("transfer_syntax", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("source", String, nullable=False),
    Column("arrived", Instant, nullable=False),
    Column("header", Text, nullable=False),
    Index("ix_arrivals_series", "study_uid", "series_uid", "number"),
    Index("ix_arrivals_series_uid", "series_uid"),
    # What searches look for, of what the header says first.
    Column("modality", String, nullable=False, server_default=""),
    Column("step", String, nullable=False, server_default=""),
    Column("procedure", String, nullable=False, server_default=""),
    Index("ix_arrivals_modality", "modality", "study_uid", "series_uid", "number", "uid"),
    Index("ix_arrivals_step", "step"),
    Index("ix_arrivals_procedure", "procedure"),
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
    Column("priority", Integer, nullable=False, server_default="0"),  # higher goes first
    Column("crashes", Integer, nullable=False, server_default="0"),
    Column("started", Instant),
    UniqueConstraint("study_uid", "analysis", "selection_key"),
    CheckConstraint(
        "state IN ('waiting', 'running', 'sending', 'done', 'skipped', 'failed', 'reviewed')",
        name="state",
    ),
    Index("ix_jobs_due", "state", "due"),
    Index("ix_jobs_state", "state", "analysis"),
    Index("ix_jobs_study", "study_uid", "state", "priority"),
)

results = Table(
    "results",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("folder", String, nullable=False),
    Column("products", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("kept", Instant, nullable=False),
    Column("urgency", Integer, nullable=False, server_default="0"),
    Column("because", Text, nullable=False, server_default=""),  # what makes it urgent
    Index("ix_results_kept", "kept", "job_id"),
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
    Index("ix_audit_actor", "actor", "id"),
    Index("ix_audit_subject", "subject", "id"),
)

# One row a result and destination; a delivery may be repeated without harm. `issue` is 0 for
# what an analysis said, else the signed report.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("destination", String, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("due", Instant, nullable=False),
    Column("lease", Instant),
    Column("worker", String, nullable=False),
    Column("changed", Instant, nullable=False),
    Column("issue", Integer, nullable=False, server_default="0"),
    UniqueConstraint("job_id", "destination", "issue"),
    CheckConstraint("state IN ('waiting', 'sending', 'done', 'failed')", name="state"),
    Index("ix_deliveries_due", "state", "due"),
    Index("ix_deliveries_to", "destination", "state", "changed"),
)

# Which node sends where, and when it last said so.
offers = Table(
    "offers",
    metadata,
    Column("node", String, primary_key=True),
    Column("destination", String, primary_key=True),
    Column("seen", Instant, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("password", String, nullable=False),  # argon2id; empty where OpenID Connect vouches
    Column("subject", String),  # who OpenID Connect says it is
    Column("role", String, nullable=False),
    Column("is_disabled", Boolean, nullable=False),
    # The password opens nothing but the way to another one.
    Column("is_once", Boolean, nullable=False, server_default=false()),
    # Names of the person (PN, PS3.5 6.2.1), given here and by OpenID Connect; empty if not.
    Column("full_name", String, nullable=False, server_default=""),
    Column("claimed_name", String, nullable=False, server_default=""),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Instant),
    Column("created", Instant, nullable=False),
    Column("changed", Instant, nullable=False),
    CheckConstraint(
        "role IN ('viewer', 'reader', 'annotator', 'administrator', 'service')", name="role"
    ),
    Index("ix_users_subject", "subject", unique=True),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("hash", String, nullable=False, unique=True),  # SHA-256 of the secret
    Column("created", Instant, nullable=False),
    Column("expires", Instant),
    Column("used", Instant),
    Column("revoked", Instant),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String, primary_key=True),  # SHA-256 of what the cookie holds
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("csrf", String, nullable=False),
    Column("created", Instant, nullable=False),
    Column("seen", Instant, nullable=False),
    Column("expires", Instant, nullable=False),
    Index("ix_sessions_expires", "expires"),
)

# One reader's work on one result; `purpose` tells a blinded reading from adjudication.
readings = Table(
    "readings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("reader", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("state", String, nullable=False),
    Column("opened", Instant, nullable=False),
    Column("changed", Instant, nullable=False),
    UniqueConstraint("job_id", "reader", "purpose"),
    CheckConstraint("purpose IN ('read', 'adjudicate')", name="purpose"),
    CheckConstraint("state IN ('open', 'done')", name="state"),
)

# Rows are only ever added; `mask` is the object of the archive that `after` names.
edits = Table(
    "edits",
    metadata,
    Column("reading_id", ForeignKey("readings.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("mask", String),
    Column("seconds", Float, nullable=False),
    Column("clicks", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_edits_mask", "mask"),
)

# Each signed report; `edits` is how many edits of the reading it holds.
versions = Table(
    "versions",
    metadata,
    Column("reading_id", ForeignKey("readings.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("meaning", String, nullable=False),
    Column("signer", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("language", String, nullable=False),
    Column("conclusion", Text, nullable=False),
    Column("folder", String, nullable=False),
    Column("record", String, nullable=False),
    Column("products", Text, nullable=False),
    Column("edits", Integer, nullable=False),
    CheckConstraint("meaning IN ('preliminary', 'final', 'addendum')", name="meaning"),
)

# Each signed report on its way into the archive and to its destinations.
issues = Table(
    "issues",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reading_id", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("due", Instant, nullable=False),
    Column("lease", Instant),
    Column("changed", Instant, nullable=False),
    ForeignKeyConstraint(["reading_id", "number"], ["versions.reading_id", "versions.number"]),
    UniqueConstraint("reading_id", "number"),
    CheckConstraint("state IN ('waiting', 'issuing', 'done', 'failed')", name="state"),
)
