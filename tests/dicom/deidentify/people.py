"""People with the 18 identifiers of HIPAA, written into every place where they are found."""

from dataclasses import dataclass, field

import numpy as np
from pydicom import Dataset
from pydicom.sequence import Sequence

LATIN = ["Thorvald", "Wilhelmina", "Oktavian", "Katharina", "Bartholomew", "Persephone"]
FAMILIES = ["Abernathy", "Kowalczyk", "Müllerstein", "Vandenberg", "Zhangsun", "Ouyanglin"]
CHINESE = [("欧阳", "晓东"), ("司马", "文静"), ("王", "小东"), ("李", "建国"), ("陈", "美玲")]
CHARSETS = [
    ["ISO_IR 192"],
    ["GB18030"],
    ["", "ISO 2022 IR 58"],
    ["ISO_IR 100"],
    [],  # nothing declared, Chinese all the same
]


@dataclass(frozen=True)
class Person:
    """The identifiers of one patient, each as it is written."""

    latin: str
    family: str
    chinese: tuple[str, str]
    physician: str
    charset: tuple[str, ...]
    numbers: dict[str, str] = field(default_factory=dict)

    @property
    def secrets(self) -> tuple[str, ...]:
        names = (self.latin, self.family, self.physician, "".join(self.chinese))
        return (*names, *self.numbers.values())


def digits(rng: np.random.Generator, count: int) -> str:
    return "".join(str(d) for d in rng.integers(1, 10, count))


def a_person(rng: np.random.Generator) -> Person:
    d = lambda count: digits(rng, count)  # noqa: E731
    born = f"{rng.integers(1930, 1990)}{rng.integers(1, 13):02}{rng.integers(1, 28):02}"
    seen = f"{rng.integers(2012, 2025)}{rng.integers(1, 13):02}{rng.integers(1, 28):02}"
    return Person(
        str(rng.choice(LATIN)),
        str(rng.choice(FAMILIES)),
        CHINESE[int(rng.integers(len(CHINESE)))],
        "Brandenburger",
        tuple(CHARSETS[int(rng.integers(len(CHARSETS)))]),
        {
            "address": f"{d(3)} Willowbrook Avenue",
            "born": born,
            "seen": seen,
            "phone": f"{d(3)}-{d(3)}-{d(4)}",
            "fax": f"+1 {d(3)} {d(3)} {d(4)}",
            "mobile": f"139{d(8)}",
            "mail": f"{d(4)}.mail@example{d(2)}.org",
            "ssn": f"{d(3)}-{d(2)}-{d(4)}",
            "mrn": f"MR{d(7)}",
            "identity card": f"110101{born}{d(3)}X",
            "health plan": f"HP-{d(8)}",
            "account": f"AC{d(9)}",
            "license": f"D{d(8)}",
            "plate": f"QX-{d(4)}",
            "serial": f"SN{d(6)}Z",
            "url": f"https://people.example{d(2)}.org/{d(5)}",
            "ip": f"10.{rng.integers(10, 250)}.{rng.integers(10, 250)}.{rng.integers(10, 250)}",
            "biometric": f"FP{d(8)}",
            "accession": f"A{d(8)}",
        },
    )


def story(person: Person) -> str:
    """A text with everything in it, as people write it into comments."""
    n = person.numbers
    b = n["born"]
    chinese = "".join(person.chinese) if writes_chinese(person) else person.family
    return (
        f"{person.latin} {person.family} ({chinese}) born {b[:4]}-{b[4:6]}-{b[6:]}, seen"
        f" {n['seen']}, lives {n['address']}, tel {n['phone']}, fax {n['fax']}, {n['mobile']},"
        f" {n['mail']}, SSN {n['ssn']}, MRN {n['mrn']}, ID {n['identity card']}, plan"
        f" {n['health plan']}, account {n['account']}, license {n['license']}, plate"
        f" {n['plate']}, device {n['serial']}, {n['url']}, {n['ip']}, fingerprint"
        f" {n['biometric']}, {n['accession']}; Dr. {person.physician}. Stable nodule 5 mm."
    )


def writes_chinese(person: Person) -> bool:
    return person.charset not in (("ISO_IR 100",), ())


def pn(person: Person) -> str:
    name = f"{person.family}^{person.latin}"
    return f"{name}={'^'.join(person.chinese)}" if writes_chinese(person) else name


def identify(dataset: Dataset, person: Person, uids: dict[str, str]) -> None:
    """Put the person into every kind of attribute."""
    n = person.numbers
    if person.charset:
        dataset.SpecificCharacterSet = list(person.charset)
    dataset.PatientName, dataset.PatientID = pn(person), n["mrn"]
    dataset.OtherPatientIDs = [n["ssn"], n["identity card"]]
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = n["born"], "F", "094Y"
    dataset.PatientAddress, dataset.PatientTelephoneNumbers = n["address"], n["phone"]
    dataset.PatientTelecomInformation = f"{n['mail']} {n['url']} {n['fax']}"
    dataset.AccessionNumber, dataset.StudyID = n["accession"], n["account"][:16]
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = n["seen"]
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "101112"
    dataset.ReferringPhysicianName = f"{person.physician}^A"
    dataset.OperatorsName = f"{person.physician}^B"
    dataset.InstitutionName, dataset.InstitutionAddress = "St. Elsewhere Clinic", n["address"]
    dataset.DeviceSerialNumber, dataset.StationName = n["serial"], n["serial"]
    dataset.Manufacturer, dataset.ManufacturerModelName = "ACME", "Scanner 3000"
    dataset.SoftwareVersions = "1.0"
    dataset.MedicalRecordLocator = n["health plan"]
    dataset.AdditionalPatientHistory = story(person)
    dataset.StudyDescription = f"Chest {person.family} {n['seen']}"
    dataset.SeriesDescription = f"1.25mm {n['mrn']} Lung"
    dataset.ProtocolName = f"Routine {person.latin}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uids["study"], uids["series"]
    dataset.FrameOfReferenceUID = uids["frame"]
    dataset.PositionReferenceIndicator = ""
    dataset.SeriesNumber, dataset.InstanceNumber = "1", str(uids.get("number", "1"))
    _nest(dataset, person)
    _private(dataset, person)
    dataset.preamble = story(person).encode("ascii", "replace")[:128].ljust(128)


def _nest(dataset: Dataset, person: Person) -> None:
    request = Dataset()
    request.RequestedProcedureDescription = f"CT of {person.latin} {person.family}"
    request.RequestedProcedureID = person.numbers["account"][:16]
    request.ScheduledProcedureStepID = "1"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "X1", "99LOCAL"
    code.CodeMeaning = f"For {person.family} {person.numbers['mrn']}"
    request.ScheduledProtocolCodeSequence = Sequence([code])
    dataset.RequestAttributesSequence = Sequence([request])
    dataset.ProcedureCodeSequence = Sequence([code])
    before = Dataset()
    old = Dataset()
    old.PatientName, old.PatientID = pn(person), person.numbers["mrn"]
    before.ModifiedAttributesSequence = Sequence([old])
    before.AttributeModificationDateTime = person.numbers["seen"] + "101112"
    before.ModifyingSystem, before.ReasonForTheAttributeModification = "S", "COERCE"
    before.SourceOfPreviousValues = person.physician
    dataset.OriginalAttributesSequence = Sequence([before])


def _private(dataset: Dataset, person: Person) -> None:
    block = dataset.private_block(0x0011, "ACME PEOPLE", create=True)
    block.add_new(0x01, "PN", pn(person))
    block.add_new(0x02, "LT", story(person))
    block.add_new(0x03, "OB", story(person).encode("utf-8") + b" ")
    inner = Dataset()
    inner.add_new(0x00100010, "PN", pn(person))
    block.add_new(0x04, "SQ", Sequence([inner]))
