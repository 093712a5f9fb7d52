"""Which subgroup and site each case belongs to, by the columns of a table beside the data."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from medloop.core.errors import InputError
from medloop.learning.data.description import CaseSource
from medloop.learning.data.listing import stem_of
from medloop.learning.data.table import Row, rows_of

UNKNOWN: Final = "not_stated"
_SITE: Final = "site"
# Columns that are looked at without being asked for.
_USUAL: Final = (
    "sex", "gender", "age", "age_band", "age_group", "site", "center", "centre", "hospital",
    "manufacturer", "scanner", "device", "camera", "field_strength", "race", "ethnicity",
)  # fmt: skip
_MOST_GROUPS: Final = 20
_BANDS: Final = ((0, 17), (18, 39), (40, 64))
_OLDEST: Final = "65+"
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([DWMY]?)", re.IGNORECASE)  # PS3.5 6.2: 045Y, 006M
_YEARS: Final = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0, "": 1.0}


def groups_of(
    cases: Sequence[CaseSource], data: Path, wanted: Sequence[str]
) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the group of each case by column, and remarks on columns that were left out.

    The columns are those of a CSV in the data's folder whose column ``case``, ``name`` or
    ``image`` names every case, and ``site`` as the data set itself has it. Without `wanted`,
    those that usually divide patients are taken where they say more than one thing.

    Raises
    ------
    InputError
        If a wanted column is not there, or has too many values to be groups.
    """
    columns = _columns(cases, data)
    if any(case.site for case in cases):
        columns.setdefault(_SITE, [case.site for case in cases])
    for name in wanted:
        if name.lower() not in columns:
            known = ", ".join(columns) or "none"
            raise InputError(
                f"no column {name!r} for the {len(cases)} cases; columns of a table in the"
                f" data's folder: {known}"
            )
    found, remarks = {}, []
    for name in [n.lower() for n in wanted] or [n for n in _USUAL if n in columns]:
        groups = tuple(_group(name, value) for value in columns[name])
        count = len(set(groups))
        if count > _MOST_GROUPS:
            told = f"column {name} has {count} values; groups are at most {_MOST_GROUPS}"
            if wanted:
                raise InputError(told)
            remarks.append(f"{told}: left out")
        elif count > 1 or wanted:
            found[name] = groups
    return found, tuple(remarks)


def age_band(text: str) -> str:
    """Return the band of an age in years, such as ``45``, or DICOM's ``045Y``; or unknown."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        return UNKNOWN
    years = int(float(match[1]) * _YEARS[match[2].upper()])
    return next((f"{low}-{high}" for low, high in _BANDS if low <= years <= high), _OLDEST)


def _group(column: str, value: str) -> str:
    if not value:
        return UNKNOWN
    return age_band(value) if column == "age" else value


def _columns(cases: Sequence[CaseSource], data: Path) -> dict[str, list[str]]:
    """Read the columns of the first table that names every case."""
    root = data if data.is_dir() else data.parent
    tables = [data] if data.suffix.lower() == ".csv" else sorted(root.glob("*.csv"))
    for table in tables:
        try:
            header, rows = rows_of(table)
        except InputError:
            continue  # a table of something else
        by_name = {name: row for row in rows for name in _names(row)}
        if all(case.name in by_name for case in cases):
            return {
                column: [by_name[case.name][column] for case in cases]
                for column in header
                if column and not column.startswith(("image", "label"))
            }
    return {}


def _names(row: Row) -> tuple[str, ...]:
    """Names by which a line may mean a case."""
    named = [row[key] for key in ("case", "name") if row.get(key)]
    image = row.get("image") or row.get("image_0") or ""
    if image:
        path = Path(image)
        named += [str(path.with_name(stem_of(path))), stem_of(path)] if path.name else []
    return tuple(named)
