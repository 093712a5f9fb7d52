"""What an object itself tells of who it is about: names, numbers and dates to look for."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pydicom import DataElement, Dataset
from pydicom.multival import MultiValue

from medloop.dicom.deidentify.charsets import readings
from medloop.dicom.foreign import DICOM_ERRORS

# Numbers and places that lead to a person, a visit, a device or a house.
_NUMBERS: Final = re.compile(
    r"^(PatientID|OtherPatientIDs|AccessionNumber|AdmissionID|ServiceEpisodeID|PatientAddress"
    r"|PatientInsurance.*|InsurancePlanIdentification|MedicalRecordLocator|.*TelephoneNumbers?"
    r"|.*PhoneNumber|.*TelecomInformation|.*Address|PatientBirthDate|PatientMotherBirthName"
    r"|FillerOrderNumber.*|PlacerOrderNumber.*|RequestedProcedureID|StudyID"
    r"|ScheduledProcedureStepID|PerformedProcedureStepID|SpecimenAccessionNumber"
    r"|ClinicalTrialSubjectID|CameraOwnerName|CurrentPatientLocation|PatientInstitutionResidence"
    r"|RegionOfResidence|Occupation|ResponsibleOrganization|IssuerOfPatientID|MilitaryRank)$"
)
_DEVICES: Final = re.compile(
    r"^(DeviceSerialNumber|StationName|PerformedStationName|ScheduledStationName|GantryID"
    r"|DetectorID|PlateID|CassetteID|LensSerialNumber|StationAETitle|UniqueDeviceIdentifier)$"
)
_INSTITUTIONS: Final = re.compile(
    r"^(InstitutionName|InstitutionAddress|InstitutionalDepartmentName|VerifyingOrganization)$"
)
_SEPARATORS: Final = re.compile(r"[\^=\s,;·・]+")
_UNTELLING: Final = frozenset(
    [
        "ct",
        "mr",
        "us",
        "xa",
        "dx",
        "cr",
        "pt",
        "nm",
        "ot",
        "sc",
        "dr",
        "md",
        "phd",
        "mrs",
        "mr",
        "ms",
        "jr",
        "sr",
        "ii",
        "iii",
        "iv",
        "hd",
        "an",
        "anonymous",
        "anonym",
        "unknown",
        "none",
        "test",
        "removed",
        "patient",
        "phantom",
        "qc",
        "na",
        "nil",
    ]
)
_IDEOGRAPHS: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """Words that name somebody, and numbers or phrases that lead to them; never shown."""

    names: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()

    def joined(self, other: "Identity") -> "Identity":
        """Know what both know."""
        return Identity(self.names | other.names, self.numbers | other.numbers)


def identity_of(
    dataset: Dataset, *, keep_device: bool = False, keep_institution: bool = False
) -> Identity:
    """Gather every person's name, and the numbers and places beside them, at any depth."""
    names: set[str] = set()
    numbers: set[str] = set()
    for element in _elements(dataset):
        keyword = element.keyword
        texts = [text for value in _values(element) for text in readings(str(value))]
        if element.VR == "PN":
            names.update(part for text in texts for part in _names(text))
        elif (
            _NUMBERS.match(keyword)
            or (_DEVICES.match(keyword) and not keep_device)
            or (_INSTITUTIONS.match(keyword) and not keep_institution)
        ):
            numbers.update(number for text in texts for number in _numbers(text, element.VR))
    return Identity(frozenset(names), frozenset(numbers))


def _elements(dataset: Dataset) -> Iterator[DataElement]:
    for tag in list(dataset.keys()):
        if tag.group in (0x7FE0, 0x5400) or tag.is_private:
            continue
        try:
            element = dataset[tag]
            items = list(element.value) if element.VR == "SQ" else []
        except DICOM_ERRORS:
            continue
        for item in items:
            yield from _elements(item)
        if element.VR != "SQ" and element.value is not None:
            yield element


def _values(element: DataElement) -> Iterable[object]:
    return element.value if isinstance(element.value, MultiValue) else [element.value]


def _names(text: str) -> Iterator[str]:
    """Split a person's name into what may stand alone in a text, and what is written as one."""
    for group in text.split("="):
        parts = [part for part in _SEPARATORS.split(group) if part]
        for part in parts:
            if _tells(part):
                yield part
        if len(parts) > 1 and _IDEOGRAPHS.search(group):
            yield "".join(parts[:2])
        elif len(parts) > 1 and min(map(len, parts[:2])) > 1:
            yield from ("".join(parts[:2]), "".join(parts[1::-1]))


def _tells(part: str) -> bool:
    bare = part.strip(".-'\"()")
    return len(bare) >= 2 and bare.lower() not in _UNTELLING and not bare.isdigit()


def _numbers(text: str, vr: str) -> Iterator[str]:
    text = text.strip()
    if vr == "DA" and len(text) == 8:
        year, month, day = text[:4], text[4:6], text[6:]
        yield from (text, year[2:] + month + day, day + month + year, month + day + year)
    elif (len(text) >= 4 and (any(map(str.isdigit, text)) or len(text) >= 6)) or (
        len(text) >= 2 and _IDEOGRAPHS.search(text)
    ):
        yield text
