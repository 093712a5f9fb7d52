"""What readers said, as data sets that training reads: masks, grades, round objects.

Masks are nnU-Net's raw data (Isensee 2021), grades a table beside its images, round objects
LUNA16's table. Who a case shows is a number that means nothing elsewhere, and keeps cases of
one patient together; no file holds a name, a date or an identifier of the hospital's.
"""

import csv
import gzip
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from jaxtyping import Integer
from numpy import ndarray

from medloop.core.code import Code
from medloop.core.finding import Assessment, Finding
from medloop.core.image import LabelMap, Picture, Segment, Volume
from medloop.files.nifti import encode_nifti

MASKS: Final = "masks"
GRADES: Final = "grades"
BOXES: Final = "boxes"
_LEVEL: Final = 1  # images compress little further
# What a round object's diameter may be called, the best first; else its mask tells.
_DIAMETERS: Final = ("103339001", "81827009", "LUNG-MEAN-MM", "LUNG-3D-MM")
_NUMBER: Final = re.compile(r"[\s_#-]*\d+$")
Class = tuple[Code, Code | None]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """One image with what was said of it; `name` and `patient` are the data set's own."""

    name: str
    patient: str
    image: Volume | Picture
    labels: LabelMap | None
    findings: tuple[Finding, ...]
    assessments: Mapping[str, Assessment]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is written: `classes` of masks, names of the `scales` of grades, and objects."""

    classes: Mapping[Class, str] = field(default_factory=dict)
    scales: tuple[str, ...] = ()
    has_objects: bool = False


@dataclass(frozen=True, slots=True)
class Ball:
    """A round object: what it is, center in LPS mm, diameter in mm."""

    name: str
    center_lps_mm: tuple[float, float, float]
    diameter_mm: float


def classes_of(segments: Iterable[Segment]) -> Mapping[Class, str]:
    """Name the classes that segments belong to: those of one concept and site are one.

    Numbers at the end of names count objects of a class: ``Nodule 2`` is a ``Nodule``.
    """
    found: dict[Class, dict[str, None]] = {}
    for each in segments:
        name = _NUMBER.sub("", each.name) or each.name
        found.setdefault((each.concept, each.site), {})[name] = None
    named: dict[Class, str] = {}
    for kind, names in found.items():
        name = next(iter(names)) if len(names) == 1 else kind[0].meaning
        if name in named.values() and kind[1] is not None:
            name = f"{name}, {kind[1].meaning}"
        while name in named.values():
            name += "'"
        named[kind] = name
    return named


def write_cases(
    out: Path, cases: Iterable[Labelled], wanted: Wanted
) -> Mapping[str, tuple[str, ...]]:
    """Write a data set a kind of label; returns the names of the cases in each.

    Raises
    ------
    OSError
        If the disk is in the way.
    """
    masks, graded, seen = {}, [], []
    objects: list[dict[str, str]] = []
    channels: tuple[str, ...] = ("image",)
    ending = ".nii.gz"
    for case in cases:
        ending = ".png" if isinstance(case.image, Picture) else ".nii.gz"
        file = _image(out / ".images", case, ending)
        if wanted.classes and case.labels is not None:
            channels = _channels(case.image)
            _link(file, out / MASKS / "imagesTr" / f"{case.name}_0000{ending}")
            labels = _merged(case.labels, wanted.classes)
            _write(out / MASKS / "labelsTr" / f"{case.name}{ending}", labels, case)
            masks[case.name] = case.patient
        if wanted.scales and all(_is_grade(case.assessments.get(s)) for s in wanted.scales):
            _link(file, out / GRADES / "images" / f"{case.name}{ending}")
            graded.append(_graded(case, wanted.scales, ending))
        balls = balls_of(case) if wanted.has_objects else None
        if balls is not None:
            _link(file, out / BOXES / "images" / f"{case.name}{ending}")
            objects += _lines(case, balls)
            seen.append(case.name)
        file.unlink()
        file.parent.rmdir()
    if masks:
        _describe(out / MASKS, masks, channels, wanted.classes.values(), ending)
    if graded:
        _table(out / GRADES / "labels.csv", graded)
    if seen:
        _table(out / BOXES / "annotations.csv", objects)
    names = {MASKS: tuple(masks), GRADES: tuple(row["name"] for row in graded)}
    return {kind: each for kind, each in (names | {BOXES: tuple(seen)}).items() if each}


def balls_of(case: Labelled) -> tuple[Ball, ...] | None:
    """Return the objects of a volume; None where the size of one is not known."""
    if not isinstance(case.image, Volume):
        return None
    found = []
    for finding in case.findings:
        center, diameter = finding.center_lps_mm, diameter_mm(finding, case.labels)
        if center is None or diameter is None:
            return None
        found.append(Ball(finding.concept.meaning, center, diameter))
    return tuple(found)


def diameter_mm(finding: Finding, labels: LabelMap | None) -> float | None:
    """Return how large an object is: as measured, else of a ball with its segment's volume."""
    sizes = {
        each.concept.value: each.value for each in finding.measurements if each.unit == "mm"
    }
    measured = (sizes[name] for name in _DIAMETERS if name in sizes)
    known = next((value for value in measured if np.isfinite(value) and value > 0), None)
    if known is not None or labels is None or labels.grid is None or finding.segment is None:
        return known
    voxels = int(np.count_nonzero(labels.array == finding.segment))
    volume_mm3 = voxels * labels.grid.voxel_mm3
    return float((6 * volume_mm3 / np.pi) ** (1 / 3)) if voxels else None


def _merged(labels: LabelMap, classes: Mapping[Class, str]) -> LabelMap:
    """Give each label the number of its class; what belongs to none is background."""
    place = {kind: n for n, kind in enumerate(classes, start=1)}
    table = np.zeros(
        max([*labels.segments, int(labels.array.max(initial=0))], default=0) + 1, int
    )
    for number, segment in labels.segments.items():
        table[number] = place.get((segment.concept, segment.site), 0)
    small = table.astype(np.uint8) if len(place) < 256 else table
    return LabelMap(small[labels.array], {}, labels.grid)


def _channels(image: Volume | Picture) -> tuple[str, ...]:
    if isinstance(image, Picture):
        return ("red", "green", "blue") if image.is_color else ("gray",)
    return ("CT",) if image.unit == "HU" else ("image",)


def _image(folder: Path, case: Labelled, ending: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{case.name}{ending}"
    if isinstance(case.image, Picture):
        array = case.image.array
        file.write_bytes(_png(array[..., ::-1] if case.image.is_color else array))
    else:
        data = encode_nifti(case.image.array, case.image.grid)
        file.write_bytes(gzip.compress(data, _LEVEL, mtime=0))
    return file


def _write(file: Path, labels: LabelMap, case: Labelled) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(case.image, Volume):
        data = encode_nifti(labels.array, case.image.grid)
        file.write_bytes(gzip.compress(data, _LEVEL, mtime=0))
    else:
        file.write_bytes(_png(labels.array))


def _png(array: Integer[ndarray, "y x *c"]) -> bytes:
    done, data = cv2.imencode(".png", np.ascontiguousarray(array))
    assert done, "PNG holds any image of whole numbers"  # noqa: S101
    return data.tobytes()


def _link(file: Path, target: Path) -> None:
    """Let a file stand in another folder too, without its bytes being there twice."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:  # a file system that has no links
        target.write_bytes(file.read_bytes())


def _describe(
    folder: Path,
    patients: Mapping[str, str],
    channels: Sequence[str],
    classes: Iterable[str],
    ending: str,
) -> None:
    described = {
        "channel_names": {str(n): name for n, name in enumerate(channels)},
        "labels": {"background": 0, **{name: n for n, name in enumerate(classes, start=1)}},
        "numTraining": len(patients),
        "file_ending": ending,
        "patients": dict(patients),
    }
    (folder / "dataset.json").write_text(
        json.dumps(described, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _is_grade(value: Assessment) -> bool:
    return isinstance(value, int | str) and value != ""


def _graded(case: Labelled, scales: Sequence[str], ending: str) -> dict[str, str]:
    labels = {f"label_{s}" if len(scales) > 1 else "label": case.assessments[s] for s in scales}
    row = {"name": case.name, "image": f"images/{case.name}{ending}", "patient": case.patient}
    return row | {
        column: str(int(value) if isinstance(value, bool) else value)
        for column, value in labels.items()
    }


def _lines(case: Labelled, balls: Sequence[Ball]) -> list[dict[str, str]]:
    """Write a line an object; a case without any has a line of class 0, for its patient."""
    columns = ("coordX", "coordY", "coordZ", "diameter_mm")
    none = Ball("0", (0.0, 0.0, 0.0), 0.0)
    return [
        {
            "seriesuid": case.name,
            **{
                column: f"{value:.4f}"
                for column, value in zip(
                    columns, (*ball.center_lps_mm, ball.diameter_mm), strict=True
                )
            },
            "class": ball.name,
            "patient": case.patient,
        }
        for ball in balls or (none,)
    ]


def _table(file: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
