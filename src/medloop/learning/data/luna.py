"""LUNA16's table (Setio 2017): centers in LPS mm and diameters of nodules in chest CT."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from medloop.core.errors import InputError
from medloop.learning.data.description import (
    Ball,
    Balls,
    CaseSource,
    Channel,
    Dataset,
    Kind,
    Task,
)
from medloop.learning.data.dicom_series import case_of, index_dicom, volumes_of
from medloop.learning.data.listing import VOLUMES, stem_of
from medloop.learning.data.table import Row, rows_of

COLUMNS = ("seriesuid", "coordx", "coordy", "coordz", "diameter_mm")


def read_luna(table: Path, root: Path) -> Dataset:
    """Read ``seriesuid, coordX, coordY, coordZ, diameter_mm`` and, if there, ``class``.

    Images lie anywhere below `root`: a volume named by its series UID, or a DICOM series with
    that UID. Folders whose name starts with ``seg`` are LUNA's lung masks and not looked at.
    Those without a line in the table have no object; a class of 0 is no object either, as in
    LUNA's candidates. A column ``patient``, if there, says whom a series shows.

    Raises
    ------
    InputError
        If a number is damaged, or none of the series is there.
    """
    header, rows = rows_of(table)
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise InputError(f"{table.name} has no column {missing[0]}")
    names = sorted({row["class"] for row in rows if "class" in row} - {"0"})
    values = {name: n for n, name in enumerate(names or ["nodule"], start=1)}
    balls = _balls(rows, values, table)
    whose = {row["seriesuid"]: row["patient"] for row in rows if row.get("patient")}
    cases = tuple(
        replace(case, patient=whose.get(case.name, case.patient))
        for case in _volumes(root, balls, table) or _series(root, balls, table)
    )
    if not cases:
        raise InputError(f"no image of the {len(balls)} series in {table.name} is there")
    there = {case.name for case in cases} | {_uid_of(case) for case in cases}
    away = sum(uid not in there for uid in balls)
    return Dataset(
        name=root.name,
        layout="LUNA table of nodules",
        root=root,
        task=Task.DETECTION,
        channels=("CT",),
        classes={name: (value,) for name, value in values.items()},
        cases=cases,
        remarks=(f"{away} series of {table.name} are not there",) if away else (),
    )


def _balls(
    rows: list[Row], values: Mapping[str, int], table: Path
) -> Mapping[str, tuple[Ball, ...]]:
    found: dict[str, tuple[Ball, ...]] = {}
    for number, row in enumerate(rows, start=2):
        before = found.setdefault(row["seriesuid"], ())
        if row.get("class") == "0":
            continue
        try:
            x, y, z, diameter = (float(row[column]) for column in COLUMNS[1:])
        except ValueError as error:
            raise InputError(f"{table.name} line {number}: {error}") from error
        value = values[row["class"]] if "class" in row else 1
        found[row["seriesuid"]] = (*before, Ball(value, (x, y, z), diameter))
    return found


def _volumes(
    root: Path, balls: Mapping[str, tuple[Ball, ...]], table: Path
) -> tuple[CaseSource, ...]:
    return tuple(
        CaseSource(
            name=(uid := stem_of(path)),
            patient=uid,
            kind=Kind.SOLID,
            channels=(Channel(path),),
            label=Balls(table, balls.get(uid, ())),
        )
        for path in sorted(root.rglob("*"))
        if path.name.endswith(VOLUMES) and not path.name.startswith(".") and not _is_lung(path)
    )


def _series(
    root: Path, balls: Mapping[str, tuple[Ball, ...]], table: Path
) -> tuple[CaseSource, ...]:
    return tuple(
        case_of(volume, root, Balls(table, balls.get(volume.series.uid, ())))
        for volume in volumes_of(index_dicom(root))
    )


def _is_lung(path: Path) -> bool:
    return path.parent.name.lower().startswith("seg")


def _uid_of(case: CaseSource) -> str:
    series = case.channels[0].series
    return series.uid if series is not None else case.name
