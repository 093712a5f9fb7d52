"""Who else is on the network, as medloop.toml names them: destinations and sources."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

from medloop.apps.console import UsageError
from medloop.apps.sections import read_section, require_pair, require_positive
from medloop.core.retrieve import days_of, period_of

OBJECTS: Final = ("photograph", "seg", "rtstruct", "heatmap", "overlay", "sr", "report")
ENCODINGS: Final = (
    "utf-8",
    "ascii",
    "gb18030",
    "iso8859-1",
    "iso8859-2",
    "iso8859-5",
    "iso8859-9",
    "iso8859-15",
)


@dataclass(frozen=True, slots=True)
class DicomDestination:
    """A PACS that takes C-STORE; `commitment` asks it to promise storage (PS3.4 J).

    `objects` names what it gets of a result (`OBJECTS`), all if it names none.
    """

    name: str
    host: str
    port: int
    ae_title: str
    commitment: bool = False
    commitment_s: float = 60.0
    objects: tuple[str, ...] = ()
    tls: bool = False
    tls_authority: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    timeout_s: float = 30.0
    analyses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_pair(self.tls_certificate, self.tls_key)
        _require_objects(self.objects)
        require_positive(timeout_s=self.timeout_s, commitment_s=self.commitment_s)


@dataclass(frozen=True, slots=True)
class DicomwebDestination:
    """A server that takes STOW-RS (PS3.18 10.5); `secret_file` has its token or password."""

    name: str
    url: str
    user: str = ""
    secret_file: Path | None = None
    objects: tuple[str, ...] = ()
    tls_authority: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    timeout_s: float = 60.0
    analyses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_pair(self.tls_certificate, self.tls_key)
        _require_objects(self.objects)
        require_positive(timeout_s=self.timeout_s)


@dataclass(frozen=True, slots=True)
class FolderDestination:
    """A folder, perhaps of another machine, into which results are written whole."""

    name: str
    path: Path
    analyses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WebhookDestination:
    """A web address that is told when a result is there; `secret_file` has what signs."""

    name: str
    url: str
    secret_file: Path | None = None
    tls_authority: Path | None = None
    timeout_s: float = 10.0
    analyses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_positive(timeout_s=self.timeout_s)


@dataclass(frozen=True, slots=True)
class Hl7Destination:
    """A receiver of HL7 v2 ORU messages by MLLP; `report` sends the PDF along."""

    name: str
    host: str
    port: int
    application: str = ""
    facility: str = ""
    own_facility: str = ""
    encoding: str = "utf-8"
    report: bool = False
    tls: bool = False
    tls_authority: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    timeout_s: float = 30.0
    analyses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_pair(self.tls_certificate, self.tls_key)
        require_positive(timeout_s=self.timeout_s)
        if self.encoding not in ENCODINGS:
            raise UsageError(f"encoding must be one of {', '.join(ENCODINGS)}")


class Fhir(StrEnum):
    """Which release of FHIR a server speaks."""

    R4 = "R4"
    R5 = "R5"


@dataclass(frozen=True, slots=True)
class FhirDestination:
    """A FHIR server that takes DiagnosticReport resources; `report` sends the PDF along.

    `identifiers` is the URI of the system in which patient identifiers are unique.
    """

    name: str
    url: str
    release: Fhir = Fhir.R4
    identifiers: str = ""
    report: bool = False
    user: str = ""
    secret_file: Path | None = None
    tls_authority: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    timeout_s: float = 30.0
    analyses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_pair(self.tls_certificate, self.tls_key)
        require_positive(timeout_s=self.timeout_s)


Destination = (
    DicomDestination
    | DicomwebDestination
    | FolderDestination
    | WebhookDestination
    | Hl7Destination
    | FhirDestination
)
DESTINATIONS: Final[Mapping[str, type[Destination]]] = {
    "dicom": DicomDestination,
    "dicomweb": DicomwebDestination,
    "folder": FolderDestination,
    "webhook": WebhookDestination,
    "hl7": Hl7Destination,
    "fhir": FhirDestination,
}


class Retrieval(StrEnum):
    """How objects are asked for."""

    MOVE = "move"
    GET = "get"
    WADO = "wado"


@dataclass(frozen=True, slots=True)
class Source:
    """A PACS to pull from: by DIMSE (`host`, `port`, `ae_title`) or DICOMweb (`url`).

    With `every` the node itself pulls the studies of `days` and `modality` as often.
    """

    name: str
    retrieval: Retrieval = Retrieval.GET
    host: str = ""
    port: int = 104
    ae_title: str = ""
    url: str = ""
    user: str = ""
    secret_file: Path | None = None
    tls: bool = False
    tls_authority: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    timeout_s: float = 60.0
    every: str = ""
    days: str = "today"
    modality: str = ""

    def __post_init__(self) -> None:
        require_pair(self.tls_certificate, self.tls_key)
        if self.retrieval is Retrieval.WADO and not self.url:
            raise UsageError("retrieval by wado needs url")
        if self.retrieval is not Retrieval.WADO and not (self.host and self.ae_title):
            raise UsageError(f"retrieval by {self.retrieval} needs host and ae_title")
        require_positive(timeout_s=self.timeout_s)
        try:
            days_of(self.days, today=date(2026, 1, 1))
            if self.every:
                period_of(self.every)
        except ValueError as error:
            raise UsageError(str(error)) from None


def read_destination(table: object, base: Path) -> Destination:
    """Read one ``[[destination]]``; its key `kind` says what else may stand there.

    Raises
    ------
    UsageError
        If the kind is unknown, or its keys are not those of its kind.
    """
    kind = str(table.get("kind", "")) if isinstance(table, dict) else ""
    if not isinstance(table, dict) or kind not in DESTINATIONS:
        raise UsageError(f"[[destination]] needs kind: one of {', '.join(DESTINATIONS)}")
    rest = {key: value for key, value in table.items() if key != "kind"}
    return read_section(DESTINATIONS[kind], rest, f"[[destination]] of kind {kind}", base)


def _require_objects(names: tuple[str, ...]) -> None:
    unknown = sorted(set(names) - set(OBJECTS))
    if unknown:
        raise UsageError(f"objects: no {unknown[0]!r}; there are {', '.join(OBJECTS)}")
