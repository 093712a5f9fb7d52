"""The pages of users: who may come in, as what, with which passwords and tokens."""

import secrets
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import Response

from medloop.apps.web.administration import Manager, back, show
from medloop.apps.web.context import Context
from medloop.apps.web.pages import language_of
from medloop.apps.web.passwords import hash_password
from medloop.apps.web.security import Principal
from medloop.clinical.report.language import person_name
from medloop.core.errors import InputError
from medloop.core.person import checked_name
from medloop.store.sessions import Token
from medloop.store.users import Role, User

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look like another
_GROUP: Final = 5
_Name = Annotated[str, Form(max_length=200)]
_Label = Annotated[str, Form(max_length=100)]
_FullName = Annotated[str, Form(max_length=400)]
_Days = Annotated[int, Form(ge=0, le=36_500)]


def router(context: Context) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter(include_in_schema=False)
    _add_pages(routes, context)
    _add_people(routes, context)
    _add_names(routes, context)
    _add_secrets(routes, context)
    return routes


def password_once(shortest: int) -> str:
    """Make a password to be told to somebody and used once: four groups or more of letters."""
    groups = max(4, -(-shortest // (_GROUP + 1)))
    return "-".join(
        "".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(groups)
    )


def _add_pages(routes: APIRouter, context: Context) -> None:
    @routes.get("/users")
    def users(request: Request, _who: Manager) -> Response:
        """List users."""
        return _listed(request, context)

    @routes.get("/users/{number}")
    def user(request: Request, _who: Manager, number: int) -> Response:
        """Show one user, and what can be changed."""
        return _shown(request, context, _user(context, number))


def _add_people(routes: APIRouter, context: Context) -> None:
    users = context.users

    @routes.post("/users")
    def add(
        request: Request,
        who: Manager,
        name: _Name,
        role: Annotated[Role, Form()],
        full_name: _FullName = "",
    ) -> Response:
        """Let somebody in; a person gets a password that is good for choosing another."""
        if role is not Role.ADMINISTRATOR and not users.has_any():
            raise InputError("the first user is an administrator: nobody else could add more")
        person = checked_name(full_name)
        user = users.add(name.strip(), role, now=context.now())
        users.rename(user, now=context.now(), full_name=person)
        context.trail.did(who.name, "users add", user.name, {"role": role.value})
        if role is Role.SERVICE:
            return back(f"/users/{user.id}", "added")
        return _lent(request, context, who, user)

    @routes.post("/users/{number}/role")
    def grant(who: Manager, number: int, role: Annotated[Role, Form()]) -> Response:
        """Give another role."""
        user = _user(context, number)
        if role is not Role.ADMINISTRATOR:
            users.require_another(user)
        users.change(user, now=context.now(), role=role)
        context.trail.did(who.name, "users role", user.name, {"role": role.value})
        return back(f"/users/{number}", "role")

    @routes.post("/users/{number}/disable")
    def disable(who: Manager, number: int) -> Response:
        """Let somebody in no more."""
        user = _user(context, number)
        users.require_another(user)
        users.change(user, now=context.now(), is_disabled=True)
        context.trail.did(who.name, "users disable", user.name)
        return back(f"/users/{number}", "disabled")

    @routes.post("/users/{number}/enable")
    def enable(who: Manager, number: int) -> Response:
        """Let somebody in again."""
        user = _user(context, number)
        users.change(user, now=context.now(), is_disabled=False)
        context.trail.did(who.name, "users enable", user.name)
        return back(f"/users/{number}", "enabled")

    @routes.post("/users/{number}/unlock")
    def unlock(who: Manager, number: int) -> Response:
        """Forget wrong passwords."""
        user = _user(context, number)
        users.succeed(user)
        context.trail.did(who.name, "users unlock", user.name)
        return back(f"/users/{number}", "unlocked")

    @routes.post("/users/{number}/sessions")
    def end(who: Manager, number: int) -> Response:
        """Sign somebody out everywhere."""
        user = _user(context, number)
        count = context.sessions.end_all(user, now=context.now())
        context.trail.did(who.name, "users sessions ended", user.name, {"count": str(count)})
        return back(f"/users/{number}", "ended")


def _add_names(routes: APIRouter, context: Context) -> None:
    @routes.post("/users/{number}/name")
    def rename(who: Manager, number: int, full_name: _FullName = "") -> Response:
        """Say what the person is called; nothing takes it back."""
        user = _user(context, number)
        context.users.rename(user, now=context.now(), full_name=checked_name(full_name))
        context.trail.did(who.name, "users name", user.name)
        return back(f"/users/{number}", "named")


def _add_secrets(routes: APIRouter, context: Context) -> None:
    @routes.post("/users/{number}/password")
    def reset(request: Request, who: Manager, number: int) -> Response:
        """Give somebody a password that is good for choosing another."""
        return _lent(request, context, who, _user(context, number))

    @routes.post("/users/{number}/tokens")
    def issue(
        request: Request, who: Manager, number: int, label: _Label = "", days: _Days = 365
    ) -> Response:
        """Make a token, and show its secret this once."""
        user = _user(context, number)
        lasts = timedelta(days=days) if days else None
        name = "".join(each for each in label if each.isprintable()).strip() or "token"
        token, secret = context.tokens.issue(user, name, now=context.now(), lasts=lasts)
        details = {"token": str(token.id), "label": name}
        context.trail.did(who.name, "users token", user.name, details)
        return _shown(request, context, user, token=secret)

    @routes.post("/users/{number}/tokens/{token}/revoke")
    def revoke(who: Manager, number: int, token: int) -> Response:
        """Let a token open nothing any more."""
        user = _user(context, number)
        if token not in {each.id for each in _tokens(context, user)}:
            raise HTTPException(404, "this user has no such token")
        context.tokens.revoke(token, now=context.now())
        context.trail.did(who.name, "users revoke", user.name, {"token": str(token)})
        return back(f"/users/{number}", "revoked")


def _lent(request: Request, context: Context, who: Principal, user: User) -> Response:
    if user.subject:
        raise InputError(
            f"{user.name} signs in with the hospital's account, without a password"
        )
    password = password_once(context.site.users.password_min)
    context.users.lend(user, hash_password(password), now=context.now())
    context.trail.did(who.name, "users password", user.name, {"once": "yes"})
    return _shown(request, context, _user(context, user.id), password=password)


def _listed(request: Request, context: Context) -> Response:
    return show(
        request,
        "users",
        person=lambda name: person_name(name, language_of(request)),
        users=context.users.all(),
        signed_in=_signed_in(context),
        tokens=_open_tokens(context),
        roles=tuple(Role),
        now=context.now(),
        has_provider=context.site.users.openid is not None,
    )


def _shown(
    request: Request, context: Context, user: User, *, password: str = "", token: str = ""
) -> Response:
    return show(
        request,
        "user",
        about="users",
        user=user,
        here=_signed_in(context).get(user.name),
        tokens=_tokens(context, user),
        roles=tuple(Role),
        now=context.now(),
        password=password,
        token=token,
        days=context.site.users.token_days,
    )


def _user(context: Context, number: int) -> User:
    for each in context.users.all():
        if each.id == number:
            return each
    raise HTTPException(404, "there is no such user")


def _signed_in(context: Context) -> dict[str, tuple[int, object]]:
    idle = timedelta(minutes=context.site.users.session_idle_min)
    return dict(context.sessions.counts(now=context.now(), idle=idle))


def _tokens(context: Context, user: User) -> list[Token]:
    return [each for each in context.tokens.all() if each.user == user.name]


def _open_tokens(context: Context) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in context.tokens.all():
        is_over = each.expires is not None and each.expires <= context.now()
        if each.revoked is None and not is_over:
            counts[each.user] = counts.get(each.user, 0) + 1
    return counts
