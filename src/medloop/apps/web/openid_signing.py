"""Signing by OpenID Connect: who has no password here signs in anew at their provider.

What somebody wants to sign waits here, for their session alone, for minutes, and is taken
once. The provider is asked to let the person in anew (``prompt=login``, ``max_age=0``) and
tells when it did (``auth_time``): OpenID Connect Core 1.0, 2 and 3.1.2.1.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, RedirectResponse, Response

from medloop.apps.web.context import Context
from medloop.apps.web.images import PRIVATE
from medloop.apps.web.login import require_password_rate
from medloop.apps.web.openid import Flow, Provider, new_flow, subject_of
from medloop.apps.web.openid_people import user_of
from medloop.apps.web.pages import language_of, page
from medloop.apps.web.reporting import Asked, Counter
from medloop.apps.web.reports import Number, Seen, Signer
from medloop.apps.web.security import Principal, cookie_name, principal_of
from medloop.apps.web.texts import text
from medloop.clinical.report.language import Language
from medloop.core.attestation import Meaning
from medloop.core.errors import ServiceError
from medloop.store.reading import Purpose, Reading
from medloop.store.sessions import hash_of

SIGNING: Final = "sign."  # how states of this module begin, so that the way back knows them
WAITS: Final = timedelta(minutes=10)  # what is to be signed, for its signer to come back
FRESH: Final = timedelta(minutes=2)  # since the provider let the signer in anew
SKEW: Final = timedelta(minutes=1)  # between the provider's clock and ours


class Wanted(BaseModel):
    """What is signed: `text` is what an addendum says, `expected` the last edit one saw."""

    meaning: Meaning
    language: Language = Language.ENGLISH
    text: Annotated[str, Field(max_length=20_000)] = ""
    expected: Annotated[int, Field(ge=0, le=2**31 - 1)]
    seen: Seen = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What somebody wants to sign (`content_sha256`), since when, and by which sign-in.

    `session` is the hash of the secret of the session that it belongs to.
    """

    flow: Flow
    session: str
    who: Principal
    reading: Reading
    asked: Asked
    sha256: str
    since: datetime


class UnsignedError(Exception):
    """Nothing was signed: the key of why, or why in words, and the status that says so."""

    def __init__(self, key: str, status: int = 403, *, said: str = "") -> None:
        super().__init__(key)
        self.key, self.status, self.said = key, status, said


@dataclass(frozen=True, slots=True)
class Tray:
    """What waits to be signed: of each session the last only, gone with the process."""

    now: Callable[[], datetime]
    _waiting: dict[str, Waiting] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, waiting: Waiting) -> None:
        """Let something wait, in place of what its session had here."""
        with self._lock:
            gone = [
                session
                for session, each in self._waiting.items()
                if self.now() - each.since > WAITS
            ]
            for session in gone:
                del self._waiting[session]
            self._waiting[waiting.session] = waiting

    def take(self, session: str, state: str) -> Waiting | None:
        """Take out what a session left here with a state; None if it is gone, or too late."""
        with self._lock:
            found = self._waiting.get(session)
            if found is None or found.flow.state != state:
                return None
            del self._waiting[session]
        return found if self.now() - found.since <= WAITS else None


@dataclass(frozen=True, slots=True)
class Countersigning:
    """The way of a signature to the provider and back."""

    context: Context
    provider: Provider
    counter: Counter
    tray: Tray

    def leave(self, request: Request, who: Principal, number: int, asked: Asked) -> str:
        """Keep what is to be signed; return where its signer signs in anew."""
        require_password_rate(self.context, who)
        sha256 = self.counter.present(who, number, asked)
        flow = new_flow("", prefix=SIGNING)
        address = self.provider.address(flow, is_anew=True)
        reading = self.context.store.readings.get(number)
        session, now = self._session(request), self.context.now()
        self.tray.put(Waiting(flow, session, who, reading, asked, sha256, now))
        return address

    def come_back(self, request: Request, state: str, code: str, iss: str) -> Response:
        """Sign what waited, or say why not and what to do."""
        waiting = self.tray.take(self._session(request), state)
        if waiting is None:
            return _unsigned(request, UnsignedError("gone", 409), "/")
        back = page_of(waiting.reading)
        try:
            number = self._signed(request, waiting, code, iss)
        except UnsignedError as refused:
            details = {
                "reading": str(waiting.reading.id),
                "meaning": waiting.asked.meaning.value,
                "reason": refused.key,
            }
            study = waiting.reading.study
            self.context.trail.did(waiting.who.name, "was refused to sign", study, details)
            return _unsigned(request, refused, back)
        joined = "&" if "?" in back else "?"
        return RedirectResponse(f"{back}{joined}signed={number}", 303)

    def _signed(self, request: Request, waiting: Waiting, code: str, iss: str) -> int:
        settings = self.provider.settings
        if not code or (iss and iss != settings.issuer):
            raise UnsignedError("cancelled")
        claims = self._claims(waiting, code)
        user = self.context.users.of_subject(subject_of(settings, claims))
        if user is None or user.name != waiting.who.name:
            raise UnsignedError("another")
        let_in = let_in_at(claims)
        if let_in is None or not is_fresh(let_in, since=waiting.since, now=self.context.now()):
            raise UnsignedError("old")
        who = self._still(request, claims)
        if who is None or who.name != waiting.who.name:
            raise UnsignedError("session")
        number, asked = waiting.reading.id, waiting.asked
        try:
            version = self.counter.complete(
                who, number, asked, sha256=waiting.sha256, let_in=let_in
            )
        except HTTPException as refused:
            said = str(refused.detail)
            raise UnsignedError("reading", refused.status_code, said=said) from refused
        return version.number

    def _claims(self, waiting: Waiting, code: str) -> Mapping[str, Any]:
        try:
            return self.provider.claims(code, waiting.flow)
        except HTTPException as refused:
            raise UnsignedError("untrusted") from refused
        except ServiceError as trouble:
            raise UnsignedError("away", 503) from trouble

    def _still(self, request: Request, claims: Mapping[str, Any]) -> Principal | None:
        """Say who asks, once the role that the provider gives now counts."""
        try:
            user_of(self.context, self.provider.settings, claims)
        except HTTPException:
            return None
        return principal_of(request, self.context)

    def _session(self, request: Request) -> str:
        return hash_of(request.cookies.get(cookie_name(self.context), ""))


def add_routes(routes: APIRouter, way: Countersigning) -> None:
    """Offer the way to the provider; the way back is that of signing in."""
    refusals: dict[int | str, dict[str, Any]] = {403: {}, 404: {}, 409: {}, 422: {}, 429: {}}

    @routes.post("/api/readings/{number}/sign/provider", tags=["reports"], responses=refusals)
    def leave(request: Request, who: Signer, number: Number, wanted: Wanted) -> Response:
        """Say where one signs in anew, and by that signs one's reading."""
        asked = Asked(
            meaning=wanted.meaning,
            language=wanted.language,
            told=language_of(request),
            addendum=wanted.text,
            expected=wanted.expected,
            seen=wanted.seen,
        )
        address = way.leave(request, who, number, asked)
        return JSONResponse({"address": address}, headers=PRIVATE)


def let_in_at(claims: Mapping[str, Any]) -> datetime | None:
    """Read when the provider let the person in; None if it does not say."""
    seconds = claims.get("auth_time")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def is_fresh(let_in: datetime, *, since: datetime, now: datetime) -> bool:
    """Whether somebody was let in a moment ago, and for this signature (begun at `since`)."""
    return max(since - SKEW, now - FRESH) <= let_in <= now + SKEW


def page_of(reading: Reading) -> str:
    """Return the address of the page on which a reading is signed."""
    is_deciding = reading.purpose is Purpose.ADJUDICATE
    return f"/read/{reading.job}" + ("?purpose=adjudicate" if is_deciding else "")


def _unsigned(request: Request, refused: UnsignedError, back: str) -> Response:
    said = refused.said or text(f"report.unsigned.{refused.key}", language_of(request))
    return page(request, "unsigned", refused.status, said=said, back=back)
