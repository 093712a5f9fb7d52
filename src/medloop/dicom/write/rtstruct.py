"""Structures become an RT Structure Set on the slices they were drawn on (PS3.3 A.19)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from medloop.core.errors import InputError
from medloop.core.finding import Provenance, Result
from medloop.core.structure import Contour, Structure
from medloop.dicom.write.attested import series_description, signer_name
from medloop.dicom.write.attributes import (
    Identity,
    coded,
    coding_schemes,
    new_dataset,
    reference,
)
from medloop.dicom.write.planes import SourceFrame, source_frames
from medloop.dicom.write.uids import result_uid

STRUCTURE_SET: Final = "1.2.840.10008.5.1.4.1.1.481.3"
_STUDY_CLASS: Final = "1.2.840.10008.3.1.2.3.1"  # study management, retired
_OFF_SLICES: Final = 0.1  # a contour nearer to a slice lies on it, and is moved there
_DECIMALS: Final = 4  # of a mm: within the 16 characters of a DS
_SIDES: Final = ("7771000", "24028007", "51440002")  # left, right, both: CID 244


@dataclass(frozen=True, slots=True, eq=False)
class _Slices:
    """The frames of the source by their height along the normal they share."""

    frames: tuple[SourceFrame, ...]
    normal: Float[ndarray, "3"]
    heights_mm: Float[ndarray, " n"]
    tolerance_mm: float


def structure_set(result: Result, sources: Sequence[Dataset]) -> Dataset | None:
    """Write the structures of a result, or None where there are none.

    `sources` are the headers of the slices, or of one multi-frame object, that the contours
    were drawn on. Each contour refers to the slice it lies on; one that lies on none (a
    resampled volume) refers to none. Contours of fewer than three points are left out, and a
    structure without contours is named all the same. Stored with implicit VR, since explicit
    VR has no room for contours of more than 64 kB (PS3.5 7.1.2).

    Raises
    ------
    InputError
        If the source states no frame of reference, or not where its slices are.
    ValueError
        If two structures have one number.
    """
    structures = result.structures
    if not structures:
        return None
    if len({s.number for s in structures}) < len(structures):
        raise ValueError("two structures have the same number")
    slices = _slices(sources)
    frame_uid = sources[0].get("FrameOfReferenceUID")
    if not frame_uid or slices is None:
        raise InputError("contours need slices with positions and a frame of reference")
    provenance = result.provenance
    dataset = new_dataset(
        _identity(provenance),
        sources[0],
        provenance.told,
        syntax=ImplicitVRLittleEndian,
    )
    _describe(dataset, provenance)
    dataset.FrameOfReferenceUID = frame_uid
    dataset.PositionReferenceIndicator = sources[0].get("PositionReferenceIndicator", "")
    dataset.ReferencedFrameOfReferenceSequence = [_frame_of_reference(slices, str(frame_uid))]
    dataset.StructureSetROISequence = [
        _roi(structure, str(frame_uid), provenance) for structure in structures
    ]
    dataset.ROIContourSequence = [_drawn(structure, slices) for structure in structures]
    dataset.RTROIObservationsSequence = [
        _observation(number, structure) for number, structure in enumerate(structures, start=1)
    ]
    codes = [code for s in structures for code in (s.concept, s.site) if code is not None]
    if schemes := coding_schemes([code.scheme for code in codes]):
        dataset.CodingSchemeIdentificationSequence = schemes
    return dataset


def _identity(provenance: Provenance) -> Identity:
    return Identity(
        sop_class=STRUCTURE_SET,
        sop_uid=result_uid(provenance, "rtstruct"),
        series_uid=result_uid(provenance, "rtstruct series"),
        series_number=905,
        series_description=series_description(provenance, "contours"),
        modality="RTSTRUCT",
    )


def _describe(dataset: Dataset, provenance: Provenance) -> None:
    del dataset.ContentDate, dataset.ContentTime  # a structure set has a date of its own
    dataset.OperatorsName = ""
    dataset.StructureSetLabel = "MEDLOOP"
    dataset.StructureSetName = f"medloop {provenance.analysis}"[:64]
    dataset.StructureSetDate = f"{provenance.told:%Y%m%d}"
    dataset.StructureSetTime = f"{provenance.told:%H%M%S}"
    signed = provenance.attested
    is_approved = signed is not None and signed.meaning.is_verified
    dataset.ApprovalStatus = "APPROVED" if is_approved else "UNAPPROVED"
    if signed is None:
        dataset.StructureSetDescription = "Drawn by a program, not yet reviewed by a person"
        return
    dataset.StructureSetDescription = f"Reviewed by a person: {signed.meaning} report"
    dataset.OperatorsName = signer_name(signed)
    if is_approved:
        dataset.ReviewDate, dataset.ReviewTime = f"{signed.at:%Y%m%d}", f"{signed.at:%H%M%S}"
        dataset.ReviewerName = signer_name(signed)


def _slices(sources: Sequence[Dataset]) -> _Slices | None:
    frames = source_frames(sources)
    if not frames:
        return None
    first = frames[0].orientation
    normal = np.cross(first[:3], first[3:])
    normal /= np.linalg.norm(normal)
    heights = np.array([frame.position @ normal for frame in frames])
    steps = np.diff(np.unique(np.round(heights, _DECIMALS)))
    gap = float(steps.min()) if len(steps) else 1.0
    return _Slices(tuple(frames), normal, heights, _OFF_SLICES * gap)


def _frame_of_reference(slices: _Slices, frame_uid: str) -> Dataset:
    series: dict[str, dict[str, Dataset]] = {}
    for frame in slices.frames:
        source = frame.plane.source
        objects = series.setdefault(source.SeriesInstanceUID, {})
        objects.setdefault(source.SOPInstanceUID, reference(source))
    item, study = Dataset(), Dataset()
    study.ReferencedSOPClassUID = _STUDY_CLASS
    study.ReferencedSOPInstanceUID = slices.frames[0].plane.source.StudyInstanceUID
    study.RTReferencedSeriesSequence = []
    for uid, objects in series.items():
        referenced = Dataset()
        referenced.SeriesInstanceUID = uid
        referenced.ContourImageSequence = list(objects.values())
        study.RTReferencedSeriesSequence.append(referenced)
    item.FrameOfReferenceUID = frame_uid
    item.RTReferencedStudySequence = [study]
    return item


def _roi(structure: Structure, frame_uid: str, provenance: Provenance) -> Dataset:
    item = Dataset()
    item.ROINumber = structure.number
    item.ReferencedFrameOfReferenceUID = frame_uid
    item.ROIName = structure.name[:64]
    # without a network it is computed from what somebody drew (PS3.3 C.8.8.5)
    item.ROIGenerationAlgorithm = "AUTOMATIC" if provenance.weights else "SEMIAUTOMATIC"
    drawn_by = [f"{w.bundle} {w.version}" for w in provenance.weights]
    item.ROIGenerationDescription = "; ".join(
        [f"medloop {provenance.analysis} {provenance.version}", *drawn_by]
    )[:64]
    return item


def _drawn(structure: Structure, slices: _Slices) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor = list(structure.color)
    contours = [_contour(contour, slices) for contour in structure.contours]
    if contours := [each for each in contours if each.NumberOfContourPoints >= 3]:
        for number, each in enumerate(contours, start=1):
            each.ContourNumber = number
        item.ContourSequence = contours
    item.ReferencedROINumber = structure.number
    return item


def _contour(contour: Contour, slices: _Slices) -> Dataset:
    points_mm, frame = _on_slice(contour.points_mm, slices)
    item = Dataset()
    if frame is not None:
        plane = frame.plane
        item.ContourImageSequence = [reference(plane.source, frame=plane.frame)]
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(points_mm)
    item.ContourData = (np.round(points_mm, _DECIMALS) + 0.0).reshape(-1).tolist()  # no -0.0
    return item


def _on_slice(
    points_mm: Float[ndarray, "n 3"], slices: _Slices
) -> tuple[Float[ndarray, "n 3"], SourceFrame | None]:
    """Find the slice that a contour lies on, and move its points exactly there."""
    depths = points_mm @ slices.normal
    nearest = int(np.argmin(np.abs(slices.heights_mm - depths.mean())))
    off = slices.heights_mm[nearest] - depths
    if len(off) == 0 or np.abs(off).max() > slices.tolerance_mm:
        return points_mm, None
    return points_mm + off[:, None] * slices.normal, slices.frames[nearest]


def _observation(number: int, structure: Structure) -> Dataset:
    item = Dataset()
    item.ObservationNumber = number
    item.ReferencedROINumber = structure.number
    item.RTROIInterpretedType = structure.kind.value
    item.ROIInterpreter = ""
    if structure.site is not None and structure.site.value not in _SIDES:
        item.AnatomicRegionSequence = [coded(structure.site)]
    if structure.concept is not None:
        concept = coded(structure.concept)
        if structure.site is not None and structure.site.value in _SIDES:
            concept.SegmentedPropertyTypeModifierCodeSequence = [coded(structure.site)]
        item.RTROIIdentificationCodeSequence = [concept]
    return item
