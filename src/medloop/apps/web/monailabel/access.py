"""Who a plugin speaks for: a token, or a name and a password for which it is given one."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from pydantic import BaseModel

from medloop.apps.web.context import Context
from medloop.apps.web.login import require_login_rate
from medloop.apps.web.passwords import sign_in
from medloop.apps.web.security import Permission, Principal, require
from medloop.store.sessions import PREFIX
from medloop.store.users import LABEL_SERVER

_Name = Annotated[str, Form(max_length=200)]
_Password = Annotated[str, Form(max_length=2000)]


class Access(BaseModel):
    """Whether credentials are asked for at all."""

    enabled: bool
    client_id: str = ""
    realm: str = ""


class Granted(BaseModel):
    """A token for the header Authorization."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the word, no secret


class Known(BaseModel):
    """Whoever a token speaks for."""

    username: str
    roles: list[str]


def add_routes(routes: APIRouter, context: Context) -> None:
    """Add ``/auth/`` and what is below."""

    @routes.get("/auth/")
    def enabled() -> Access:
        """Say whether plugins must sign in."""
        has_users = context.site.users.openid is not None or context.users.has_any()
        return Access(enabled=has_users)

    @routes.post("/auth/token", responses={401: {}})
    def grant(request: Request, username: _Name, password: _Password) -> Granted:
        """Give a token for a name and a password; a token in place of the password is kept."""
        require_login_rate(request, context)
        if password.startswith(PREFIX):
            if context.tokens.find(password, now=context.now()) is None:
                raise HTTPException(401, "this token opens nothing (any more)")
            return Granted(access_token=password)
        settings, now = context.site.users, context.now()
        user = sign_in(context.users, username, password, now=now, tries=settings.tries)
        if user is None:
            known = username if context.users.find(username) else "somebody unknown"
            context.trail.did(known, "was refused to sign in", known, {"by": LABEL_SERVER})
            raise HTTPException(401, "name or password is wrong, or there were too many tries")
        lasts = timedelta(hours=settings.session_hours)
        token, secret = context.tokens.issue(user, LABEL_SERVER, now=now, lasts=lasts)
        details = {"by": LABEL_SERVER, "token": str(token.id)}
        context.trail.did(user.name, "signed in", user.name, details)
        return Granted(access_token=secret)

    @routes.get("/auth/token/valid")
    def valid(who: Annotated[Principal, Depends(require(Permission.READ))]) -> Known:
        """Say whoever the token speaks for."""
        return Known(username=who.name, roles=[who.role.value])
