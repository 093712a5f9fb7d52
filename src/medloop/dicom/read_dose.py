"""RT Dose: how much was planned or given where, in gray (PS3.3 C.8.8.3)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydicom import Dataset

from medloop.core.errors import GeometryError, InputError
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.dicom.damage import damage
from medloop.dicom.foreign import DICOM_ERRORS, quiet
from medloop.dicom.pixels import check, frame_count, stored_frames

_RT_DOSE: Final = "1.2.840.10008.5.1.4.1.1.481.2"
_SAME_PLACE_MM: Final = 0.01
_GAP_TOLERANCE: Final = 0.01  # of the usual distance between planes
_SQUARE: Final = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Dose:
    """A dose distribution in Gy, what it sums up (``"PLAN"``) and its type (``"PHYSICAL"``)."""

    volume: Volume
    summation: str
    kind: str


def read_dose(dataset: Dataset, *, frame_of_reference: str | None = None) -> Dose:
    """Read a dose distribution with its scaling; planes may be stored in any order of height.

    Parameters
    ----------
    frame_of_reference
        Of the image that the dose shall lie on; another one is refused.

    Raises
    ------
    InputError
        If this is no dose distribution, it is damaged, not in Gy, of another frame of
        reference, or its planes form no regular grid (`GeometryError`).
    """
    with quiet():
        try:
            return _read(dataset, frame_of_reference)
        except DICOM_ERRORS as error:
            raise InputError(f"dose is damaged: {damage(error, dataset)}") from error


def _read(dataset: Dataset, frame_of_reference: str | None) -> Dose:
    if dataset.get("SOPClassUID") != _RT_DOSE and dataset.get("Modality") != "RTDOSE":
        raise InputError("not an RT dose")
    if "PixelData" not in dataset:
        raise InputError("the RT dose holds no grid of doses (a dose-volume histogram alone?)")
    units = str(dataset.get("DoseUnits") or "not stated")
    if units != "GY":
        raise InputError(f"the dose is in {units}, not in GY: it cannot be compared with Gy")
    kind = str(dataset.get("DoseType") or "")
    if kind == "ERROR":
        raise InputError("the RT dose holds differences between doses, not doses")
    frame = str(dataset.get("FrameOfReferenceUID") or "") or None
    if frame_of_reference and frame and frame != frame_of_reference:
        raise InputError("the dose belongs to another frame of reference")
    scaling = float(dataset.get("DoseGridScaling") or 0)
    if not 0 < scaling < np.inf:
        raise InputError(f"the dose grid scaling is {scaling:g}; it must be above 0")
    check(dataset)
    count = frame_count(dataset)
    shape = (count, int(dataset.Rows), int(dataset.Columns))
    grid = Grid(shape, _affine(dataset, count), frame)
    array = np.empty(shape, np.float32)
    for plane, stored in zip(array, stored_frames(dataset), strict=True):
        plane[:] = stored * scaling
    summation = str(dataset.get("DoseSummationType") or "")
    return Dose(Volume(array, grid, "Gy"), summation, kind)


def _affine(dataset: Dataset, count: int) -> Float[ndarray, "4 4"]:
    position = _numbers(dataset, "ImagePositionPatient", 3)
    orientation = _numbers(dataset, "ImageOrientationPatient", 6)
    row_mm, column_mm = _numbers(dataset, "PixelSpacing", 2)
    along_row, along_column = orientation[:3], orientation[3:]
    gram = np.array([along_row, along_column]) @ np.array([along_row, along_column]).T
    if np.abs(gram - np.eye(2)).max() > _SQUARE or min(row_mm, column_mm) <= 0:
        raise GeometryError("the orientation or spacing of the dose cannot be meant")
    normal = np.cross(along_row, along_column)
    gap_mm = _gap(dataset, count, float(position[2]), normal)
    affine = np.eye(4)
    affine[:3, 0] = normal * gap_mm
    affine[:3, 1] = along_column * row_mm
    affine[:3, 2] = along_row * column_mm
    affine[:3, 3] = position
    return affine


def _gap(dataset: Dataset, count: int, height_mm: float, normal: Float[ndarray, "3"]) -> float:
    """Distance between planes along the normal, negative against it (PS3.3 C.8.8.3.2).

    Offsets count from the first plane (0 first), or are heights z of axial planes.
    """
    if count == 1:
        return float(dataset.get("SliceThickness") or 0) or 1.0
    offsets = _numbers(dataset, "GridFrameOffsetVector", count)
    if abs(offsets[0]) > _SAME_PLACE_MM:
        is_axial = abs(abs(normal[2]) - 1) <= _SQUARE
        if not is_axial or abs(offsets[0] - height_mm) > _SAME_PLACE_MM:
            raise GeometryError(
                f"the first plane of the dose has offset {offsets[0]:g} mm; it must be 0,"
                f" or the height of the first plane, {height_mm:g} mm"
            )
        offsets = (offsets - offsets[0]) * np.sign(normal[2])
    gaps = np.diff(offsets)
    usual = float(np.median(gaps))
    off = float(np.abs(gaps - usual).max())
    if usual == 0 or off > _GAP_TOLERANCE * abs(usual):
        raise GeometryError(
            f"planes of the dose lie {usual:g} mm apart, but one by {off:g} mm more or less"
        )
    return float(offsets[-1] - offsets[0]) / (count - 1)


def _numbers(dataset: Dataset, keyword: str, count: int) -> Float[ndarray, " n"]:
    value = dataset.get(keyword)
    if value is None:
        raise GeometryError(f"the dose has no {keyword}")
    numbers = np.array([float(v) for v in np.atleast_1d(value)])
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise GeometryError(f"the dose has {len(numbers)} numbers in {keyword}, not {count}")
    return numbers
