"""Multi-frame objects: where each frame lies, from its functional groups (PS3.3 C.7.6.16)."""

from collections.abc import Iterable

import pydicom

from medloop.core.errors import GeometryError, InputError
from medloop.dicom.damage import damage
from medloop.dicom.foreign import DICOM_ERRORS
from medloop.dicom.header import Pose
from medloop.dicom.layout import Slice
from medloop.dicom.pixels import frame_count

Rescale = tuple[float, float]


def frames_of(dataset: pydicom.Dataset) -> tuple[tuple[Slice, ...], tuple[Rescale, ...]]:
    """Describe each frame as a slice, with its slope and intercept.

    Raises
    ------
    GeometryError
        If there are no functional groups, or fewer than frames.
    """
    try:
        return _frames(dataset)
    except DICOM_ERRORS as error:
        raise InputError(f"functional groups are damaged ({damage(error, dataset)})") from error


def _frames(dataset: pydicom.Dataset) -> tuple[tuple[Slice, ...], tuple[Rescale, ...]]:
    count = frame_count(dataset)
    each = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or ())[:1]
    if not each and not shared:
        raise GeometryError(
            f"{count} frames without functional groups: no frame has a position"
        )
    if len(each) != count:
        raise GeometryError(f"{count} frames, but {len(each)} functional groups")
    shape = (int(dataset.Rows), int(dataset.Columns))
    slices, rescale = [], []
    for index, group in enumerate(each):
        groups = [group, *shared]
        slices.append(Slice(index, _pose(groups), shape, _phase(groups), ()))
        rescale.append(_rescale(groups))
    return tuple(slices), tuple(rescale)


def _macro(groups: Iterable[pydicom.Dataset], keyword: str) -> pydicom.Dataset:
    """Take a macro from the frame's own groups, or else from the shared ones."""
    for group in groups:
        items = group.get(keyword)
        if items:
            return items[0]
    return pydicom.Dataset()


def _pose(groups: list[pydicom.Dataset]) -> Pose:
    measures = _macro(groups, "PixelMeasuresSequence")
    thickness = measures.get("SpacingBetweenSlices") or measures.get("SliceThickness")
    return Pose(
        position=_numbers(_macro(groups, "PlanePositionSequence"), "ImagePositionPatient", 3),
        orientation=_numbers(
            _macro(groups, "PlaneOrientationSequence"), "ImageOrientationPatient", 6
        ),
        spacing=_numbers(measures, "PixelSpacing", 2),
        thickness=float(thickness) if thickness and thickness > 0 else None,
    )


def _numbers(dataset: pydicom.Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    values = tuple(float(part) for part in dataset.get(keyword) or ())
    return values if len(values) == count and all(abs(part) < 1e9 for part in values) else None


def _phase(groups: list[pydicom.Dataset]) -> tuple[str, ...]:
    content = _macro(groups, "FrameContentSequence")
    echo = _macro(groups, "MREchoSequence").get("EffectiveEchoTime", "")
    b_value = _macro(groups, "MRDiffusionSequence").get("DiffusionBValue", "")
    temporal = content.get("TemporalPositionIndex", "")
    stack = content.get("StackID") or content.get("FrameAcquisitionNumber", "")
    return (str(temporal), str(stack), str(echo), str(b_value))


def _rescale(groups: list[pydicom.Dataset]) -> Rescale:
    macro = _macro(groups, "PixelValueTransformationSequence")
    slope, intercept = macro.get("RescaleSlope"), macro.get("RescaleIntercept")
    return (1.0 if slope is None else float(slope), float(intercept or 0))
