"""A result as a FHIR DiagnosticReport with its Observations, R4 and R5."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from medloop.apps.notify.observed import Observed, about_finding, about_study, read_result
from medloop.core.attestation import Attestation, Meaning
from medloop.core.code import Code
from medloop.core.errors import InputError, ServiceError
from medloop.core.finding import Provenance
from medloop.core.study import Study
from medloop.dicom.codes import PRIVATE
from medloop.dicom.web.post import post, put
from medloop.dicom.web.source import Access

if TYPE_CHECKING:
    from httpx import Response

Plain = dict[str, object]

_SYSTEMS: Final = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
    "UCUM": "http://unitsofmeasure.org",
    "RADLEX": "http://radlex.org",
    PRIVATE: "urn:medloop:codes",
}
RESULTS: Final = "urn:medloop:results"  # the system of our reports' identifiers
VERSIONS: Final = "urn:medloop:versions"  # and of versions of what was signed
_IMAGING: Final = Code("LN", "18748-4", "Diagnostic imaging study")
_RADIOLOGY: Final = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD"}]
}
_CONCLUSION: Final = "Automated analysis; no person has verified it."
_READ: Final = "Automated analysis, read and signed by a person."
# DiagnosticReport.status and Observation.status (FHIR R4 and R5).
_STATES: Final = {
    None: ("preliminary", "preliminary"),
    Meaning.PRELIMINARY: ("preliminary", "preliminary"),
    Meaning.FINAL: ("final", "final"),
    Meaning.ADDENDUM: ("appended", "final"),
}
_AMENDED: Final = ("amended", "amended")
_TYPE: Final = "application/fhir+json"


class Release(StrEnum):
    """Which FHIR a server speaks."""

    R4 = "R4"
    R5 = "R5"


@dataclass(frozen=True, slots=True)
class FhirServer:
    """A FHIR server; implements `workflow.ports.Destination`.

    `url` is its base; `identifiers` the system in which patient identifiers are unique (a URI),
    if there is one. `has_report` attaches the PDF.
    """

    name: str
    url: str
    access: Access = field(default_factory=Access)
    release: Release = Release.R4
    identifiers: str = ""
    has_report: bool = False
    timeout_s: float = 30.0

    def send(self, study: Study, products: Path) -> None:
        """Create the report of a result, or bring that of a reading up to its last version.

        By conditional create and conditional update (FHIR R4 and R5, RESTful API): a server
        holds one report of each result, and one of each reading that was signed.

        Raises
        ------
        InputError
            If the record of the result cannot be read.
        ServiceError
            If the server is away or does not accept the report.
        """
        said = report_of(
            study,
            products,
            self.release,
            identifiers=self.identifiers,
            has_report=self.has_report,
        )
        answer = self._sent(json.loads(said)["identifier"], said.encode())
        if answer.status_code in (401, 403):
            raise ServiceError(f"{self.name} refuses us (HTTP {answer.status_code})")
        if not answer.is_success:
            raise ServiceError(f"{self.name} fails (HTTP {answer.status_code})")

    def _sent(self, identifiers: Sequence[Mapping[str, str]], said: bytes) -> "Response":
        """Send a report; with an identifier of its version, too, it replaces the one before."""
        address = f"{self.url.rstrip('/')}/DiagnosticReport"
        named = f"{RESULTS}|{identifiers[0]['value']}"
        headers = {"Content-Type": _TYPE, "Accept": _TYPE}
        is_version = len(identifiers) > 1
        if is_version:
            address += f"?identifier={quote(named, safe='')}"
        else:
            headers["If-None-Exist"] = f"identifier={named}"
        send = put if is_version else post
        return send(
            address,
            said,
            headers,
            access=self.access,
            timeout_s=self.timeout_s,
            name=self.name,
        )


def report_of(
    study: Study,
    products: Path,
    release: Release,
    *,
    identifiers: str = "",
    has_report: bool = False,
) -> str:
    """Write the report as JSON, checked against the models of its release.

    Observations are contained; patient and imaging study are named by their identifiers. Its
    status is preliminary unless a person has signed it as final.

    Raises
    ------
    InputError
        If the record cannot be read, or FHIR does not allow what it says.
    """
    from pydantic import ValidationError

    recorded = read_result(products)
    made = recorded.result.provenance
    subject = _subject(study, identifiers)
    groups: list[tuple[Observed, ...]] = [(each,) for each in about_study(recorded)]
    groups += [about_finding(finding) for finding in recorded.result.findings]
    signed = made.attested
    state, observed = _STATES[signed.meaning if signed else None]
    if signed and signed.amends:
        state, observed = _AMENDED
    contained = [
        _observation(f"o{n}", group, made) | subject | {"status": observed}
        for n, group in enumerate(groups, start=1)
    ]
    analyzed = Code(PRIVATE, made.analysis.upper()[:16], f"medloop {made.analysis}")
    said: Plain = {
        "identifier": _identifiers(study, products, signed),
        "status": state,
        "category": [_RADIOLOGY],
        "code": {"coding": [_coding(_IMAGING), _coding(analyzed)]},
        **subject,
        **({"effectiveDateTime": date} if (date := _date(study.date)) else {}),
        "issued": made.told.astimezone(UTC).isoformat(timespec="seconds"),
        "performer": [{"display": f"medloop {made.analysis} {made.version}"}],
        "imagingStudy" if release is Release.R4 else "study": [_imaging_study(study)],
        "contained": contained,
        "result": [{"reference": f"#{each['id']}"} for each in contained],
        "resultsInterpreter": [_interpreter(signed)] if signed else [],
        "conclusion": _concluded(signed),
        "presentedForm": list(_attached(products)) if has_report else [],
    }
    try:
        return _model(release, {key: value for key, value in said.items() if value})
    except (ValidationError, ValueError) as error:  # what it quotes is the patient's
        raise InputError(f"the result is no FHIR {release} DiagnosticReport") from error


def _identifiers(
    study: Study, products: Path, signed: Attestation | None
) -> list[dict[str, str]]:
    """Name a result; of what was signed the reading, then the version."""
    whole = f"{study.uid}/{products.name}"
    if signed is None:
        return [{"system": RESULTS, "value": whole}]
    reading = whole.removesuffix(f"-v{signed.version}")
    return [{"system": RESULTS, "value": reading}, {"system": VERSIONS, "value": whole}]


def _interpreter(signed: Attestation) -> Plain:
    """Name who signed; of a person's name the first group that says something."""
    groups = (each.replace("^", " ").split() for each in signed.name.split("="))
    return {"display": next((" ".join(each) for each in groups if each), signed.signer)}


def _concluded(signed: Attestation | None) -> str:
    if signed is None:
        return _CONCLUSION
    return "\n\n".join(filter(None, (signed.conclusion, signed.addendum))) or _READ


def _model(release: Release, said: Plain) -> str:
    # Loading the models takes a second, which only who sends to FHIR should wait for.
    if release is Release.R4:
        from fhir.resources.R4B.diagnosticreport import DiagnosticReport as OfR4

        return OfR4.model_validate(said).model_dump_json()
    from fhir.resources.diagnosticreport import DiagnosticReport as OfR5

    return OfR5.model_validate(said).model_dump_json()


def _observation(name: str, group: Sequence[Observed], made: Provenance) -> Plain:
    """Make one Observation of what is said together; the first of it is the value."""
    first, rest = group[0], group[1:]
    said: Plain = {
        "resourceType": "Observation",
        "id": name,
        "status": "preliminary",
        "code": {"coding": [_coding(first.concept)]},
        **_value(first),
        "device": {"display": _maker(made)},
    }
    if rest:
        said["component"] = [
            {"code": {"coding": [_coding(each.concept)]}, **_value(each)} for each in rest
        ]
    return said


def _value(observed: Observed) -> Plain:
    value = observed.value
    if isinstance(value, Code):
        return {"valueCodeableConcept": {"coding": [_coding(value)]}}
    if isinstance(value, str):
        return {"valueString": value}
    unit = {"unit": observed.unit, "system": _SYSTEMS["UCUM"], "code": observed.unit}
    return {"valueQuantity": {"value": float(f"{value:.6g}"), **unit}}


def _coding(code: Code) -> Plain:
    system = _SYSTEMS.get(code.scheme, f"urn:scheme:{code.scheme}")
    return {"system": system, "code": code.value, "display": code.meaning}


def _maker(made: Provenance) -> str:
    weights = "; ".join(f"{w.bundle} {w.version} sha256 {w.sha256}" for w in made.weights)
    return f"medloop {made.analysis} {made.version}" + (f" ({weights})" if weights else "")


def _subject(study: Study, identifiers: str) -> Plain:
    number = study.patient.identifier.strip()
    if not number:
        return {}
    identifier = {"value": number} | ({"system": identifiers} if identifiers else {})
    return {"subject": {"type": "Patient", "identifier": identifier}}


def _imaging_study(study: Study) -> Plain:
    """Name the study as FHIR's ImagingStudy does; it may not be on this server."""
    identifier = {"system": "urn:dicom:uid", "value": f"urn:oid:{study.uid}"}
    return {"type": "ImagingStudy", "identifier": identifier}


def _date(text: str) -> str:
    is_date = len(text) == 8 and text.isascii() and text.isdecimal()
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if is_date else ""


def _attached(products: Path) -> Iterator[Plain]:
    try:
        content = (products / "report.pdf").read_bytes()
    except OSError:
        return
    yield {"contentType": "application/pdf", "data": b64encode(content).decode()}
