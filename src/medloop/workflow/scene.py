"""What a reader's page must know of a job before it shows it: image, windows, places, prior."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from medloop.clinical.naming import finding_name, segment_name
from medloop.clinical.report.language import Language
from medloop.core.finding import Box, Finding
from medloop.core.geometry import Grid
from medloop.core.image import Patch
from medloop.core.plain import Plain, Record
from medloop.core.prior import days_between
from medloop.core.record import Recorded, from_record
from medloop.core.study import Selection, Study
from medloop.files.nifti_plain import HEAD_BYTES
from medloop.imaging.viewing import viewing_grid
from medloop.store import Job, Kept, Store
from medloop.workflow.lightbox import Shown
from medloop.workflow.routing import selection_from

# Center and width, in HU, by the key under which pages name them; in the order of keys 1 to 5.
CT_WINDOWS: Final[Mapping[str, tuple[float, float]]] = {
    "lung": (-600.0, 1500.0),
    "soft": (40.0, 400.0),
    "bone": (400.0, 1800.0),
    "brain": (40.0, 80.0),
    "all": (500.0, 3000.0),
}
_FIRST_WINDOW: Final = {"lung": "lung"}  # by analysis; soft tissue for others
_CT_ANALYSES: Final = frozenset({"lung", "head_neck"})
_HEAT: Final = "heatmap.png"
_LEAST_MM, _MOST_MM = 4.0, 60.0  # of the ring about a finding

Index = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is, as [x, y, z] of the viewing grid; z is 0 on photographs."""

    index: Index
    box: tuple[Index, Index] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """A job that has a result, with what it was made of."""

    job: Job
    study: Study
    selection: Selection
    kept: Kept
    recorded: Recorded

    @property
    def modality(self) -> str:
        """Modality of the series that was analyzed, empty where nobody stated it."""
        return self.selection.series[0].modality


def look_up(store: Store, number: int) -> Looked:
    """Look a job and its result up.

    Raises
    ------
    InputError
        If there is no such job, it has no result, or its study is gone.
    """
    job = store.jobs.get(number)
    kept = store.results.get(number)
    study = store.catalog.study(job.study)
    selection = selection_from(study, job.selection)
    return Looked(job, study, selection, kept, from_record(kept.record))


def scene_of(
    looked: Looked,
    shown: Shown,
    language: Language,
    *,
    heat: Mapping[int, Patch] | None = None,
) -> Record:
    """Describe a job's image and what is to be seen on it; places are [x, y, z] voxels.

    Findings have the keys that readings give them. `affine` leads from [x, y, z] to LPS mm.
    `heat` of findings lies in boxes on the viewing grid.
    """
    analysis = looked.job.analysis
    told: Record = {
        "job": looked.job.id,
        "study": str(looked.study.uid),
        "analysis": analysis,
        "modality": looked.modality,
        "date": looked.study.date,
        "description": looked.study.description,
    }
    findings = looked.recorded.result.findings
    if shown.grid is None:
        width, height = shown.size_px
        told |= {"kind": "picture", "size": [width, height, 1], "spacing": [1.0, 1.0, 1.0]}
        told["heat"] = ["heatmap"] if _HEAT in looked.kept.products else []
    else:
        told |= {
            "kind": "volume",
            "heat": _boxes(heat or {}),
            **_of_volume(looked, shown, shown.grid),
        }
    places = _places(findings, shown.grid)
    told["findings"] = [
        _plain(n, each, places.get(n), finding_name(each, analysis, language))
        for n, each in enumerate(findings, start=1)
    ]
    told["main"] = _main(findings, places)
    told["labels"] = "labels.nii.gz" in looked.kept.products
    told["segments"] = [
        {
            "number": n,
            "name": each.name,
            "label": segment_name(each.name, language),
            "color": "#{:02x}{:02x}{:02x}".format(*each.color),
        }
        for n, each in sorted((looked.recorded.segments or {}).items())
    ]
    return told


def main_slice(looked: Looked, grid: Grid) -> int:
    """Return the slice z that shows most: the main finding, or the middle."""
    findings = looked.recorded.result.findings
    places = _places(findings, grid)
    key = _main(findings, places)
    slices = viewing_grid(grid).shape[0]
    if key is None:
        return slices // 2
    return int(np.clip(round(places[int(key)].index[2]), 0, slices - 1))


def prior_job(store: Store, looked: Looked) -> Record | None:
    """Name the latest earlier study of the patient that the same analysis has answered for."""
    patient = looked.study.patient
    if not patient.identifier.strip():
        return None
    found = [
        (days, each)
        for each in store.results.of_patient(patient.identifier, looked.job.analysis)
        if each.study != looked.study.uid and patient.is_same(each.patient)
        if (days := days_between(each.date, looked.study.date)) is not None and days > 0
    ]
    if not found:
        return None
    days, nearest = min(found, key=lambda pair: (pair[0], -pair[1].kept.job))
    return {"job": nearest.kept.job, "date": nearest.date, "days": days}


def main_place_mm(looked: Looked) -> tuple[float, float, float] | None:
    """Return the place (LPS) of the surest finding that has one."""
    findings = looked.recorded.result.findings
    placed = [each for each in findings if each.center_lps_mm is not None]
    return max(placed, key=lambda each: each.probability or 0).center_lps_mm if placed else None


def first_window(looked: Looked, shown: Shown | None = None) -> tuple[float, float] | None:
    """Return center and width of the window to open with; None where only pixels could tell."""
    if is_ct(looked):
        return CT_WINDOWS[_FIRST_WINDOW.get(looked.job.analysis, "soft")]
    if shown is None:
        return None
    return (shown.low + shown.high) / 2, shown.high - shown.low


def is_ct(looked: Looked) -> bool:
    """Whether values are HU; NIfTI does not say, but some analyses read nothing else."""
    return looked.modality == "CT" or (
        not looked.modality and looked.job.analysis in _CT_ANALYSES
    )


def _of_volume(looked: Looked, shown: Shown, grid: Grid) -> Record:
    seen = viewing_grid(grid)
    affine = seen.affine[:, [2, 1, 0, 3]]
    windows = _windows(looked, shown)
    first = first_window(looked, shown)
    return {
        "size": list(seen.shape[::-1]),
        "spacing": list(seen.spacing_mm[::-1]),
        "affine": affine.tolist(),
        "unit": "HU" if is_ct(looked) else shown.unit,
        "slope": shown.slope,
        "intercept": shown.intercept,
        "offset": HEAD_BYTES,
        "windows": [{"key": k, "center": c, "width": w} for k, (c, w) in windows.items()],
        "window": next((n for n, pair in enumerate(windows.values()) if pair == first), 0),
    }


def _boxes(heat: Mapping[int, Patch]) -> list[Plain]:
    """Say where heat lies, [low, high) in voxels [x, y, z], in the order of its bytes."""
    boxes: list[Plain] = []
    for number, patch in sorted(heat.items()):
        pairs = zip(patch.low[::-1], patch.array.shape[::-1], strict=True)
        low: list[Plain] = [*patch.low[::-1]]
        high: list[Plain] = [begin + size for begin, size in pairs]
        boxes.append({"key": str(number), "box": [low, high]})
    return boxes


def _windows(looked: Looked, shown: Shown) -> Mapping[str, tuple[float, float]]:
    """List windows: those of CT; or what holds nearly all values, brighter and darker."""
    if is_ct(looked):
        return CT_WINDOWS
    low, width = shown.low, shown.high - shown.low
    return {
        "usual": ((shown.low + shown.high) / 2, width),
        "bright": (low + width / 4, width / 2),
        "dark": (low + width * 0.75, width * 1.5),
    }


def _main(findings: Sequence[Finding], places: Mapping[int, Place]) -> str | None:
    """Choose the finding to open at: the surest of those that have a place."""
    sure = [(-(findings[n - 1].probability or 0.0), n) for n in places]
    return str(min(sure)[1]) if sure else None


def _plain(number: int, finding: Finding, place: Place | None, name: str) -> Record:
    told: Record = {"key": str(number), "label": name}
    if finding.segment is not None:
        told["segment"] = finding.segment
    if finding.tracking is not None:
        told["tracking"] = finding.tracking.uid
    if place is None:
        return told
    told["index"] = [round(n, 3) for n in place.index]
    told["radius_mm"] = _radius_mm(finding)
    if place.box is not None:
        told["box"] = [[round(n, 3) for n in corner] for corner in place.box]
    if finding.center_lps_mm is not None:
        told["mm"] = list(finding.center_lps_mm)
    return told


def _places(findings: Sequence[Finding], grid: Grid | None) -> Mapping[int, Place]:
    """Place findings, numbered from 1, on the viewing grid or a photograph's pixels."""
    placed = ((n, _placed(each, grid)) for n, each in enumerate(findings, start=1))
    return {n: place for n, place in placed if place is not None}


def _placed(finding: Finding, grid: Grid | None) -> Place | None:
    box = _box(finding.box, grid) if finding.box is not None else None
    if grid is not None and finding.center_lps_mm is not None:
        z, y, x = viewing_grid(grid).to_index(np.array(finding.center_lps_mm))
        return Place((float(x), float(y), float(z)), box)
    if grid is None and finding.center_px is not None:
        return Place((*finding.center_px, 0.0), box)
    if box is None:
        return None
    x, y, z = ((a + b) / 2 for a, b in zip(*box, strict=True))
    return Place((x, y, z), box)


def _box(box: Box, grid: Grid | None) -> tuple[Index, Index] | None:
    if grid is None:
        if len(box.low) != 2:
            return None
        return (box.low[0], box.low[1], 0.0), (box.high[0], box.high[1], 0.0)
    if len(box.low) != 3:
        return None
    corners = np.array(list(product(*zip(box.low, box.high, strict=True))), float)
    index = viewing_grid(grid).to_index(corners)[:, ::-1]
    (x0, y0, z0), (x1, y1, z1) = index.min(axis=0).tolist(), index.max(axis=0).tolist()
    return (x0, y0, z0), (x1, y1, z1)


def _radius_mm(finding: Finding) -> float:
    """Half of the longest length that was measured, so that a ring goes round it."""
    lengths = [each.value for each in finding.measurements if each.unit == "mm"]
    longest = max((n for n in lengths if np.isfinite(n)), default=2 * _LEAST_MM)
    return float(np.clip(longest / 2, _LEAST_MM, _MOST_MM))
