"""Labels become a binary Segmentation that refers to the images they were drawn on."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Integer
from numpy import ndarray
from pydicom import DataElement, Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from scipy import ndimage

from medloop.core.attestation import Drawn
from medloop.core.finding import Provenance, Result, Tracking
from medloop.core.image import LabelMap, Segment
from medloop.dicom.cielab import to_cielab
from medloop.dicom.codes import ALGORITHM_FAMILY, SOURCE_IMAGE, dcm
from medloop.dicom.write.attested import series_description, signer_name
from medloop.dicom.write.attributes import (
    Identity,
    coded,
    coding_schemes,
    new_dataset,
    reference,
    referenced_series,
)
from medloop.dicom.write.content import decimal
from medloop.dicom.write.planes import Plane, Planes, lay_out
from medloop.dicom.write.tracking import label_name, label_trackings
from medloop.dicom.write.uids import result_uid, uid_from

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_DERIVATION = dcm("113076", "Segmentation")
_SEQUENCE_HEADER = 12  # bytes of tag, VR and length (PS3.5 7.1.2)
_Frame = tuple[int, slice]  # a plane's index, and the rows where a label lies in it


def segmentation(result: Result, sources: Sequence[Dataset]) -> Dataset | None:
    """Write the labels of a result (PS3.3 A.51), or None where nothing is labeled.

    `sources` are the headers of the images the labels lie on: the slices of a volume in any
    order, one multi-frame object, or one picture. Labels without a pixel are left out; the
    others are numbered from 1 in the order of their labels and keep their label in their
    tracking identifier, or in their description if they are called otherwise since an earlier
    study. Frames are the source's where the grid is the source's, else the
    grid's slices; empty frames are left out.

    Raises
    ------
    InputError
        If flat labels do not have the picture's size.
    """
    segments = present_segments(result.labels)
    if result.labels is None or not segments:
        return None
    planes = lay_out(result.labels, sources)
    dataset = new_dataset(_identity(result.provenance), sources[0], result.provenance.told)
    _describe(dataset, result.provenance, planes, sources)
    names = label_trackings(result, segments)
    items = [
        _segment((number, label), segment, result.provenance, names[label])
        for number, (label, segment) in enumerate(segments.items(), start=1)
    ]
    dataset.SegmentSequence = items
    dataset.CodingSchemeIdentificationSequence = coding_schemes(
        [code.scheme for s in segments.values() for code in (s.category, s.concept)]
    )
    if not dataset.CodingSchemeIdentificationSequence:
        del dataset.CodingSchemeIdentificationSequence
    _store(dataset, planes, tuple(segments))
    return dataset


def present_segments(labels: LabelMap | None) -> Mapping[int, Segment]:
    """Return the described labels that have at least one pixel, in ascending order."""
    if labels is None:
        return {}
    planes = labels.array if labels.array.ndim == 3 else labels.array[None]
    seen = {
        int(value)
        for plane in planes
        if plane.any()  # most planes of most labels are empty
        for value in np.flatnonzero(np.bincount(plane.ravel()))
    }
    return {n: s for n, s in sorted(labels.segments.items()) if n > 0 and n in seen}


def _identity(provenance: Provenance) -> Identity:
    return Identity(
        sop_class=SEGMENTATION,
        sop_uid=result_uid(provenance, "seg"),
        series_uid=result_uid(provenance, "seg series"),
        series_number=901,
        series_description=series_description(provenance, "segments"),
        modality="SEG",
    )


def _describe(
    dataset: Dataset, provenance: Provenance, planes: Planes, sources: Sequence[Dataset]
) -> None:
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.ContentLabel = "MEDLOOP"
    dataset.ContentDescription = f"medloop {provenance.analysis} {provenance.version}"[:64]
    signed = provenance.attested
    dataset.ContentCreatorName = signer_name(signed) if signed else ""
    dataset.SegmentationType = "BINARY"
    dataset.SegmentsOverlap = "NO"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.Rows, dataset.Columns = planes.array.shape[1:]
    dataset.BurnedInAnnotation = "NO"
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if sources[0].get("LossyImageCompression") == "01" and keyword in sources[0]:
            dataset[keyword] = sources[0][keyword]
    dataset.LossyImageCompression = sources[0].get("LossyImageCompression") or "00"
    if planes.frame_of_reference:
        dataset.FrameOfReferenceUID = planes.frame_of_reference
        dataset.PositionReferenceIndicator = sources[0].get("PositionReferenceIndicator", "")
    else:
        dataset.PatientOrientation = sources[0].get("PatientOrientation", "")
    dataset.ReferencedSeriesSequence = referenced_series(sources)


def _segment(
    numbered: tuple[int, int], segment: Segment, provenance: Provenance, tracking: Tracking
) -> Dataset:
    """Describe one segment; `numbered` are its number and its label."""
    number, label = numbered
    item = Dataset()
    item.SegmentNumber = number
    if tracking.name != label_name(label):  # called as in an earlier study
        item.SegmentDescription = label_name(label)
    item.SegmentLabel = segment.name[:64]
    signed = provenance.attested
    drawn = signed.drawn_by(label) if signed else Drawn.AUTOMATIC
    item.SegmentAlgorithmType = drawn.value
    if drawn is not Drawn.MANUAL:
        item.SegmentAlgorithmName = f"medloop {provenance.analysis}"[:64]
        item.SegmentationAlgorithmIdentificationSequence = [_algorithm(provenance)]
    item.SegmentedPropertyCategoryCodeSequence = [coded(segment.category)]
    item.SegmentedPropertyTypeCodeSequence = [coded(segment.concept)]
    if segment.site is not None:
        item.AnatomicRegionSequence = [coded(segment.site)]
    item.TrackingID = tracking.name[:64]
    item.TrackingUID = tracking.uid
    item.RecommendedDisplayCIELabValue = list(to_cielab(segment.color))
    return item


def _algorithm(provenance: Provenance) -> Dataset:
    item = Dataset()
    item.AlgorithmFamilyCodeSequence = [coded(ALGORITHM_FAMILY)]
    item.AlgorithmName = f"medloop {provenance.analysis}"[:64]
    item.AlgorithmVersion = provenance.version[:64]
    if provenance.weights:
        item.AlgorithmParameters = "; ".join(
            f"{w.bundle} {w.version} sha256 {w.sha256}" for w in provenance.weights
        )
    return item


def _store(dataset: Dataset, planes: Planes, labels: Sequence[int]) -> None:
    """Write the frames that have pixels, segment by segment, and say where each belongs."""
    slices: dict[int, list[_Frame]] = {label: [] for label in labels}
    for index, plane in enumerate(planes.array):
        for label, rows in _rows_of(plane).items():
            if label in slices:
                slices[label].append((index, rows))
    is_spatial = planes.orientation is not None
    _describe_dimensions(dataset, is_spatial=is_spatial)
    dataset.SharedFunctionalGroupsSequence = [_shared(planes)]
    frames, groups = [], []
    used = sorted({index for members in slices.values() for index, _ in members})
    place = {index: n for n, index in enumerate(used, start=1)}
    of_plane = {index: _plane_groups(planes.planes[index]) for index in used}
    for number, label in enumerate(labels, start=1):
        for index, rows in slices[label]:
            frames.append((planes.array[index], label, rows))
            position = (number, place[index]) if is_spatial else (number,)
            groups.append(_frame_groups(of_plane[index], number, position))
    dataset.NumberOfFrames = len(frames)
    dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.PixelData = _pack(frames)
    dataset["PixelData"].VR = "OB"
    text = dataset._character_set  # noqa: SLF001 (what pydicom compares)
    dataset.set_original_encoding(
        is_implicit_vr=False, is_little_endian=True, character_encoding=text
    )


def _rows_of(plane: Integer[ndarray, "row column"]) -> Mapping[int, slice]:
    """Return the rows between which each label lies, of those in the plane."""
    if not plane.any():
        return {}
    boxes = ndimage.find_objects(plane)
    return {label: box[0] for label, box in enumerate(boxes, start=1) if box is not None}


def _pack(frames: Sequence[tuple[ndarray, int, slice]]) -> bytes:
    """Pack bits end to end, first pixel in the lowest bit (PS3.5 8.1.1), to an even length.

    A frame is a plane, the label it shows, and the rows where that lies.
    """
    size = frames[0][0].size
    columns = frames[0][0].shape[1]
    length = -(-len(frames) * size // 8)
    out = np.zeros(length + length % 2, np.uint8)
    for n, (plane, label, rows) in enumerate(frames):
        first = n * size + rows.start * columns
        lead = first % 8  # pixels of this byte that came before
        bits = (plane[rows] == label).ravel()
        packed = np.packbits(np.pad(bits, (lead, 0)) if lead else bits, bitorder="little")
        out[first // 8 : first // 8 + len(packed)] |= packed
    return out.tobytes()


def _describe_dimensions(dataset: Dataset, *, is_spatial: bool) -> None:
    organization = uid_from(dataset.SOPInstanceUID, "dimensions")
    pointers = [("SegmentIdentificationSequence", "ReferencedSegmentNumber")]
    if is_spatial:
        pointers.append(("PlanePositionSequence", "ImagePositionPatient"))
    item = Dataset()
    item.DimensionOrganizationUID = organization
    dataset.DimensionOrganizationSequence = [item]
    indices = []
    for group, attribute in pointers:
        index = Dataset()
        index.DimensionOrganizationUID = organization
        index.DimensionIndexPointer = tag_for_keyword(attribute)
        index.FunctionalGroupPointer = tag_for_keyword(group)
        index.DimensionDescriptionLabel = attribute
        indices.append(index)
    dataset.DimensionIndexSequence = indices


def _shared(planes: Planes) -> Dataset:
    groups = Dataset()
    if planes.orientation is None or planes.spacing_mm is None:
        return groups
    slice_mm, row_mm, column_mm = planes.spacing_mm
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing = [decimal(row_mm), decimal(column_mm)]
    measures.SliceThickness = measures.SpacingBetweenSlices = decimal(slice_mm)
    orientation.ImageOrientationPatient = [decimal(v) for v in planes.orientation]
    groups.PixelMeasuresSequence = [measures]
    groups.PlaneOrientationSequence = [orientation]
    return groups


def _plane_groups(plane: Plane) -> Sequence[RawDataElement]:
    """Say where a plane lies and which source it comes from, as all its frames store it."""
    groups = Dataset()
    if plane.position_mm is not None:
        where = Dataset()
        where.ImagePositionPatient = [decimal(v) for v in plane.position_mm]
        groups.PlanePositionSequence = [where]
    derivation, source = Dataset(), reference(plane.source, frame=plane.frame)
    source.SpatialLocationsPreserved = "YES" if plane.covers else "NO"
    source.PurposeOfReferenceCodeSequence = [coded(SOURCE_IMAGE)]
    derivation.SourceImageSequence = [source]
    derivation.DerivationCodeSequence = [coded(_DERIVATION)]
    groups.DerivationImageSequence = [derivation]
    return [_encoded(sequence) for sequence in groups]


def _encoded(sequence: DataElement) -> RawDataElement:
    """Encode a sequence once, to be stored in many items (explicit VR, little endian)."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_data_element(buffer, sequence, ["utf8"])
    value = buffer.getvalue()[_SEQUENCE_HEADER:]
    return RawDataElement(sequence.tag, "SQ", len(value), value, 0, False, True)  # noqa: FBT003 (a named tuple)


def _frame_groups(
    of_plane: Sequence[RawDataElement], number: int, position: tuple[int, ...]
) -> Dataset:
    groups, content, segment = _item(), _item(), _item()
    content.DimensionIndexValues = list(position)
    segment.ReferencedSegmentNumber = number
    groups.FrameContentSequence = [content]
    groups.SegmentIdentificationSequence = [segment]
    for sequence in of_plane:
        groups[sequence.tag] = sequence
    return groups


def _item() -> Dataset:
    """Return an item that is stored as it is: of thousands, pydicom need not look at each."""
    item = Dataset()
    item.set_original_encoding(
        is_implicit_vr=False, is_little_endian=True, character_encoding="iso8859"
    )
    return item
