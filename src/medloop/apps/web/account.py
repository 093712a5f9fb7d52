"""One's own account: who one is here, and a new password."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Response
from pydantic import BaseModel, Field

from medloop.apps.web.context import Context
from medloop.apps.web.login import require_password_rate
from medloop.apps.web.passwords import LONGEST, hash_password, require_good, sign_in
from medloop.apps.web.security import Permission, Principal, Way, require

Anybody = Annotated[Principal, Depends(require(Permission.READ))]
_Password = Annotated[str, Field(max_length=4 * LONGEST)]


class Account(BaseModel):
    """Whoever asks; `csrf` goes into the header X-CSRF-Token of each change."""

    name: str
    role: str
    permissions: list[str]
    csrf: str


class NewPassword(BaseModel):
    """The password until now, and the one from now on."""

    old: _Password
    new: _Password


def router(context: Context) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter(prefix="/api", tags=["account"])

    @routes.get("/me")
    def me(who: Anybody) -> Account:
        """Say who is asking and what they may."""
        permissions = [each.value for each in Permission if who.may(each)]
        return Account(name=who.name, role=who.role, permissions=permissions, csrf=who.csrf)

    @routes.post("/password", status_code=204)
    def change_password(who: Anybody, wanted: NewPassword) -> Response:
        """Change one's own password; all one's sessions end."""
        if who.way is not Way.SESSION:
            raise HTTPException(403, "a password is changed by whoever signed in with it")
        require_password_rate(context, who)
        settings, now = context.site.users, context.now()
        user = sign_in(context.users, who.name, wanted.old, now=now, tries=settings.tries)
        if user is None:
            raise HTTPException(403, "the password until now is wrong, or its user is locked")
        require_good(wanted.new, who.name, settings.password_min)
        context.users.change(user, now=now, password=hash_password(wanted.new))
        context.trail.did(who.name, "users password", who.name)
        return Response(status_code=204)

    return routes
