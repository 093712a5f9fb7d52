"""Requests nobody would write, made by schemathesis of our own OpenAPI description."""

import random
import socket
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

BOTH = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@dataclass(frozen=True)
class Peer:
    """A node that is asked: with the token, and without.

    `planted` must not go to strangers; `places` are parameters of addresses that lead to
    something.
    """

    url: str
    token: str
    planted: Collection[bytes] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    seen: Counter[int] = field(default_factory=Counter)
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, case, *, is_public: bool) -> None:
        """Send one request twice; the second time from a stranger, who must get nothing."""
        for name in self.places.keys() & (case.path_parameters or {}).keys():
            case.path_parameters[name] = self.places[name]
        where = f"{case.method} {case.path}"
        known = {"Authorization": f"Bearer {self.token}"}
        for headers in (known, {"Authorization": "Bearer medloop_none"}):
            answer = case.call(base_url=self.url, session=self.session, headers=headers)
            self.seen[answer.status_code] += 1
            assert answer.status_code < 500 or answer.status_code == 503, where
        assert is_public or answer.status_code >= 400, where
        assert not any(name in answer.content for name in self.planted), where


def fuzz(
    peer: Peer, description: Mapping[str, Any], *, requests_wanted: int, seeded: int = 1
) -> Counter[int]:
    """Send about so many requests, half of them well-formed; count the answers by status.

    None may end in an error of ours (5xx but for 503), and what goes without credentials is
    refused.
    """
    schema = schemathesis.openapi.from_dict(dict(description))
    operations = [found.ok() for found in schema.get_all_operations()]
    share = -(-requests_wanted // (2 * len(BOTH) * len(operations)))
    bad = replace(peer, places={})
    with peer.session:
        for operation in operations:
            for mode, each in zip(BOTH, (peer, bad), strict=True):
                _send(operation, mode, each, count=share, seeded=seeded)
    return peer.seen


def _send(operation, mode: GenerationMode, peer: Peer, *, count: int, seeded: int) -> None:
    is_public = "security" not in operation.definition.raw

    @seed(seeded)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def sends(case):
        peer.ask(case, is_public=is_public)

    try:
        sends()
    except Unsatisfiable:  # nothing about it can be wrong
        assert mode is GenerationMode.NEGATIVE


def garble(peer: Peer, *, count: int, seeded: int = 1) -> Counter[bytes]:
    """Send requests that are no HTTP any more; count what the server says at first.

    Whatever it says has nothing of what was planted, and afterwards it answers others.
    """
    rng = random.Random(seeded)  # noqa: S311 - no secret
    place = urlsplit(peer.url)
    study = peer.places.get("study", "1")
    whole = (
        f"POST /dicom-web/studies/{study} HTTP/1.1\r\nHost: {place.netloc}\r\n"
        f"Authorization: Bearer {peer.token}\r\nContent-Length: 20\r\n"
        'Content-Type: multipart/related; type="application/dicom"; boundary=b\r\n\r\n--b\r\n'
    ).encode()
    said: Counter[bytes] = Counter()
    for _ in range(count):
        line = socket.create_connection((place.hostname, place.port), timeout=5)
        with line, suppress(OSError):  # it may hang up while we talk
            line.sendall(_garbled(whole, rng))
            line.shutdown(socket.SHUT_WR)
            answer = line.recv(1 << 16)
            said[answer[9:12]] += 1
            assert not any(name in answer for name in peer.planted)
    assert peer.session.get(f"{peer.url}/healthz", timeout=10).status_code == 200
    return said


def _garbled(whole: bytes, rng: random.Random) -> bytes:
    request = bytearray(whole)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(request))
        match rng.randrange(5):
            case 0:
                request[at] = rng.randrange(256)
            case 1:
                del request[at : at + rng.randint(1, 40)]
            case 2:
                request[at:at] = rng.randbytes(rng.randint(1, 40))
            case 3:
                request[at:at] = request[: rng.randrange(len(request))]
            case _:
                request[at:at] = b"A" * rng.choice((1, 5000, 100_000))
        request = request or bytearray(b"\0")
    return bytes(request)
