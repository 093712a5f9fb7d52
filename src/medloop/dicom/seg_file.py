"""A label map as one DICOM SEG file, out to other programs and in from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

from pydicom import Dataset, dcmread

from medloop.core.attestation import Drawn
from medloop.core.errors import FOREIGN_ERRORS, InputError
from medloop.core.finding import Result
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Picture
from medloop.core.person import plain_name
from medloop.core.study import Case
from medloop.dicom.annotations import segment_value
from medloop.dicom.deflate import inflated
from medloop.dicom.foreign import quiet
from medloop.dicom.read_results import read_segmentation
from medloop.dicom.write.photograph import photograph
from medloop.dicom.write.seg import segmentation
from medloop.dicom.write.sources import source_headers
from medloop.dicom.write.uids import uid_from


@dataclass(frozen=True, slots=True)
class DraftedBy:
    """Whose unsigned mask it is: `mask` is its SHA-256, `drawn` says who drew which label."""

    reader: str
    mask: str
    drawn: Mapping[int, Drawn]


def encode_seg(case: Case, result: Result, *, draft: DraftedBy | None = None) -> bytes:
    """Write the labels of a result as reports do; the pixels of a volume are not needed.

    A reader's `draft` gets UIDs of its own: one instance never has two contents.

    Raises
    ------
    InputError
        If nothing is labeled, or the volume did not come as DICOM.
    """
    with quiet():
        sources: tuple[Dataset, ...]
        if case.selection.series[0].instances[0].sop_class:
            sources = source_headers(case)
        elif case.images and isinstance(case.images[0], Picture):
            sources = (photograph(case, now=result.provenance.finished),)
        else:
            raise InputError("the volume did not come as DICOM: take the mask as NIfTI")
        made = segmentation(result, sources)
        if made is None:
            raise InputError("nothing is labeled")
        if draft is not None:
            _mark(made, draft)
        file = BytesIO()
        made.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _mark(made: Dataset, draft: DraftedBy) -> None:
    """Say that a segmentation is a reader's, and not signed."""
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        made[keyword].value = uid_from(made[keyword].value, "draft", draft.mask)
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.ContentCreatorName = plain_name(draft.reader)
    made.SeriesDescription = f"{made.SeriesDescription[:48]}, draft"
    made.ContentDescription = f"{made.ContentDescription[:44]}, not signed"
    for item in made.SegmentSequence:
        drawn = draft.drawn.get(segment_value(item), Drawn.AUTOMATIC)
        item.SegmentAlgorithmType = drawn.value
        if drawn is Drawn.MANUAL:
            del item.SegmentAlgorithmName
            del item.SegmentationAlgorithmIdentificationSequence


def decode_seg(data: bytes, grid: Grid | None, size: tuple[int, int]) -> LabelMap:
    """Read a SEG that any program made onto a volume's `grid`, or a picture of (height, width).

    Voxels are copied, never resampled.

    Raises
    ------
    InputError
        If it is damaged, no binary segmentation, or drawn on other voxels.
    """
    with quiet():
        try:
            dataset = dcmread(BytesIO(inflated(data)))
            frame = dataset.get("FrameOfReferenceUID")
            if grid is not None and frame not in (None, grid.frame_of_reference):
                raise InputError("the segmentation is of another frame of reference")
            labels = read_segmentation(dataset, grid=grid)
        except FOREIGN_ERRORS as error:
            raise InputError("the DICOM segmentation cannot be read") from error
    if (labels.grid is None) is not (grid is None):
        raise InputError("the segmentation does not lie on this image")
    if grid is None and labels.array.shape != size:
        told = " x ".join(str(n) for n in labels.array.shape[::-1])
        raise InputError(
            f"the segmentation is {told} pixels, the picture {size[1]} x {size[0]}"
        )
    return labels
