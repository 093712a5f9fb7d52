"""Choosing a password of one's own, for whoever was given one that is good for that alone."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from medloop.apps.web.context import Context
from medloop.apps.web.login import (
    ask_for_another,
    begin_session,
    local_path,
    require_login_rate,
)
from medloop.apps.web.passwords import hash_password, require_good, sign_in
from medloop.apps.web.security import require_own_origin
from medloop.core.errors import InputError

_Name = Annotated[str, Form(max_length=200)]
_Password = Annotated[str, Form(max_length=2000)]


def router(context: Context) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter(include_in_schema=False)
    settings = context.site.users

    @routes.post("/login/new")
    def choose(
        request: Request,
        name: _Name,
        old: _Password,
        new: _Password,
        again: _Password,
        next: _Name = "/",  # noqa: A002 - the word everybody uses
    ) -> Response:
        """Change the password of whoever knows it, and begin a session."""
        require_own_origin(request)
        require_login_rate(request, context)
        target = local_path(next)
        now, tries = context.now(), settings.tries
        user = sign_in(context.users, name, old, now=now, tries=tries, may_be_once=True)
        if user is None:
            known = name if context.users.find(name) else "somebody unknown"
            context.trail.did(known, "was refused to sign in", known)
            return ask_for_another(request, context, name, target, "login.wrong")
        fault = _fault(user.name, (old, new, again), settings.password_min)
        if fault:
            return ask_for_another(request, context, name, target, fault)
        context.users.change(user, now=context.now(), password=hash_password(new))
        context.trail.did(user.name, "users password", user.name)
        return begin_session(request, context, user, target)

    return routes


def _fault(name: str, typed: tuple[str, str, str], shortest: int) -> str:
    """Return the key of what is wrong with what was typed; nothing if it is well."""
    old, new, again = typed
    if new != again:
        return "login.differ"
    if new == old:
        return "login.same"
    try:
        require_good(new, name, shortest)
    except InputError:
        return "login.weak"
    return ""
