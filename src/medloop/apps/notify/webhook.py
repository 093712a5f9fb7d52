"""Telling a web address that a result is there: signed JSON without anything of the patient."""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from medloop.apps.notify.observed import read_result
from medloop.core.errors import ServiceError
from medloop.core.study import Study, StudyUid
from medloop.dicom.web.post import post
from medloop.dicom.web.source import Access


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A web address; implements `workflow.ports.Destination`.

    `hashed` is the name of a study that the node's own logs use. `page` is how people reach the
    node's web page. With a `secret` each request is signed: the header ``X-Medloop-Signature``
    is ``sha256=`` and the HMAC of ``X-Medloop-Timestamp``, a full stop and the body.
    """

    name: str
    url: str
    hashed: Callable[[StudyUid], str]
    secret: str = field(default="", repr=False)
    page: str = ""
    authority: Path | None = None
    timeout_s: float = 10.0
    now: Callable[[], datetime] = _now

    def send(self, study: Study, products: Path) -> None:
        """Tell of one result; told twice it has the same ``Idempotency-Key``.

        Raises
        ------
        InputError
            If the record of the result cannot be read.
        ServiceError
            If the address does not answer with success.
        """
        made = read_result(products).result.provenance
        subject, signed = self.hashed(study.uid), made.attested
        said = {
            "event": "report" if signed else "result",
            **({"meaning": signed.meaning, "number": signed.version} if signed else {}),
            "study": subject,
            "analysis": made.analysis,
            "version": made.version,
            "state": "done",
            "finished": made.told.astimezone(UTC).isoformat(timespec="seconds"),
            "url": self.page,
        }
        body = json.dumps(said, separators=(",", ":")).encode()
        key = hashlib.sha256(f"{self.name}\0{subject}\0{products.name}".encode()).hexdigest()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key[:32]}
        if self.secret:
            moment = str(int(self.now().timestamp()))
            headers |= {
                "X-Medloop-Timestamp": moment,
                "X-Medloop-Signature": f"sha256={signature(self.secret, moment, body)}",
            }
        answer = post(
            self.url,
            body,
            headers,
            access=Access(authority=self.authority),
            timeout_s=self.timeout_s,
            name=self.name,
        )
        if not answer.is_success:
            raise ServiceError(f"{self.name} fails (HTTP {answer.status_code})")


def signature(secret: str, moment: str, body: bytes) -> str:
    """Sign a body: HMAC-SHA256 (RFC 2104) of the moment, a full stop and the body, in hex."""
    return hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
