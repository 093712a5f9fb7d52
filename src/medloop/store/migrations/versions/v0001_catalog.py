"""Studies, series, instances, and what came with the name of another."""

import sqlalchemy as sa
from alembic import op

from medloop.store.sql import Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the catalog."""
    op.create_table(
        "studies",
        sa.Column("uid", sa.String, nullable=False),
        *(
            sa.Column(name, sa.String, nullable=False)
            for name in (
                "name",
                "patient_name",
                "patient_identifier",
                "patient_birth_date",
                "patient_sex",
                "date",
                "description",
                "accession",
            )
        ),
        sa.Column("arrived", Instant, nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_studies"),
    )
    op.create_table(
        "series",
        sa.Column("study_uid", sa.String, nullable=False),
        sa.Column("uid", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.String, nullable=False)
            for name in (
                "modality",
                "description",
                "content",
                "source",
                "body_part",
                "laterality",
            )
        ),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("columns", sa.Integer, nullable=False),
        sa.Column("slice_mm", sa.Float),
        sa.Column("frame_of_reference", sa.String),
        sa.PrimaryKeyConstraint("study_uid", "uid", name="pk_series"),
        sa.ForeignKeyConstraint(["study_uid"], ["studies.uid"], name="fk_series_studies"),
    )
    op.create_table(
        "instances",
        sa.Column("uid", sa.String, nullable=False),
        sa.Column("study_uid", sa.String, nullable=False),
        sa.Column("series_uid", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("sop_class", sa.String, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_instances"),
        sa.ForeignKeyConstraint(
            ["study_uid", "series_uid"],
            ["series.study_uid", "series.uid"],
            name="fk_instances_series",
        ),
    )
    op.create_index("ix_instances_series", "instances", ["study_uid", "series_uid"])
    op.create_table(
        "conflicts",
        sa.Column("uid", sa.String, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("study_uid", sa.String, nullable=False),
        sa.Column("kept_sha256", sa.String, nullable=False),
        sa.Column("arrived", Instant, nullable=False),
        sa.PrimaryKeyConstraint("uid", "sha256", name="pk_conflicts"),
    )
