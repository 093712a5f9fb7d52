"""Asking a destination for a sign of life: nothing of a patient is sent, nothing is kept."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from medloop.apps.console import UsageError
from medloop.apps.credentials import read_secret
from medloop.apps.destinations import access_of, build_destination
from medloop.apps.peers import (
    Destination,
    DicomDestination,
    DicomwebDestination,
    FhirDestination,
    FolderDestination,
    Hl7Destination,
    WebhookDestination,
)
from medloop.apps.site import Site
from medloop.core.errors import MedloopError, ServiceError

LONGEST_S: Final = 10.0  # that a person waits for an answer
_REFUSED: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found: `how` it was asked (echo, http, connection, folder), what was said."""

    is_well: bool
    how: str
    said: str = ""


def probe(described: Destination, site: Site, store: Path) -> Answer:
    """Ask one destination; whatever goes wrong is the answer."""
    how = _how(described)
    try:
        said = _asked(described, site, store)
    except (MedloopError, UsageError) as error:
        return Answer(is_well=False, how=how, said=str(error))
    except ModuleNotFoundError as error:
        said = f"{error.name} is not installed: pip install medloop[serve]"
        return Answer(is_well=False, how=how, said=said)
    return Answer(is_well=True, how=how, said=said)


def address_of(described: Destination) -> str:
    """Say where a destination is."""
    match described:
        case DicomDestination():
            return f"{described.ae_title} {described.host}:{described.port}"
        case Hl7Destination():
            return f"{described.host}:{described.port}"
        case FolderDestination():
            return str(described.path)
        case _:
            return described.url


def _how(described: Destination) -> str:
    match described:
        case DicomDestination():
            return "echo"
        case Hl7Destination():
            return "connection"
        case FolderDestination():
            return "folder"
        case _:
            return "http"


def _asked(described: Destination, site: Site, store: Path) -> str:
    match described:
        case FolderDestination():
            if not os.access(described.path, os.W_OK | os.X_OK):
                raise ServiceError(f"{described.path} is no folder that can be written")
        case DicomDestination() | Hl7Destination():
            from medloop.apps.notify.mllp import MllpReceiver
            from medloop.dicom.net.sender import DicomNode

            hurried = replace(described, timeout_s=min(described.timeout_s, LONGEST_S))
            built = build_destination(hurried, site, store)
            if isinstance(built, DicomNode):
                built.echo()
            elif isinstance(built, MllpReceiver):
                built.knock()
        case _:
            return _over_http(described)
    return ""


def _over_http(described: DicomwebDestination | FhirDestination | WebhookDestination) -> str:
    """Ask for what such a server has for everybody; of a webhook any answer will do."""
    from medloop.dicom.web.post import ask
    from medloop.dicom.web.source import Access

    if isinstance(described, WebhookDestination):
        access, path = Access(authority=described.tls_authority), ""
        read_secret(described.secret_file)
    else:
        access = access_of(described)
        is_fhir = isinstance(described, FhirDestination)
        path = "/metadata" if is_fhir else "/studies?limit=1"
    url = described.url.rstrip("/") + path if path else described.url
    timeout_s = min(described.timeout_s, LONGEST_S)
    status = ask(url, access=access, timeout_s=timeout_s, name=described.name)
    if status in _REFUSED:
        raise ServiceError(f"{described.name} refuses us (HTTP {status})")
    if status >= 500 or (path and status >= 400):
        raise ServiceError(f"{described.name} fails (HTTP {status})")
    return f"HTTP {status}"
