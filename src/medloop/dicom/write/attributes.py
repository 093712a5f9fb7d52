"""What every object we write shares: patient, study, series, equipment, time, references."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from medloop import __version__
from medloop.core.code import Code
from medloop.core.study import Study
from medloop.dicom.codes import MANUFACTURER, PRIVATE
from medloop.dicom.write.sources import OPTIONAL, REQUIRED
from medloop.dicom.write.uids import IMPLEMENTATION_NAME, IMPLEMENTATION_UID

UTF_8 = "ISO_IR 192"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which object in which series this is."""

    sop_class: str
    sop_uid: str
    series_uid: str
    series_number: int
    series_description: str
    modality: str


def new_dataset(
    identity: Identity,
    source: Dataset | Study,
    now: datetime,
    *,
    syntax: str = ExplicitVRLittleEndian,
) -> Dataset:
    """Begin an object: Patient, Study, Series, Equipment and SOP Common modules."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = UTF_8
    dataset.SOPClassUID = identity.sop_class
    dataset.SOPInstanceUID = identity.sop_uid
    if isinstance(source, Dataset):
        for keyword in ("StudyInstanceUID", *REQUIRED, *OPTIONAL):
            if keyword in source:
                dataset[keyword] = source[keyword]
    else:
        _describe(source, dataset)
    dataset.SeriesInstanceUID = identity.series_uid
    dataset.SeriesNumber = identity.series_number
    dataset.SeriesDescription = identity.series_description
    dataset.Modality = identity.modality
    dataset.InstanceNumber = 1
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    stamp(dataset, now)
    return dataset


def stamp(dataset: Dataset, now: datetime) -> Dataset:
    """Write who made an object and when, over whatever a library wrote; returns `dataset`."""
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MANUFACTURER
    dataset.SoftwareVersions = __version__
    dataset.DeviceSerialNumber = "0"
    date, time = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    dataset.InstanceCreationDate = date
    dataset.InstanceCreationTime = time
    dataset.ContentDate = date
    dataset.ContentTime = time
    dataset.TimezoneOffsetFromUTC = f"{now:%z}" or "+0000"
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    dataset.file_meta = meta
    dataset.preamble = b"\0" * 128
    return dataset


def _describe(study: Study, target: Dataset) -> None:
    patient = study.patient
    target.StudyInstanceUID = study.uid
    target.PatientName = patient.name
    target.PatientID = patient.identifier
    target.PatientBirthDate = patient.birth_date
    target.PatientSex = patient.sex
    target.StudyDate = study.date
    target.StudyTime = ""
    target.AccessionNumber = study.accession
    target.ReferringPhysicianName = ""
    target.StudyID = ""
    if study.description:
        target.StudyDescription = study.description


def reference(source: Dataset, *, frame: int | None = None) -> Dataset:
    """Refer to an object (Image SOP Instance Reference Macro, PS3.3 table 10-3)."""
    item = Dataset()
    item.ReferencedSOPClassUID = source.SOPClassUID
    item.ReferencedSOPInstanceUID = source.SOPInstanceUID
    if frame is not None and int(source.get("NumberOfFrames", 1)) > 1:
        item.ReferencedFrameNumber = frame
    return item


def referenced_series(sources: Iterable[Dataset]) -> list[Dataset]:
    """List objects by their series (Referenced Series Sequence, PS3.3 C.12.2)."""
    by_series: dict[str, list[Dataset]] = {}
    for source in sources:
        by_series.setdefault(source.SeriesInstanceUID, []).append(reference(source))
    items = []
    for uid, instances in by_series.items():
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedInstanceSequence = instances
        items.append(item)
    return items


def referenced_evidence(objects: Iterable[Dataset]) -> list[Dataset]:
    """List objects by study and series (Hierarchical SOP Instance Reference, C.17.2.1)."""
    by_study: dict[str, dict[str, list[Dataset]]] = {}
    for source in objects:
        by_series = by_study.setdefault(source.StudyInstanceUID, {})
        by_series.setdefault(source.SeriesInstanceUID, []).append(reference(source))
    studies = []
    for study_uid, by_series in by_study.items():
        study = Dataset()
        study.StudyInstanceUID = study_uid
        study.ReferencedSeriesSequence = []
        for series_uid, instances in by_series.items():
            series = Dataset()
            series.SeriesInstanceUID = series_uid
            series.ReferencedSOPSequence = instances
            study.ReferencedSeriesSequence.append(series)
        studies.append(study)
    return studies


def coded(code: Code) -> Dataset:
    """Encode a concept (Code Sequence Macro, PS3.3 section 8)."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = code.meaning
    return item


def coding_schemes(designators: Sequence[str]) -> list[Dataset]:
    """Identify the private scheme where it is used (PS3.3 C.12.1.1.2)."""
    if PRIVATE not in designators:
        return []
    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE
    item.CodingSchemeName = "medloop private codes"
    item.CodingSchemeResponsibleOrganization = "medloop"
    return [item]


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """Return the ICC profile that says colors are sRGB."""
    from PIL import ImageCms  # noqa: PLC0415 - 20 ms, and only color objects need it

    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data[24:36] = bytes((7, 228, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))  # made now -> 2020-01-01
    return bytes(data)
