"""What a segmentation or a structure set names, and which series it was drawn on."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import pydicom

from medloop.core.errors import InputError
from medloop.core.study import SeriesUid
from medloop.dicom.damage import damage
from medloop.dicom.foreign import DICOM_ERRORS, quiet

_LABEL: Final = re.compile(r"label (\d+)")  # as dicom.write tracks its labels


class AnnotationKind(StrEnum):
    """The objects that hold outlines."""

    SEG = "SEG"
    RTSTRUCT = "RTSTRUCT"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One SEG or RTSTRUCT without its pixels or contours.

    `names` maps the number of a structure, or the value of a segment that `read_segmentation`
    returns, to its name; `series` are those that it says it was drawn on, none where it does
    not say.
    """

    kind: AnnotationKind
    path: Path
    names: Mapping[int, str]
    series: tuple[SeriesUid, ...]


def read_annotation(path: Path) -> Annotation | None:
    """Describe a SEG or an RTSTRUCT; None for any other object.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    with quiet():
        try:
            data = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            if data.get("Modality") == AnnotationKind.SEG and "SegmentSequence" in data:
                names = {
                    segment_value(s): str(s.get("SegmentLabel", "")).strip()
                    for s in data.SegmentSequence
                }
                return Annotation(AnnotationKind.SEG, path, names, _of_seg(data))
            if "StructureSetROISequence" in data:
                names = {
                    int(s.ROINumber): str(s.get("ROIName", "")).strip()
                    for s in data.StructureSetROISequence
                }
                series = tuple(dict.fromkeys(_of_rtstruct(data)))
                return Annotation(AnnotationKind.RTSTRUCT, path, names, series)
        except DICOM_ERRORS as error:
            raise InputError(f"DICOM file is damaged: {damage(error)}") from error
    return None


def segment_value(segment: pydicom.Dataset) -> int:
    """Return the value of a segment in the labels that `read_segmentation` returns."""
    told = (str(segment.get(name, "")) for name in ("SegmentDescription", "TrackingID"))
    tracked = next(filter(None, map(_LABEL.fullmatch, told)), None)
    return int(tracked[1]) if tracked else int(segment.SegmentNumber)


def _of_seg(data: pydicom.Dataset) -> tuple[SeriesUid, ...]:
    return tuple(
        SeriesUid(str(item.SeriesInstanceUID))
        for item in data.get("ReferencedSeriesSequence") or []
    )


def _of_rtstruct(data: pydicom.Dataset) -> Iterator[SeriesUid]:
    for frame in data.get("ReferencedFrameOfReferenceSequence") or []:
        for study in frame.get("RTReferencedStudySequence") or []:
            for series in study.get("RTReferencedSeriesSequence") or []:
                yield SeriesUid(str(series.SeriesInstanceUID))
