"""A photograph from a plain file becomes an Ophthalmic Photography object."""

import re
from datetime import datetime

import numpy as np
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from medloop.core.code import Code
from medloop.core.errors import InputError
from medloop.core.image import Picture
from medloop.core.study import Case
from medloop.dicom.write.attributes import Identity, coded, new_dataset
from medloop.dicom.write.jpeg import JpegHeader, jpeg_header
from medloop.dicom.write.pixels import declare_lossy, store_jpeg, store_native
from medloop.dicom.write.uids import uid_from

OPHTHALMIC_8_BIT = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
OPHTHALMIC_16_BIT = "1.2.840.10008.5.1.4.1.1.77.1.5.2"
_UTC_FRAME = "1.2.840.10008.15.1.1"  # Universal Coordinated Time (PS3.6 annex A)
_EYE = Code("SCT", "81745001", "Eye")
_FUNDUS_CAMERA = Code("SCT", "409898007", "Fundus Camera")
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
_UNKNOWN = (  # type 2 attributes of which a plain picture says nothing
    "PatientEyeMovementCommanded",
    "EmmetropicMagnification",
    "IntraOcularPressure",
    "HorizontalFieldOfView",
    "PupilDilated",
    "DetectorType",
)
_UNKNOWN_SEQUENCES = (
    "RefractiveStateSequence",
    "IlluminationTypeCodeSequence",
    "LightPathFilterTypeStackCodeSequence",
    "ImagePathFilterTypeStackCodeSequence",
    "LensesCodeSequence",
    "AcquisitionContextSequence",
)


def photograph(case: Case, *, now: datetime) -> Dataset:
    """Wrap the picture of a case that did not come as DICOM (PS3.3 A.41 and A.42).

    A baseline JPEG keeps its bytes. Other files are stored uncompressed, upright: 8-bit as
    they are, 16-bit gray as Ophthalmic Photography 16 Bit, 16-bit color reduced to 8.
    UIDs depend on the file alone, so that every analysis of it refers to one photograph.

    Raises
    ------
    InputError
        If the file cannot be read again.
    """
    picture = case.images[0]
    if not isinstance(picture, Picture):
        raise TypeError("a photograph is made from a picture, not from a volume")
    data = _stored_bytes(case)
    dataset = new_dataset(_identity(case, picture), case.study, now)
    header = jpeg_header(data)
    _describe_acquisition(dataset, case, taken=header.taken if header else "")
    _store(dataset, picture, data, header)
    if picture.spacing_mm is not None:
        dataset.PixelSpacing = [f"{s:.10g}" for s in picture.spacing_mm]
        dataset.PixelSpacingCalibrationType = "FIDUCIAL"
        dataset.PixelSpacingCalibrationDescription = "resolution stated by the picture file"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    return dataset


def _stored_bytes(case: Case) -> bytes:
    try:
        return case.selection.series[0].instances[0].path.read_bytes()
    except OSError as problem:
        raise InputError(
            f"cannot reread the source of a result: {problem.strerror}"
        ) from problem


def _identity(case: Case, picture: Picture) -> Identity:
    series = case.selection.series[0]
    instance = series.instances[0]
    is_deep_gray = picture.array.dtype == np.uint16 and not picture.is_color
    return Identity(
        sop_class=OPHTHALMIC_16_BIT if is_deep_gray else OPHTHALMIC_8_BIT,
        sop_uid=_valid(instance.uid) or uid_from(instance.sha256, "photograph"),
        series_uid=_valid(series.uid) or uid_from(instance.sha256, "photograph series"),
        series_number=1,
        series_description=series.description or "Photograph",
        modality="OP",
    )


def _valid(uid: str) -> str | None:
    return uid if len(uid) <= 64 and _UID.fullmatch(uid) else None


def _describe_acquisition(dataset: Dataset, case: Case, *, taken: str) -> None:
    series = case.selection.series[0]
    comments = []
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.AcquisitionDateTime = taken or case.study.date or dataset.ContentDate
    if not taken and not case.study.date:  # type 1C for an original image
        comments.append("Acquisition time unknown: date of conversion given")
    dataset.BurnedInAnnotation = "NO"
    dataset.PatientOrientation = ""
    dataset.NumberOfFrames = 1
    dataset.FrameIncrementPointer = tag_for_keyword("FrameTime")
    dataset.FrameTime = "0"
    dataset.SynchronizationFrameOfReferenceUID = _UTC_FRAME
    dataset.SynchronizationTrigger = "NO TRIGGER"
    dataset.AcquisitionTimeSynchronized = "N"
    for keyword in _UNKNOWN:
        setattr(dataset, keyword, None)
    for keyword in _UNKNOWN_SEQUENCES:
        setattr(dataset, keyword, [])
    dataset.AcquisitionDeviceTypeCodeSequence = [coded(_FUNDUS_CAMERA)]
    dataset.AnatomicRegionSequence = [coded(_EYE)]
    dataset.ImageLaterality = series.laterality or "B"
    if not series.laterality:  # type 1, and the standard has no value for "unknown"
        comments.append("Side unknown: Image Laterality B stands for either eye")
    if comments:
        dataset.ImageComments = "; ".join(comments)


def _store(dataset: Dataset, picture: Picture, data: bytes, header: JpegHeader | None) -> None:
    dataset.LossyImageCompression = "00"
    photometric = header.photometric if header is not None and header.is_plain else None
    if header is not None and photometric is not None and header.size == picture.size:
        store_jpeg(dataset, data, header.size, photometric)
        return
    array = picture.array
    if picture.is_color and array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    store_native(dataset, array)
    if header is not None:
        declare_lossy(dataset, len(data))
