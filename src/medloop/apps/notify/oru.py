"""A result as an HL7 v2.5.1 message ORU^R01 (chapter 7.3.1), and the answer to one."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import hl7  # type: ignore[import-untyped]  # ships no types

from medloop.apps.notify.observed import Observed, about_finding, about_study, read_result
from medloop.core.attestation import Attestation, Meaning
from medloop.core.code import Code
from medloop.core.errors import InputError, ServiceError, UnsuitableError
from medloop.core.study import Patient, Study
from medloop.dicom.codes import PRIVATE, dcm
from medloop.dicom.objects import products_in

# How Python and HL7 (table 0211) name what a message is written in.
CHARACTER_SETS: Final = {
    "utf-8": "UNICODE UTF-8",
    "ascii": "ASCII",
    "iso8859-1": "8859/1",
    "iso8859-2": "8859/2",
    "iso8859-5": "8859/5",
    "iso8859-9": "8859/9",
    "iso8859-15": "8859/15",
    "gb18030": "GB 18030-2000",
}
_ESCAPES: Final = str.maketrans(
    {
        "\\": "\\E\\",
        "|": "\\F\\",
        "^": "\\S\\",
        "&": "\\T\\",
        "~": "\\R\\",
        "\r": " ",
        "\n": " ",
        "\x0b": " ",
        "\x1c": " ",
    }
)
_STUDY: Final = dcm("113014", "DICOM Study")
# OBX-11, OBR-25 (tables 0085, 0123): what nobody has verified is preliminary; an addendum
# corrects the final report.
_STATES: Final = {
    None: "P",
    Meaning.PRELIMINARY: "P",
    Meaning.FINAL: "F",
    Meaning.ADDENDUM: "C",
}
_ACCEPTED: Final = ("AA", "CA")
# Folders of results: of which job, in which attempt, or which version of which reading.
_OF_JOB: Final = re.compile(r"(?P<job>.+?-\d+)(?:-\d+|-reading\d+-v\d+)?")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends to whom (MSH-3 to MSH-6), and in which characters (a key of CHARACTER_SETS)."""

    application: str = ""
    facility: str = ""
    own_application: str = "MEDLOOP"
    own_facility: str = ""
    encoding: str = "utf-8"
    has_report: bool = False  # the PDF as an OBX of type ED


@dataclass(frozen=True, slots=True)
class _Row:
    """What changes from OBX to OBX: OBX-2 to OBX-6."""

    kind: str
    name: str
    value: str
    part: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class _Told:
    """How far what is said may be relied on (a code of table 0123), and when it was said."""

    state: str
    at: str


def message_of(study: Study, products: Path, envelope: Envelope, *, now: datetime) -> str:
    """Write the message; segments end in carriage returns.

    The same result has the same control identifier (MSH-10), so that a receiver knows a second
    delivery. Its status is preliminary unless a person has signed it as final.

    Raises
    ------
    InputError
        If the record of the result cannot be read.
    """
    recorded = read_result(products)
    made = recorded.result.provenance
    signed = made.attested
    told = _Told(_STATES[signed.meaning if signed else None], _moment(made.told))
    maker = text(f"medloop {made.analysis} {made.version}")
    rows = [_Row("HD", _coded(_STUDY), text(study.uid)), *_report_uid(products)]
    rows += [_row(each) for each in about_study(recorded)]
    for number, finding in enumerate(recorded.result.findings, start=1):
        rows += [_row(each, str(number)) for each in about_finding(finding)]
    if envelope.has_report:
        rows += _report(products)
    identity, order = control_id(study, products), order_number(study, products)
    segments = [
        _header(envelope, identity, _moment(now)),
        _patient(study.patient),
        _request(study, made.analysis, order, told, _interpreter(signed) if signed else ""),
        *(_result(n, row, told, maker) for n, row in enumerate(rows, start=1)),
    ]
    return "".join("|".join(fields).rstrip("|") + "\r" for fields in segments)


def control_id(study: Study, products: Path) -> str:
    """Name the message of a result, 20 characters (MSH-10)."""
    return hashlib.sha256(f"{study.uid}\0{products.name}".encode()).hexdigest()[:20]


def order_number(study: Study, products: Path) -> str:
    """Name what a job answers, 20 characters (OBR-3): the same in each report signed of it.

    By it a receiver knows which report a final one or a correction takes the place of.
    """
    whole = _OF_JOB.fullmatch(products.name)
    name = whole["job"] if whole else products.name
    return hashlib.sha256(f"{study.uid}\0{name}".encode()).hexdigest()[:20]


def require_accepted(answer: str, identity: str, name: str) -> None:
    """Read an acknowledgment (HL7 v2.5.1 chapter 2.9), not its text, which may name patients.

    Raises
    ------
    ServiceError
        Unless it accepts the message of this identity.
    """
    try:
        acknowledged = hl7.parse(answer).segment("MSA")
        code, about = str(acknowledged[1]), str(acknowledged[2])
    except (hl7.HL7Exception, LookupError, ValueError) as error:
        raise ServiceError(
            f"{name} answers with something else than an acknowledgment"
        ) from error
    if code not in _ACCEPTED:
        known = code if code in ("AE", "AR", "CE", "CR") else "no known code"
        raise ServiceError(f"{name} does not accept the message ({known})")
    if about != identity:
        raise ServiceError(f"{name} acknowledges another message")


def text(value: str) -> str:
    """Escape what would divide a message (HL7 v2.5.1 chapter 2.7)."""
    return value.translate(_ESCAPES)


def _header(envelope: Envelope, identity: str, now: str) -> list[str]:
    parties = (
        envelope.own_application,
        envelope.own_facility,
        envelope.application,
        envelope.facility,
    )
    characters = CHARACTER_SETS[envelope.encoding]
    kind = ["ORU^R01^ORU_R01", identity, "P", "2.5.1"]
    asks = ["", "", "AL", "NE", "", characters]  # MSH-13 to MSH-18
    return ["MSH", "^~\\&", *(text(party) for party in parties), now, "", *kind, *asks]


def _patient(patient: Patient) -> list[str]:
    names = [_name(part) for part in patient.name.split("=")]
    kinds = ("A", "I", "P")  # alphabetic, ideographic, phonetic (table 4000)
    said = [
        f"{name}^^{kind}" for name, kind in zip(names, kinds, strict=False) if name.strip("^")
    ]
    numbers = text(patient.identifier)
    sex = patient.sex if patient.sex in ("M", "F", "O") else "U"
    return ["PID", "1", "", numbers, "", "~".join(said), "", text(patient.birth_date), sex]


def _name(part: str) -> str:
    """Turn a DICOM name into XPN-1 to XPN-6: prefix and suffix change places."""
    family, given, middle, prefix, suffix = [*part.split("^"), *[""] * 5][:5]
    return "^".join(text(each.strip()) for each in (family, given, middle, suffix, prefix, ""))


def _request(study: Study, analysis: str, order: str, told: _Told, signer: str) -> list[str]:
    procedure = Code(PRIVATE, analysis.upper()[:16], f"Automated image analysis: {analysis}")
    fields = [""] * 33
    fields[0], fields[1] = "OBR", "1"
    fields[3], fields[4] = f"{order}^MEDLOOP", _coded(procedure)
    fields[7] = text(study.date)
    fields[18] = text(study.accession)
    fields[22], fields[24], fields[25] = told.at, "RAD", told.state
    fields[32] = signer  # principal result interpreter (NDL)
    return fields


def _interpreter(signed: Attestation) -> str:
    """Name who signed in an NDL: the user, and as subcomponents family and given name."""
    said = next((each for each in signed.name.split("=") if each), "")
    parts = said.split("^") if said else []
    return "&".join(text(each.strip()) for each in (signed.signer, *parts[:2]))


def _result(number: int, row: _Row, told: _Told, maker: str) -> list[str]:
    said = ["OBX", str(number), row.kind, row.name, row.part, row.value, row.unit]
    return [*said, *[""] * 4, told.state, "", "", told.at, "", "", "", maker]


def _row(observed: Observed, part: str = "") -> _Row:
    name, value = _coded(observed.concept), observed.value
    if isinstance(value, Code):
        return _Row("CWE", name, _coded(value), part)
    if isinstance(value, str):
        return _Row("TX", name, text(value), part)
    unit = f"{text(observed.unit)}^{text(observed.unit)}^UCUM"
    number = format(Decimal(f"{value:.6g}"), "f")  # an NM has no exponent (chapter 2.A.47)
    return _Row("NM", name, number, part, unit)


def _report_uid(products: Path) -> Iterator[_Row]:
    """Name the structured report that says the same (IHE RAD-28)."""
    try:
        (report,) = products_in(products, ("sr",))
    except (InputError, UnsuitableError):
        return
    yield _Row("HD", "^SR Instance UID", text(report.uid))


def _report(products: Path) -> Iterator[_Row]:
    try:
        content = (products / "report.pdf").read_bytes()
    except OSError:
        return
    value = f"^AP^PDF^Base64^{b64encode(content).decode()}"
    yield _Row("ED", "PDF^Report^99MEDLOOP", value)


def _coded(code: Code) -> str:
    return "^".join(text(each) for each in (code.value, code.meaning, code.scheme))


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%d%H%M%S}+0000"
