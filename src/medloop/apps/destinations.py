"""The destinations that medloop.toml names, as what sends to them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.apps.console import UsageError
from medloop.apps.credentials import client_context, pair_of, read_secret
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
from medloop.workflow.ports import Destination as Port

if TYPE_CHECKING:
    from medloop.dicom.web.source import Access

COMMITMENTS = "commitments"  # in the store: requests for storage commitment, and reports


def build_destinations(site: Site, store: Path) -> Mapping[str, Port]:
    """Build every destination, by name; `store` is the folder of the store.

    Raises
    ------
    UsageError
        If a file that one needs cannot be read, or the extra is not installed.
    """
    try:
        return {each.name: build_destination(each, site, store) for each in site.destinations}
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed: pip install medloop[serve]") from None


def build_destination(described: Destination, site: Site, store: Path) -> Port:
    """Build what sends to one destination; raises as `build_destinations`."""
    match described:
        case DicomDestination():
            return _dicom(described, site, store)
        case DicomwebDestination():
            return _dicomweb(described)
        case FolderDestination():
            from medloop.workflow.dispatch import FolderDestination as Folder

            return Folder(described.path)
        case WebhookDestination():
            return _webhook(described, site, store)
        case Hl7Destination():
            return _hl7(described)
        case FhirDestination():
            return _fhir(described)


def _dicom(described: DicomDestination, site: Site, store: Path) -> Port:
    from medloop.dicom.net.sender import DicomNode

    return DicomNode(
        described.name,
        described.ae_title,
        described.host,
        described.port,
        calling=site.dicom.ae_title,
        tls=client_context(described, described.name) if described.tls else None,
        commitment=described.commitment,
        commitment_s=described.commitment_s,
        ledger=store / COMMITMENTS,
        objects=described.objects,
        timeout_s=described.timeout_s,
    )


def _dicomweb(described: DicomwebDestination) -> Port:
    from medloop.dicom.web.client import StowServer

    access, timeout_s = access_of(described), described.timeout_s
    return StowServer(described.name, described.url, access, described.objects, timeout_s)


def _webhook(described: WebhookDestination, site: Site, store: Path) -> Port:
    from medloop.apps.logs import study_hash
    from medloop.apps.notify.webhook import Webhook

    return Webhook(
        described.name,
        described.url,
        study_hash(store),
        secret=read_secret(described.secret_file),
        page=site.web.url,
        authority=described.tls_authority,
        timeout_s=described.timeout_s,
    )


def _hl7(described: Hl7Destination) -> Port:
    from medloop.apps.notify.mllp import MllpReceiver
    from medloop.apps.notify.oru import Envelope

    envelope = Envelope(
        described.application,
        described.facility,
        own_facility=described.own_facility,
        encoding=described.encoding,
        has_report=described.report,
    )
    tls = client_context(described, described.name) if described.tls else None
    where = described.name, described.host, described.port
    return MllpReceiver(*where, envelope, tls, described.timeout_s)


def _fhir(described: FhirDestination) -> Port:
    from medloop.apps.notify.fhir import FhirServer, Release

    return FhirServer(
        described.name,
        described.url,
        access_of(described),
        Release(described.release),
        described.identifiers,
        has_report=described.report,
        timeout_s=described.timeout_s,
    )


def access_of(described: DicomwebDestination | FhirDestination) -> "Access":
    """Say how we get in there; raises `UsageError` if a file cannot be read."""
    from medloop.dicom.web.source import Access

    secret, pair = read_secret(described.secret_file), pair_of(described)
    if pair:  # read here once, so that a file that is none is told at the start
        client_context(described, described.name)
    return Access(described.user, secret, described.tls_authority, pair)
