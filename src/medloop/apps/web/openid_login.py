"""Signing in by OpenID Connect: the way to the provider and back."""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from medloop.apps.credentials import read_secret
from medloop.apps.site import OpenIdSettings, Site
from medloop.apps.web.context import Context
from medloop.apps.web.login import begin_session, local_path, require_login_rate
from medloop.apps.web.openid import Flow, Provider, role_claims
from medloop.store.users import Role, User

MINUTES: Final = 10  # to sign in at the provider
_STRONGEST_FIRST: Final = (
    Role.ADMINISTRATOR,
    Role.READER,
    Role.ANNOTATOR,
    Role.SERVICE,
    Role.VIEWER,
)


def router(context: Context) -> APIRouter:
    """Return the routes of this module; none where no provider is set."""
    routes = APIRouter(include_in_schema=False)
    settings = context.site.users.openid
    if settings is None:
        return routes
    secret = read_secret(settings.client_secret_file, "MEDLOOP_OPENID_SECRET")
    back = f"{public_address(context.site)}/login/callback"
    provider = Provider(settings, secret, back, context.now)
    seal = Fernet(Fernet.generate_key())  # a sign-in under way does not outlive the process
    is_secure = context.site.web.is_secure
    cookie = "__Host-medloop-openid" if is_secure else "medloop-openid"

    @routes.get("/login/openid")
    def leave(request: Request, next: str = "/") -> Response:  # noqa: A002
        """Send the browser to the provider."""
        require_login_rate(request, context)
        state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        flow = Flow(state, nonce, verifier, local_path(next))
        answer = RedirectResponse(provider.address(flow), 303)
        answer.set_cookie(
            cookie,
            seal.encrypt(json.dumps(asdict(flow)).encode()).decode(),
            max_age=MINUTES * 60,
            path="/",
            secure=is_secure,
            httponly=True,
            samesite="lax",  # the way back begins at the provider
        )
        return answer

    @routes.get("/login/callback")
    def come_back(request: Request, state: str = "", code: str = "", iss: str = "") -> Response:
        """Take the browser back, and let in whom the provider vouches for."""
        require_login_rate(request, context)
        flow = _flow(seal, request.cookies.get(cookie, ""))
        is_ours = flow is not None and hmac.compare_digest(flow.state.encode(), state.encode())
        if flow is None or not is_ours or (iss and iss != settings.issuer):
            raise HTTPException(
                401, "this sign-in was not begun here, or long ago: start again"
            )
        if not code:
            raise HTTPException(401, "the sign-in provider let nobody in: start again")
        user = user_of(context, settings, provider.claims(code, flow))
        answer = begin_session(request, context, user, flow.target)
        answer.delete_cookie(cookie, path="/")
        return answer

    return routes


def user_of(context: Context, settings: OpenIdSettings, claims: Mapping[str, Any]) -> User:
    """Find or add whom the provider named, with the role it gives now; 403 if it gives none."""
    subject = f"{settings.issuer}#{claims['sub']}"
    user = context.users.of_subject(subject)
    values = role_claims(claims, settings.claim)
    granted = {settings.roles[value] for value in values if value in settings.roles}
    role = next((role for role in _STRONGEST_FIRST if role in granted), None)
    if role is None or (user is not None and user.is_disabled):
        known = user.name if user else "somebody unknown"
        context.trail.did(known, "was refused to sign in", known)
        raise HTTPException(403, "your account has no role here: ask an administrator")
    if user is None:
        name = _free_name(context, settings, claims)
        user = context.users.add(name, role, now=context.now(), subject=subject)
        context.trail.did(user.name, "users add", user.name, {"role": role})
    elif user.role is not role:
        context.users.change(user, now=context.now(), role=role)
        context.trail.did(user.name, "users role", user.name, {"role": role})
    return user


def public_address(site: Site) -> str:
    """Return how browsers reach the node, without a slash at the end."""
    if site.web.url:
        return site.web.url.rstrip("/")
    scheme = "https" if site.web.has_tls else "http"
    host = f"[{site.web.host}]" if ":" in site.web.host else site.web.host
    return f"{scheme}://{host}:{site.web.port}"


def _free_name(context: Context, settings: OpenIdSettings, claims: Mapping[str, Any]) -> str:
    """Choose a name nobody has: an account of ours never becomes the provider's."""
    said = str(claims.get(settings.name_claim) or "person")
    name = re.sub(r"[^\w.@+-]", "-", said)[:30] or "person"
    host = urlsplit(settings.issuer).hostname or "provider"
    digest = hashlib.sha256(str(claims["sub"]).encode()).hexdigest()
    offers = (name, f"{name}@{host[:24]}", f"{name}-{digest[:12]}")
    return next((each for each in offers if context.users.find(each) is None), digest[:40])


def _flow(seal: Fernet, kept: str) -> Flow | None:
    try:
        return Flow(**json.loads(seal.decrypt(kept.encode(), ttl=MINUTES * 60)))
    except InvalidToken:
        return None
