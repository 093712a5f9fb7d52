"""``medloop structures``: margins, booleans and doses of contours from files.

Target volumes are a physician's decision: this only grows what a physician drew.
"""

import csv
import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np

import medloop
from medloop.apps.console import Exit, UsageError, note, say
from medloop.apps.output import write_whole
from medloop.core.errors import GeometryError, InputError
from medloop.core.finding import Provenance, Result
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.core.structure import RoiKind, Structure
from medloop.core.study import Case, Content, Selection, Series, Study
from medloop.dicom.pixels import open_dataset
from medloop.dicom.read_dose import read_dose
from medloop.dicom.read_rtstruct import read_structures, structures_of
from medloop.dicom.write import save
from medloop.dicom.write.rtstruct import structure_set
from medloop.dicom.write.sources import source_headers
from medloop.files.nifti import read_nifti, write_nifti
from medloop.files.sniff import Kind, sniff
from medloop.imaging.booleans import exclusive, intersection, subtraction, union
from medloop.imaging.contours import contours_of, without_fragments
from medloop.imaging.dvh import Dvh, dvh_of
from medloop.imaging.margins import Margin, crop, expand, spare
from medloop.imaging.soft import inside, soft_of, volume_mm3
from medloop.imaging.soft_contours import soft_of_contours
from medloop.workflow.intake import gather, read_case

_COLOR = (0, 200, 200)
_SHARES = (0.98, 0.95, 0.5, 0.02)
_HOT_CM3 = 0.03
_OPERATIONS: Mapping[str, Callable[..., Volume]] = {
    "union": union,
    "intersection": intersection,
    "subtraction": subtraction,
    "xor": exclusive,
}
_WHOLE = ("PLAN", "")  # what a dose sums up that needs no remark


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which structures of which file, and what limits them."""

    path: Path
    image: Path | None
    rois: tuple[str, ...]
    crop_to: str | None = None
    minus: tuple[str, ...] = ()
    gap_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """What to say of a dose, and where."""

    doses_gy: tuple[float, ...]
    as_json: bool
    out: Path | None


class _Source:
    """Structures of one file on the voxels they were drawn on, each read when asked for."""

    def __init__(self, wanted: Wanted) -> None:
        self.path = wanted.path
        self.is_nifti = _kind(wanted.path) is Kind.NIFTI
        self._image = wanted.image

    @cached_property
    def case(self) -> Case:
        if self._image is None:
            raise UsageError("a structure set needs --image, the images it was drawn on")
        return _case(self._image, str(open_dataset(self.path).get("FrameOfReferenceUID", "")))

    @cached_property
    def grid(self) -> Grid:
        image = self._labels if self.is_nifti else self.case.images[0]
        assert isinstance(image, Volume), "series of volumes were selected"  # noqa: S101
        return image.grid

    @cached_property
    def names(self) -> tuple[str, ...]:
        if self.is_nifti:
            return tuple(str(int(v)) for v in np.unique(self._labels.array) if v > 0)
        return tuple(each.name for each in self._structures if each.contours)

    def soft(self, name: str) -> Volume:
        """Read one structure, by name or label."""
        if self.is_nifti:
            if name not in self.names:
                raise InputError(f"{self.path.name}: there is no label {name!r}")
            return soft_of(self._labels.array == int(name), self.grid)
        mask = read_structures(open_dataset(self.path), self.grid, names=[name])[name]
        drawn = [c for each in self._structures if each.name == name for c in each.contours]
        return soft_of_contours(drawn, mask, self.grid)

    @cached_property
    def _labels(self) -> Volume:
        volume = read_nifti(self.path)
        if (volume.array != np.round(volume.array)).any():
            raise InputError(f"{self.path.name}: holds fractions, not labels")
        return volume

    @cached_property
    def _structures(self) -> tuple[Structure, ...]:
        return structures_of(open_dataset(self.path), grid=self.grid)


def expand_one(wanted: Wanted, sides: Mapping[str, float], name: str, out: Path) -> Exit:
    """Grow or shrink one structure, limit it, and write it.

    Raises
    ------
    UsageError
        If the margin, or the kind of output, cannot be meant.
    InputError
        If a file cannot be read or lacks a structure.
    """
    try:
        margin = Margin(**{f"{side}_mm": mm for side, mm in sides.items()})
    except ValueError as error:
        raise UsageError(f"--margin: {error}") from error
    source = _Source(wanted)
    soft = expand(source.soft(wanted.rois[0]), margin)
    return _finish(source, _limited(soft, source, wanted), name, out, f"{wanted} {margin}")


def combine(wanted: Wanted, operation: str, name: str, out: Path) -> Exit:
    """Combine structures, limit what comes out, and write it.

    Raises
    ------
    UsageError
        If there are too many structures for an operation.
    InputError
        If a file cannot be read or lacks a structure.
    """
    if operation == "xor" and len(wanted.rois) != 2:
        raise UsageError(f"xor is of two structures, got {len(wanted.rois)}")
    source = _Source(wanted)
    first, *others = (source.soft(roi) for roi in wanted.rois)
    soft = _limited(_OPERATIONS[operation](first, *others), source, wanted)
    return _finish(source, soft, name, out, f"{wanted} {operation}")


def show_dose(wanted: Wanted, path: Path, told: Told) -> Exit:
    """Print doses and volumes of structures; write their histograms if asked.

    Raises
    ------
    InputError
        If a file cannot be read, or lies in another frame of reference.
    """
    source = _Source(wanted)
    dose = read_dose(open_dataset(path), frame_of_reference=source.grid.frame_of_reference)
    if dose.summation not in _WHOLE:
        note(f"medloop: the dose sums up {dose.summation}, which may not be the whole plan")
    names = wanted.rois or source.names
    found = {name: dvh_of(source.soft(name), dose.volume) for name in names}
    for name, dvh in found.items():
        if dvh.outside_cm3 > 0.001:
            note(
                f"medloop: {dvh.outside_cm3:.2f} cm3 of {name} lie beyond the dose grid and"
                " count as 0 Gy"
            )
    rows = [_figures(name, dvh, told.doses_gy) for name, dvh in found.items()]
    if told.as_json:
        say(json.dumps(rows, indent=2))
    else:
        _say_table(rows)
    if told.out is not None:
        text = _histograms(found)
        write_whole(told.out, lambda part: part.write_text(text, encoding="utf-8"))
    return Exit.DONE


def _kind(path: Path) -> Kind:
    if not path.is_file():
        raise UsageError(f"{path}: is no file")
    kind = sniff(path)
    if kind not in (Kind.DICOM, Kind.NIFTI):
        raise InputError(f"{path.name}: is neither an RT structure set nor NIfTI")
    return kind


def _case(image: Path, frame: str) -> Case:
    """Read the volume that structures were drawn on: the one in their frame of reference."""
    with tempfile.TemporaryDirectory(prefix="medloop-") as scratch:
        intake = gather([image], scratch=Path(scratch))
        found = [
            (study, series)
            for study in intake.studies
            for series in study.series
            if series.content is Content.VOLUME and series.modality != "RTDOSE"
        ]
        if not found:
            raise InputError(f"{image}: holds no images of slices")
        here = [pair for pair in found if not frame or pair[1].frame_of_reference == frame]
        if not here:
            raise GeometryError("the structure set belongs to another frame of reference")
        study, series = max(here, key=_slices)
        if sum(_slices(pair) == _slices((study, series)) for pair in here) > 1:
            raise UsageError(
                f"{image}: holds several series in this frame; name the folder of one"
            )
        return read_case(study, Selection((series,)))


def _slices(pair: tuple[Study, Series]) -> int:
    return sum(instance.frames for instance in pair[1].instances)


def _limited(soft: Volume, source: _Source, wanted: Wanted) -> Volume:
    if wanted.crop_to:
        soft = crop(soft, source.soft(wanted.crop_to), gap_mm=wanted.gap_mm)
    for organ in wanted.minus:
        soft = spare(soft, source.soft(organ), gap_mm=wanted.gap_mm)
    return soft


def _finish(source: _Source, soft: Volume, name: str, out: Path, how: str) -> Exit:
    """Write what was made, and say how large it is."""
    if not inside(soft).any():
        note(f"medloop: {name} is empty: nothing is left of it")
    if not out.name.endswith(".dcm"):
        mask = inside(soft).astype(np.uint8)
        write_whole(out, lambda part: write_nifti(mask, soft.grid, part))
    elif source.is_nifti:
        raise UsageError("a NIfTI file has no slices to draw on: write .nii.gz")
    else:
        _write_contours(source, soft, name, out, how)
    say(f"{out}: {name}, {volume_mm3(soft) / 1000:.2f} cm3")
    return Exit.DONE


def _write_contours(source: _Source, soft: Volume, name: str, out: Path, how: str) -> None:
    contours, _ = without_fragments(contours_of(soft.array, soft.grid))
    structure = Structure(1, name, contours, _COLOR, _roi_kind(name))
    told = hashlib.sha256(source.path.read_bytes() + how.encode()).hexdigest()
    instances = source.case.selection.series[0].instances
    provenance = Provenance(
        analysis="structures",
        version=medloop.__version__,
        weights=(),
        inputs=tuple(instance.uid for instance in instances),
        input_sha256=told,
        finished=datetime.now(UTC),
    )
    result = replace(Result(provenance, (), {}), structures=(structure,))
    dataset = structure_set(result, source_headers(source.case))
    assert dataset is not None, "there is a structure"  # noqa: S101
    write_whole(out, lambda part: save(dataset, part))


def _roi_kind(name: str) -> RoiKind:
    """Tell targets by their name, as TG-263 begins them."""
    prefix = name[:3].upper()
    return RoiKind(prefix) if prefix in ("GTV", "CTV", "PTV") else RoiKind.OTHER


def _figures(
    name: str, dvh: Dvh, doses_gy: tuple[float, ...]
) -> Mapping[str, str | float | None]:
    figures = {"volume_cm3": dvh.volume_cm3}
    figures |= {f"D{share * 100:g}_gy": dvh.dose_to_share(share) for share in _SHARES}
    figures |= {
        f"D{_HOT_CM3:g}cc_gy": dvh.dose_to_volume(_HOT_CM3),
        "mean_gy": dvh.mean_gy,
        "min_gy": dvh.least_gy,
        "max_gy": dvh.greatest_gy,
    }
    for gy in doses_gy or (20.0,):
        figures[f"V{gy:g}_cm3"] = dvh.volume_of_dose(gy)
        figures[f"V{gy:g}_percent"] = 100 * dvh.share_of_dose(gy)
    is_empty = dvh.volume_cm3 == 0  # then it has a volume, and no doses
    return {"name": name} | {
        key: None if is_empty and key != "volume_cm3" else round(value, 4)
        for key, value in figures.items()
    }


def _say_table(rows: Sequence[Mapping[str, str | float | None]]) -> None:
    columns = list(rows[0]) if rows else ["name"]
    wide = max([len("name"), *(len(str(row["name"])) for row in rows)])
    say("  ".join([f"{'name':<{wide}}", *(f"{c:>{max(len(c), 8)}}" for c in columns[1:])]))
    for row in rows:
        cells = [_cell(row.get(c)).rjust(max(len(c), 8)) for c in columns[1:]]
        say("  ".join([f"{row['name']:<{wide}}", *cells]))


def _cell(value: str | float | None) -> str:
    return f"{value:.2f}" if isinstance(value, float) else "-"


def _histograms(found: Mapping[str, Dvh]) -> str:
    """Volumes that receive a dose or more, in steps of 0.1 Gy up to the greatest dose."""
    top = max([0.0, *(d.greatest_gy for d in found.values() if d.volume_cm3)])
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["dose_gy", *(f"{name}_cm3" for name in found)])
    for n in range(int(np.ceil(top * 10)) + 2):
        gy = n / 10
        writer.writerow([f"{gy:.1f}", *(f"{d.volume_of_dose(gy):.4f}" for d in found.values())])
    return stream.getvalue()
