"""Signing in by password, and out."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from medloop.apps.web.context import Context
from medloop.apps.web.limits import require_rate
from medloop.apps.web.pages import page
from medloop.apps.web.passwords import sign_in
from medloop.apps.web.security import (
    Permission,
    Principal,
    cookie_name,
    require,
    require_own_origin,
)
from medloop.store.users import User

LOGINS_PER_MINUTE: Final = 20  # from one address, or by somebody known
_WRONG: Final = "login.wrong"
_LONGEST: Final = 200
_Name = Annotated[str, Form(max_length=_LONGEST)]
_Password = Annotated[str, Form(max_length=2000)]


def router(context: Context) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter(include_in_schema=False)
    has_provider = context.site.users.openid is not None

    @routes.get("/login")
    def ask(request: Request, next: str = "/") -> Response:  # noqa: A002 - the word everybody uses
        """Show the form."""
        target = local_path(next)
        return page(request, "login", said="", next=target, has_provider=has_provider)

    @routes.post("/login")
    def enter(
        request: Request,
        name: _Name,
        password: _Password,
        next: _Name = "/",  # noqa: A002
    ) -> Response:
        """Check name and password; a session begins, in place of one that was."""
        require_own_origin(request)
        require_login_rate(request, context)
        tries = context.site.users.tries
        user = sign_in(
            context.users, name, password, now=context.now(), tries=tries, may_be_once=True
        )
        target = local_path(next)
        if user is None:
            # Not what was typed: people type passwords where names belong.
            known = name if context.users.find(name) else "somebody unknown"
            context.trail.did(known, "was refused to sign in", known, _origin(request))
            values = {"said": _WRONG, "next": target, "has_provider": has_provider}
            return page(request, "login", 401, **values)
        if user.is_once:
            return ask_for_another(request, context, user.name, target)
        return begin_session(request, context, user, target)

    @routes.post("/logout")
    def leave(
        request: Request, who: Annotated[Principal, Depends(require(Permission.READ))]
    ) -> Response:
        """End the session."""
        _end(request, context)
        context.trail.did(who.name, "signed out", who.name)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(cookie_name(context), path="/")
        return answer

    return routes


def ask_for_another(
    request: Request, context: Context, name: str, target: str, said: str = ""
) -> Response:
    """Show the form for a password of one's own; `said` is the key of what was wrong."""
    code = {"": 200, "login.wrong": 401}.get(said, 422)
    shortest = context.site.users.password_min
    return page(
        request, "new_password", code, said=said, user=name, next=target, shortest=shortest
    )


def begin_session(request: Request, context: Context, user: User, target: str) -> Response:
    """Give the browser a new session, and lead it on."""
    _end(request, context)
    lasts = timedelta(hours=context.site.users.session_hours)
    secret = context.sessions.begin(user, now=context.now(), lasts=lasts)
    context.trail.did(user.name, "signed in", user.name, _origin(request))
    answer = RedirectResponse(target, 303)
    answer.set_cookie(
        cookie_name(context),
        secret,
        max_age=int(lasts.total_seconds()),
        path="/",
        secure=context.site.web.is_secure,
        httponly=True,
        samesite="lax",  # links from other systems open a study; changes need the CSRF token
    )
    return answer


def require_login_rate(request: Request, context: Context) -> None:
    """Refuse an address that tries to sign in too often, with 429."""
    _require_tries(context, f"sign-in {request.client.host if request.client else ''}")


def require_password_rate(context: Context, who: Principal) -> None:
    """Refuse somebody known who types their password too often, with 429.

    They are counted by name: a hospital's browsers may all come from the address of a proxy.
    """
    _require_tries(context, f"password {who.name}")


def _require_tries(context: Context, key: str) -> None:
    cost = context.site.web.requests_per_minute / LOGINS_PER_MINUTE
    require_rate(context.rates, key, cost=cost)


def local_path(target: str) -> str:
    """Return where to go after signing in: a path of ours that the form holds, or the start."""
    is_path = target.startswith("/") and not target.startswith(("//", "/\\"))
    is_path = is_path and len(target) <= _LONGEST
    return target if is_path and target.isprintable() and target.isascii() else "/"


def _end(request: Request, context: Context) -> None:
    cookie = request.cookies.get(cookie_name(context))
    if cookie:
        context.sessions.end(cookie)


def _origin(request: Request) -> dict[str, str]:
    return {"address": request.client.host if request.client else ""}
