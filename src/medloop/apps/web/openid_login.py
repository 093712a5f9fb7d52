"""Signing in by OpenID Connect: the way to the provider and back."""

import hmac
import json
from dataclasses import asdict
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from medloop.apps.credentials import read_secret
from medloop.apps.site import Site
from medloop.apps.web import openid_signing
from medloop.apps.web.context import Context
from medloop.apps.web.login import begin_session, local_path, require_login_rate
from medloop.apps.web.openid import Flow, Provider, new_flow
from medloop.apps.web.openid_people import user_of
from medloop.apps.web.openid_signing import SIGNING, Countersigning, Tray
from medloop.apps.web.reporting import counter_of

MINUTES: Final = 10  # to sign in at the provider


def router(context: Context) -> APIRouter:
    """Return the routes of this module; none where no provider is set."""
    routes = APIRouter()
    settings = context.site.users.openid
    if settings is None:
        return routes
    secret = read_secret(settings.client_secret_file, "MEDLOOP_OPENID_SECRET")
    back = f"{public_address(context.site)}/login/callback"
    provider = Provider(settings, secret, back, context.now)
    signing = Countersigning(context, provider, counter_of(context), Tray(context.now))
    openid_signing.add_routes(routes, signing)
    seal = Fernet(Fernet.generate_key())  # a sign-in under way does not outlive the process
    is_secure = context.site.web.is_secure
    cookie = "__Host-medloop-openid" if is_secure else "medloop-openid"

    @routes.get("/login/openid", include_in_schema=False)
    def leave(request: Request, next: str = "/") -> Response:  # noqa: A002
        """Send the browser to the provider."""
        require_login_rate(request, context)
        flow = new_flow(local_path(next))
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

    @routes.get("/login/callback", include_in_schema=False)
    def come_back(request: Request, state: str = "", code: str = "", iss: str = "") -> Response:
        """Take the browser back: let in whom the provider vouches for, or let them sign."""
        require_login_rate(request, context)
        if state.startswith(SIGNING):
            return signing.come_back(request, state, code, iss)
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


def public_address(site: Site) -> str:
    """Return how browsers reach the node, without a slash at the end."""
    if site.web.url:
        return site.web.url.rstrip("/")
    scheme = "https" if site.web.has_tls else "http"
    host = f"[{site.web.host}]" if ":" in site.web.host else site.web.host
    return f"{scheme}://{host}:{site.web.port}"


def _flow(seal: Fernet, kept: str) -> Flow | None:
    try:
        return Flow(**json.loads(seal.decrypt(kept.encode(), ttl=MINUTES * 60)))
    except InvalidToken:
        return None
