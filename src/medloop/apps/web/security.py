"""Who is asking, and may they? Every route has one `require`; the rest is refused.

A request comes with the cookie of a session, with a token (``Authorization: Bearer``), or from
the person at this machine while nobody was added as a user.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from medloop.apps.loopback import is_loopback
from medloop.apps.web.context import Context
from medloop.apps.web.limits import require_rate
from medloop.store.users import SLICER, Role

LOCAL: Final = "local"  # the person at this machine, while there are no users
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Permission(StrEnum):
    """What a route needs."""

    READ = "read"  # see patients' data
    SEND = "send"  # bring in studies
    CORRECT = "correct"  # findings and masks
    SIGN = "sign"  # reports
    WATCH = "watch"  # metrics, jobs: no patients
    MANAGE = "manage"  # users, jobs, models, audit


_P = Permission
GRANTS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.VIEWER: frozenset({_P.READ}),
    Role.READER: frozenset({_P.READ, _P.SEND, _P.CORRECT, _P.SIGN, _P.WATCH}),
    Role.ANNOTATOR: frozenset({_P.READ, _P.SEND, _P.CORRECT, _P.WATCH}),
    Role.ADMINISTRATOR: frozenset(Permission),
    Role.SERVICE: frozenset({_P.READ, _P.SEND, _P.WATCH}),
}


class Way(StrEnum):
    """How somebody came in."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - the word, no secret
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever is asking; `csrf` must come back with each change made in a session."""

    name: str
    role: Role
    way: Way
    csrf: str = ""

    def may(self, permission: Permission) -> bool:
        """Whether the role grants it."""
        return permission in GRANTS[self.role]


def context_of(request: Request) -> Context:
    """Return what `create_app` was given."""
    context = request.app.state.context
    assert isinstance(context, Context)  # noqa: S101 - create_app put it there
    return context


async def _sent_csrf(request: Request) -> str:
    kind = request.headers.get("content-type", "")
    if request.method in _SAFE or not kind.startswith("application/x-www-form-urlencoded"):
        return _header_csrf(request)
    field = (await request.form()).get("csrf", "")
    return _header_csrf(request) or (field if isinstance(field, str) else "")


def _header_csrf(request: Request) -> str:
    """Return what scripts send: ours by one name, axios (in OHIF) by the other."""
    return request.headers.get("x-csrf-token", "") or request.headers.get("x-xsrf-token", "")


_BEARER: Final = HTTPBearer(auto_error=False, description="medloop users token NAME")


@dataclass(frozen=True, slots=True)
class Guard:
    """A dependency that lets a principal with the permission pass."""

    permission: Permission

    def __call__(
        self,
        request: Request,
        sent_csrf: Annotated[str, Depends(_sent_csrf)],
        _described: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> Principal:
        """Say who is asking; 401 if nobody known, 403 if they may not, 429 if too often."""
        context = context_of(request)
        principal = principal_of(request, context)
        if principal is None:
            address = request.client.host if request.client else ""
            require_rate(context.rates, f"stranger {address}")
            raise HTTPException(
                401, "sign in, or send a token", headers={"WWW-Authenticate": "Bearer"}
            )
        request.state.who = principal.name
        request.state.principal = principal
        require_rate(context.rates, f"principal {principal.name}")
        if not principal.may(self.permission):
            context.trail.saw(principal.name, self.permission, "was refused")
            raise HTTPException(
                403, f"your role, {principal.role}, does not grant to {self.permission}"
            )
        if request.method not in _SAFE:
            _require_own_page(request, principal, sent_csrf)
        return principal


def require(permission: Permission) -> Guard:
    """Make the dependency of a route: ``Annotated[Principal, Depends(require(...))]``."""
    return Guard(permission)


def principal_of(request: Request, context: Context) -> Principal | None:
    """Say who is asking, if anybody that is known."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _of_token(context, secret.strip())
    cookie = request.cookies.get(cookie_name(context))
    if cookie:
        return _of_session(context, cookie)
    is_closed = context.site.users.openid is not None or context.users.has_any()
    if not is_closed and is_at_this_machine(request, context):
        return Principal(LOCAL, Role.ADMINISTRATOR, Way.LOCAL)
    return None


def cookie_name(context: Context) -> str:
    """Name of the session's cookie; browsers tie a ``__Host-`` one to this host and TLS."""
    return "__Host-medloop" if context.site.web.is_secure else "medloop"


def is_at_this_machine(request: Request, context: Context) -> bool:
    """Whether a person at this machine asks: from loopback, by its name, through no proxy.

    The name matters: a page of somebody else could have its own name lead to 127.0.0.1.
    """
    if context.is_insecure:
        return True
    if any(name in request.headers for name in ("forwarded", "x-forwarded-for")):
        return False
    client = request.client.host if request.client else ""
    return is_loopback(client) and is_loopback(request.url.hostname or "")


def is_guarded(route: APIRoute) -> bool:
    """Whether a route asks who is there."""
    return any(isinstance(each.call, Guard) for each in route.dependant.dependencies)


def permission_of(route: APIRoute) -> Permission | None:
    """Return what a route needs; None if it asks nobody."""
    for each in route.dependant.dependencies:
        if isinstance(each.call, Guard):
            return each.call.permission
    return None


def _of_token(context: Context, secret: str) -> Principal | None:
    name, label = context.tokens.known(secret, now=context.now()) or ("", "")
    user = context.users.find(name) if name else None
    if user is None:
        return None
    # An address is seen by more than whoever follows it: what stands in one lets in to read.
    role = Role.VIEWER if label == SLICER else user.role
    return Principal(user.name, role, Way.TOKEN)


def _of_session(context: Context, cookie: str) -> Principal | None:
    idle = timedelta(minutes=context.site.users.session_idle_min)
    session = context.sessions.find(cookie, now=context.now(), idle=idle)
    user = context.users.find(session.user) if session else None
    if session is None or user is None:
        return None
    return Principal(user.name, user.role, Way.SESSION, session.csrf)


def _require_own_page(request: Request, principal: Principal, sent_csrf: str) -> None:
    """Refuse what another site's page made a browser send with our cookie."""
    if principal.way is Way.TOKEN:
        return
    require_own_origin(request)
    if principal.way is Way.SESSION and not _same(sent_csrf, principal.csrf):
        raise HTTPException(403, "the page is too old: load it again (its CSRF token is gone)")


def require_own_origin(request: Request) -> None:
    """Refuse a request that a browser sends for a page of another origin, with 403."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "sent by a page of another site: refused")
    origin = request.headers.get("origin")
    own = {request.headers.get("host", ""), urlsplit(context_of(request).site.web.url).netloc}
    if origin is not None and urlsplit(origin).netloc not in own - {""}:
        raise HTTPException(403, "sent by a page of another site: refused")


def _same(sent: str, wanted: str) -> bool:
    return hmac.compare_digest(sent.encode(errors="surrogatepass"), wanted.encode())
