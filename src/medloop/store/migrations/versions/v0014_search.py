"""Searches by study ID, modality and request look into columns, not into every header."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

# Where each stands in a header (DICOM JSON): the first value, of the first item.
_MODALITY = ("00080060", "Value", "0")
_STUDY_ID = ("00200010", "Value", "0")
_REQUEST = ("00400275", "Value", "0")
_COLUMNS = {
    "modality": _MODALITY,
    "step": (*_REQUEST, "00400009", "Value", "0"),
    "procedure": (*_REQUEST, "00401001", "Value", "0"),
}


def upgrade() -> None:
    """Add the columns, fill them from what was kept, and index them."""
    op.add_column("studies", _column("study_id"))
    for name in _COLUMNS:
        op.add_column("arrivals", _column(name))
    filled = ", ".join(f"{name} = {_said(path)}" for name, path in _COLUMNS.items())
    op.execute(f"UPDATE arrivals SET {filled}")  # noqa: S608 (our own words)
    op.execute(
        f"UPDATE studies SET study_id = coalesce((SELECT {_said(_STUDY_ID)} FROM arrivals"  # noqa: S608
        " WHERE study_uid = studies.uid ORDER BY series_uid, number LIMIT 1), '')"
    )
    ordered = ["modality", "study_uid", "series_uid", "number", "uid"]
    op.create_index("ix_arrivals_modality", "arrivals", ordered)
    op.create_index("ix_arrivals_step", "arrivals", ["step"])
    op.create_index("ix_arrivals_procedure", "arrivals", ["procedure"])
    op.create_index("ix_studies_study_id", "studies", ["study_id"])


def _column(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String, nullable=False, server_default="")


def _said(path: tuple[str, ...]) -> str:
    if op.get_bind().dialect.name == "sqlite":
        keys = "".join("[0]" if step == "0" else f'."{step}"' for step in path)
        return f"coalesce(json_extract(header, '${keys}'), '')"
    return f"coalesce(CAST(header AS jsonb) #>> '{{{','.join(path)}}}', '')"
