"""Sending results to a DICOMweb server: STOW-RS (PS3.18 10.5)."""

import json
import logging
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
from pydicom import Dataset

from medloop.core.errors import InputError, ServiceError
from medloop.core.study import Study
from medloop.dicom.foreign import DICOM_ERRORS, quiet
from medloop.dicom.objects import Product, products_in
from medloop.dicom.web.multipart import Part, join_parts
from medloop.dicom.web.post import post
from medloop.dicom.web.source import Access

log = logging.getLogger(__name__)

_CHUNK: Final = 1 << 20
_PART: Final = {"Content-Type": "application/dicom"}
_SOME: Final = frozenset({httpx.codes.OK, httpx.codes.ACCEPTED, httpx.codes.CONFLICT})


@dataclass(frozen=True, slots=True)
class StowServer:
    """A DICOMweb server that takes STOW-RS; implements `workflow.ports.Destination`.

    `url` is its base, such as ``https://pacs.example/dicom-web``; `objects` the products it
    gets (``"sr"``, ``"seg"``, ...; all if empty). `timeout_s` bounds each wait.
    """

    name: str
    url: str
    access: Access = field(default_factory=Access)
    objects: tuple[str, ...] = ()
    timeout_s: float = 60.0

    def send(self, study: Study, products: Path) -> None:  # noqa: ARG002 - files name the study
        """Store the DICOM objects of a result folder; those it has already do no harm.

        Raises
        ------
        UnsuitableError
            If there is nothing to send.
        InputError
            If a product cannot be read.
        ServiceError
            If the server is away, refuses us, or refuses an object.
        """
        found = products_in(products, self.objects)
        boundary = secrets.token_hex(16)
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        # A length rather than chunks of unknown number: not every server takes those.
        length = sum(
            len(chunk) for chunk in join_parts([Part(_PART, ())] * len(found), boundary)
        )
        length += sum(product.path.stat().st_size for product in found)
        answer = post(
            f"{self.url.rstrip('/')}/studies",
            join_parts([Part(_PART, _content(product)) for product in found], boundary),
            {
                "Content-Type": kind,
                "Content-Length": str(length),
                "Accept": "application/dicom+json",
            },
            access=self.access,
            timeout_s=self.timeout_s,
            name=self.name,
        )
        _judge(self.name, answer, found)


def _content(product: Product) -> Iterator[bytes]:
    try:
        with product.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise InputError(f"{product.name} cannot be read: {error.strerror}") from error


def _judge(name: str, answer: httpx.Response, found: Sequence[Product]) -> None:
    """Read the status, and what it says of each object (PS3.18 10.5.3, PS3.3 table I.2-1)."""
    if answer.status_code in (401, 403):
        raise ServiceError(f"{name} refuses us (HTTP {answer.status_code})")
    if answer.status_code not in _SOME:
        raise ServiceError(f"{name} fails (HTTP {answer.status_code})")
    said = _dataset(answer)
    names = {product.uid: product.name for product in found}
    for item in said.get("ReferencedSOPSequence") or ():
        if item.get("WarningReason"):
            uid = str(item.get("ReferencedSOPInstanceUID"))
            log.warning(
                "%s was stored with warning 0x%04X", names.get(uid, "?"), item.WarningReason
            )
    refused = [
        f"{names.get(str(item.get('ReferencedSOPInstanceUID')), 'an object')}: "
        f"0x{int(item.get('FailureReason') or 0):04X}"
        for item in said.get("FailedSOPSequence") or ()
    ]
    if refused:
        raise ServiceError(f"{name} refuses {'; '.join(refused)}")
    if answer.status_code == httpx.codes.CONFLICT:
        raise ServiceError(f"{name} stored nothing (HTTP 409)")


def _dataset(answer: httpx.Response) -> Dataset:
    """Read what stands in the body; a server that answers in XML says less to us."""
    if "json" not in answer.headers.get("Content-Type", ""):
        return Dataset()
    try:
        with quiet():
            said = json.loads(answer.content)
            return Dataset.from_json(said[0] if isinstance(said, list) else said)
    except DICOM_ERRORS:
        return Dataset()
