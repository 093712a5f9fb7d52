"""What becomes of an attribute by its tag: PS3.15 Table E.1-1 and its option columns.

The column of the Basic Profile is read from the tables that the package dicom-anonymizer
carries; the columns of the options follow from the kind of an attribute, as they do in the
standard: dates are longitudinal, texts that describe are descriptors, and so on.
"""

import re
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Final

from pydicom.datadict import dictionary_VR, keyword_for_tag

from medloop.core.errors import ServiceError
from medloop.dicom.deidentify.profile import EDITION, Clean, Profile, Retain

DATES: Final = frozenset(["DA", "TM", "DT"])
TEXTS: Final = frozenset(["LO", "SH", "ST", "LT", "UT", "UC"])


class Action(StrEnum):
    """The actions of Table E.1-1a; several in one choose by the Type in the IOD."""

    KEEP = "K"
    CLEAN = "C"
    DUMMY = "D"
    EMPTY = "Z"
    REMOVE = "X"
    UID = "U"
    EMPTY_OR_DUMMY = "Z/D"
    REMOVE_OR_EMPTY = "X/Z"
    REMOVE_OR_DUMMY = "X/D"
    REMOVE_EMPTY_OR_DUMMY = "X/Z/D"
    REFERENCES = "X/Z/U*"


_LISTS: Final = {
    "D_TAGS": Action.DUMMY,
    "Z_TAGS": Action.EMPTY,
    "X_TAGS": Action.REMOVE,
    "U_TAGS": Action.UID,
    "Z_D_TAGS": Action.EMPTY_OR_DUMMY,
    "X_Z_TAGS": Action.REMOVE_OR_EMPTY,
    "X_D_TAGS": Action.REMOVE_OR_DUMMY,
    "X_Z_D_TAGS": Action.REMOVE_EMPTY_OR_DUMMY,
    "X_Z_U_STAR_TAGS": Action.REFERENCES,
}
# Rtn. Dev. Id. Opt., Rtn. Inst. Id. Opt. and Rtn. Pat. Chars. Opt. by keyword.
_DEVICE: Final = re.compile(
    r"(Station(Name|AETitle|NameCodeSequence|GeographicLocationCodeSequence)"
    r"|DeviceSerialNumber|DeviceUID|DeviceClassUID|GantryID|GeneratorID|DetectorID|PlateID"
    r"|CassetteID|DeviceDescription|DeviceLabel|DeviceAlternateIdentifier|DeviceIdentifier"
    r"|CaptureDeviceID|CreationDeviceID|ModifyingDeviceID|TreatmentMachineName|UDISequence"
    r"|UniqueDeviceIdentifier|TransducerIdentificationSequence|XRayDetectorLabel|XRaySourceID"
    r"|SourceSerialNumber|SourceManufacturer|LensMake|LensModel|LensSerialNumber"
    r"|LensSpecification|DetectorCalibration)$"
)
_INSTITUTION: Final = re.compile(
    r"^(InstitutionName|InstitutionAddress|InstitutionCodeSequence|InstitutionalDepartment.*"
    r"|ClinicalTrial(CoordinatingCenterName|SiteID|SiteName|ProtocolEthicsCommitteeName))$"
)
_PATIENT: Final = frozenset(
    [
        "PatientSex",
        "PatientAge",
        "PatientSize",
        "PatientWeight",
        "EthnicGroup",
        "EthnicGroups",
        "EthnicGroupCodeSequence",
        "SmokingStatus",
        "PregnancyStatus",
        "PatientSexNeutered",
    ]
)
_PATIENT_TEXT: Final = frozenset(["Allergies", "PatientState", "PreMedication", "SpecialNeeds"])
_DESCRIPTOR: Final = re.compile(
    r"Description|Comments?|Reason|Notes|Label$|Protocol(Name|Description)|Topic|Narrative"
    r"|^Treatment(Sites?|TechniqueNotes)$|ROIName|StructureSetName|RTPlanName|Impressions"
    r"|InterpretationText|TextString|ContrastBolusAgent|RequestedContrastAgent|^Allergies$"
    r"|EntityName|^Additional|LabelText|TemplateName|MedicalAlerts|PatientState|PreMedication"
    r"|SpecialNeeds|^UnformattedTextValue$|^Occupation$|^PatientSetup"
)
_DESCRIPTOR_CODES: Final = frozenset(
    [
        "AdmittingDiagnosesCodeSequence",
        "ReasonForVisitCodeSequence",
        "ReasonForRequestedProcedureCodeSequence",
        "RequestAttributesSequence",
        "SpecimenPreparationSequence",
        "PrescriptionNotesSequence",
    ]
)
_CONTENT: Final = frozenset(["ContentSequence", "AcquisitionContextSequence"])
_GRAPHICS: Final = frozenset(["GraphicAnnotationSequence", "WaveformAnnotationSequence"])
# Dates of a person, not of a course of events: no option retains them.
_OF_A_PERSON: Final = re.compile(r"^Patient(Birth|Death)|^Certif|Interlock|^Selector")


@cache
def basic_actions() -> dict[int, Action]:
    """Read the Basic Profile's action of every tag that has one.

    Raises
    ------
    ServiceError
        If dicom-anonymizer, which carries the table, is not installed.
    """
    name = f"dicomanonymizer.dicom_anonymization_databases.dicomfields_{EDITION}"
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        text = "the table of PS3.15 is not installed: pip install 'medloop[deidentify]'"
        raise ServiceError(text) from error
    return {
        pair[0] << 16 | pair[1]: action
        for name, action in _LISTS.items()
        for pair in getattr(module, name)
        if len(pair) == 2  # repeating groups are handled as groups
    }


def action_of(tag: int, profile: Profile) -> Action | None:
    """Return what the profile with its options says of a tag, or `None` if it is not listed.

    Raises
    ------
    ServiceError
        If the table is not installed.
    """
    basic = basic_actions().get(tag)
    if basic is None:
        return None
    return _optional(tag, basic, profile) or basic


@cache
def _optional(tag: int, basic: Action, profile: Profile) -> Action | None:
    """Look an attribute up in the option columns; retaining goes before cleaning."""
    keyword = keyword_for_tag(tag)
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return None
    retained = _retained(keyword, vr, basic, profile.retain)
    return retained or _cleaned(keyword, vr, profile.clean)


def _retained(keyword: str, vr: str, basic: Action, retain: frozenset[Retain]) -> Action | None:
    keeps = (
        (Retain.DATES_FULL, vr in DATES and not _OF_A_PERSON.search(keyword)),
        (Retain.DATES_FULL, keyword == "TimezoneOffsetFromUTC"),
        (Retain.UIDS, basic is Action.UID),
        (Retain.DEVICE, bool(_DEVICE.search(keyword))),
        (Retain.INSTITUTION, bool(_INSTITUTION.match(keyword))),
        (Retain.PATIENT, keyword in _PATIENT),
    )
    if any(holds and option in retain for option, holds in keeps):
        return Action.KEEP
    shifts = vr in DATES and not _OF_A_PERSON.search(keyword)
    if Retain.DATES_SHIFTED in retain and (shifts or keyword == "TimezoneOffsetFromUTC"):
        return Action.CLEAN
    if Retain.PATIENT in retain and keyword in _PATIENT_TEXT:
        return Action.CLEAN
    return None


def _cleaned(keyword: str, vr: str, clean: frozenset[Clean]) -> Action | None:
    describes = vr in TEXTS and bool(_DESCRIPTOR.search(keyword))
    cleans = (
        (Clean.DESCRIPTORS, describes or keyword in _DESCRIPTOR_CODES),
        (Clean.STRUCTURED_CONTENT, keyword in _CONTENT),
        (Clean.GRAPHICS, keyword in _GRAPHICS),
    )
    return Action.CLEAN if any(holds and option in clean for option, holds in cleans) else None
