"""Finding the studies of one patient."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Index the identifiers of patients."""
    op.create_index("ix_studies_patient", "studies", ["patient_identifier"])
