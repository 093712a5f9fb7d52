"""A provider of OpenID Connect: where it sends people, and whom it vouches for.

Authorization code flow (OpenID Connect Core 3.1) with PKCE (RFC 7636), state and nonce. The
issuer's keys are fetched from it, and fetched again when it signs with one that is new.
"""

import secrets
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from fastapi import HTTPException
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from medloop.apps.site import OpenIdSettings
from medloop.core.errors import ServiceError

# Signatures by the provider's private key only: a shared secret would let a client forge.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384")
_FRESH: Final = timedelta(hours=1)
_RETRY: Final = timedelta(seconds=30)
_TIMEOUT_S: Final = 10.0
_LEEWAY_S: Final = 60


@dataclass(frozen=True, slots=True)
class Flow:
    """One sign-in that is under way, kept in the browser, sealed."""

    state: str
    nonce: str
    verifier: str
    target: str


@dataclass(frozen=True, slots=True)
class Provider:
    """Who vouches for people."""

    settings: OpenIdSettings
    secret: str
    redirect_uri: str
    now: Callable[[], datetime]
    _known: dict[str, tuple[datetime, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def address(self, flow: Flow, *, is_anew: bool = False) -> str:
        """Return where to send a browser; with `is_anew` whoever sits there must sign in anew.

        OpenID Connect Core 3.1.2.1: the provider then says in ``auth_time`` when they did.
        """
        client = OAuth2Client(
            None,
            client_id=self.settings.client_id,
            redirect_uri=self.redirect_uri,
            scope=self.settings.scopes,
            code_challenge_method="S256",
        )
        endpoint = self._endpoint("authorization_endpoint")
        asked = {"prompt": "login", "max_age": 0} if is_anew else {}
        url, _ = client.create_authorization_url(
            endpoint, state=flow.state, code_verifier=flow.verifier, nonce=flow.nonce, **asked
        )
        return str(url)

    def claims(self, code: str, flow: Flow) -> Mapping[str, Any]:
        """Exchange a code for what the provider says of the person.

        Raises
        ------
        HTTPException
            401 if the provider refuses the code, or its answer does not hold.
        ServiceError
            If it cannot be reached.
        """
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.settings.client_id,
            "code_verifier": flow.verifier,
        }
        answer = self._ask("POST", self._endpoint("token_endpoint"), asked)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise HTTPException(401, "the sign-in provider sent no identity")
        return self._checked(token, str(answer.get("access_token", "")), flow.nonce)

    def _checked(self, token: str, access_token: str, nonce: str) -> Mapping[str, Any]:
        try:
            try:
                decoded = jwt.decode(token, self._keys(), algorithms=list(ALGORITHMS))
            except (JoseError, ValueError):
                decoded = jwt.decode(token, self._keys(again=True), algorithms=list(ALGORITHMS))
            identity = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": self.settings.issuer},
                    "aud": {"essential": True, "value": self.settings.client_id},
                },
                {
                    "nonce": nonce,
                    "client_id": self.settings.client_id,
                    "access_token": access_token,
                },
            )
            identity.validate(now=int(self.now().timestamp()), leeway=_LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise HTTPException(401, "the sign-in provider's answer does not hold") from error
        return dict(identity)

    def _keys(self, *, again: bool = False) -> KeySet:
        def fetch() -> KeySet:
            found = self._ask("GET", self._endpoint("jwks_uri"))
            return KeySet.import_key_set(found)  # type: ignore[arg-type]  # checked there

        return self._cached("keys", fetch, _RETRY if again else _FRESH)

    def _endpoint(self, name: str) -> str:
        """Look an address up in what the provider says of itself (Discovery 1.0, 4.3)."""

        def fetch() -> dict[str, Any]:
            base = self.settings.issuer.rstrip("/")
            found = self._ask("GET", f"{base}/.well-known/openid-configuration")
            if found.get("issuer") != self.settings.issuer:
                raise ServiceError(
                    "sign-in provider calls itself otherwise than the settings do"
                )
            return found

        address = self._cached("description", fetch, _FRESH).get(name)
        if urlsplit(str(address)).scheme != urlsplit(self.settings.issuer).scheme:
            raise ServiceError(f"sign-in provider has no safe {name}")
        return str(address)

    def _cached(self, name: str, fetch: Callable[[], Any], lasts: timedelta) -> Any:  # noqa: ANN401 - what `fetch` gives
        with self._lock:
            known = self._known.get(name)
        if known is not None and self.now() - known[0] < lasts:
            return known[1]
        found = fetch()
        with self._lock:
            self._known[name] = (self.now(), found)
        return found

    def _ask(
        self, method: str, address: str, form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        sent = (quote(self.settings.client_id, safe=""), quote(self.secret, safe=""))
        auth = httpx.BasicAuth(*sent) if form is not None and self.secret else None
        try:
            with httpx.Client(
                verify=_trust(self.settings.authority), timeout=_TIMEOUT_S, trust_env=False
            ) as client:
                answer = client.request(method, address, data=form, auth=auth)
            if form is not None and answer.status_code in (400, 401):
                raise HTTPException(401, "the sign-in provider refused: start again")
            found = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError, OSError) as error:
            raise ServiceError("sign-in provider cannot be reached or understood") from error
        if not isinstance(found, dict):
            raise ServiceError("sign-in provider cannot be understood")
        return found


def new_flow(target: str, *, prefix: str = "") -> Flow:
    """Make a sign-in whose secrets nobody can guess; its state begins with `prefix`."""
    state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
    return Flow(prefix + state, nonce, verifier, target)


def subject_of(settings: OpenIdSettings, claims: Mapping[str, Any]) -> str:
    """Name whom the provider means: its subjects are its own (OpenID Connect Core 2)."""
    return f"{settings.issuer}#{claims['sub']}"


def vouches_for(settings: OpenIdSettings, subject: str | None) -> bool:
    """Whether a subject (`subject_of`) is one of this provider."""
    return (subject or "").startswith(f"{settings.issuer}#")


def role_claims(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    """Read the values of a claim; a dot leads into it (``realm_access.roles``)."""
    found: object = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    values = found if isinstance(found, list) else [found]
    return frozenset(value for value in values if isinstance(value, str))


def _trust(authority: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:  # a file that is absent or holds no certificate
        raise ServiceError(f"{authority}: no certificate can be read from it") from error
