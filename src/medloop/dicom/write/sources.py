"""Headers of the images a result is about, reduced to what is used and safe to copy."""

import re
from typing import Final

from pydicom import Dataset, dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element

from medloop.core.errors import FOREIGN_ERRORS, InputError
from medloop.core.study import Case, Instance, Series, Study

# Patient, General Study and Patient Study attributes that are copied (PS3.3 C.7.1.1, C.7.2.1,
# C.7.2.2). The first group is type 2 and always present, if empty.
REQUIRED: Final = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
)
OPTIONAL: Final = (
    "IssuerOfPatientID",
    "OtherPatientIDsSequence",
    "EthnicGroup",
    "PatientComments",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "StudyDescription",
    "IssuerOfAccessionNumberSequence",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
)
_IMAGE: Final = (
    "Laterality",
    "ImageLaterality",
    "PatientOrientation",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
)
_GROUPS: Final = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
# Storage classes of one frame each, in which Number of Frames means nothing.
_SINGLE_FRAME: Final = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{end}"
    for end in ("1", "1.1", "1.1.1", "1.2", "1.3", "2", "4", "6.1", "7", "128")
)
# Elements by keyword, and how they are encoded; None for what cannot be decoded.
_Known = dict[tuple[str, str | None, bytes, bool], DataElement | None]
_LEGACY_DATE: Final = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)")  # PS3.5 6.2, note on ACR-NEMA
_LEGACY_TIME: Final = re.compile(r"(\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?")


def source_headers(case: Case) -> tuple[Dataset, ...]:
    """Read the headers of the instances a case was made from, ready to be referred to.

    Attributes that cannot be decoded or written again are left out; type 2 ones become empty.

    Raises
    ------
    InputError
        If an instance is gone from the archive or no longer an image.
    """
    headers: list[Dataset] = []
    known: _Known = {}
    for series in case.selection.series:
        for instance in series.instances:
            try:
                header = dcmread(instance.path, stop_before_pixels=True, force=True)
                reduced = _reduced(header, (case.study, series, instance), known)
                if not headers:  # one patient, one study: the first says who and which
                    _copy_identity(header, reduced)
                headers.append(reduced)
            except FOREIGN_ERRORS as problem:
                text = f"cannot reread the source of a result: {type(problem).__name__}"
                raise InputError(text) from problem
    return tuple(headers)


def _reduced(header: Dataset, of: tuple[Study, Series, Instance], known: _Known) -> Dataset:
    """Keep what is used; `known` are elements that slices before had, too."""
    study, series, instance = of
    reduced = Dataset()
    indexed = {
        "StudyInstanceUID": study.uid,
        "SeriesInstanceUID": series.uid,
        "SOPInstanceUID": instance.uid,
        "SOPClassUID": instance.sop_class,
    }
    for keyword, uid in indexed.items():
        setattr(reduced, keyword, str(header.get(keyword) or uid))
    reduced.Rows, reduced.Columns = int(header.Rows), int(header.Columns)
    if instance.frames > 1 and reduced.SOPClassUID not in _SINGLE_FRAME:
        reduced.NumberOfFrames = instance.frames
    for keyword in _IMAGE:
        _copy_known(header, keyword, reduced, known)
    for keyword in _GROUPS:
        if keyword in header:
            reduced[keyword] = header[keyword]
    return reduced


def _copy_identity(header: Dataset, target: Dataset) -> None:
    """Copy patient and study; text keeps its characters and will be stored as UTF-8."""
    for keyword in (*REQUIRED, *OPTIONAL):
        _copy(header, keyword, target)
        if keyword in REQUIRED and keyword not in target:
            setattr(target, keyword, "")
    for keyword, legacy in (
        ("StudyDate", _LEGACY_DATE),
        ("PatientBirthDate", _LEGACY_DATE),
        ("StudyTime", _LEGACY_TIME),
    ):
        match = legacy.fullmatch(str(target[keyword].value or ""))
        if match:
            setattr(target, keyword, "".join(part or "" for part in match.groups()))
    is_anonymous = target.get("PatientIdentityRemoved") == "YES"
    how = ("DeidentificationMethod", "DeidentificationMethodCodeSequence")
    if is_anonymous and not any(target.get(keyword) for keyword in how):
        target.DeidentificationMethod = "not stated by the source"


def _copy_known(source: Dataset, keyword: str, target: Dataset, known: _Known) -> None:
    """Copy an element; what most slices have in common is decoded once."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in source:
        return
    raw: object = source.get_item(tag)
    if not isinstance(raw, RawDataElement) or not isinstance(raw.value, bytes):
        _copy(source, keyword, target)
        return
    key = (keyword, raw.VR, raw.value, raw.is_little_endian)
    if key not in known:
        _copy(source, keyword, target)
        known[key] = target.get(tag)
        return
    element = known[key]
    if element is not None:
        target[keyword] = element


def _copy(source: Dataset, keyword: str, target: Dataset) -> None:
    """Copy an element if it can be decoded and written again."""
    if keyword not in source:
        return
    try:
        element = source[keyword]
        _write(element)
    except FOREIGN_ERRORS:
        return
    target[keyword] = element


def _write(element: DataElement) -> None:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_data_element(buffer, element, ["utf8"])
