"""Whom a provider of OpenID Connect vouches for, as users of ours."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import HTTPException

from medloop.apps.site import OpenIdSettings
from medloop.apps.web.context import Context
from medloop.apps.web.openid import role_claims, subject_of
from medloop.core.person import LONGEST, plain_name
from medloop.store.users import Role, User

_STRONGEST_FIRST: Final = (
    Role.ADMINISTRATOR,
    Role.READER,
    Role.ANNOTATOR,
    Role.SERVICE,
    Role.VIEWER,
)


def user_of(context: Context, settings: OpenIdSettings, claims: Mapping[str, Any]) -> User:
    """Find or add whom the provider named, with the role it gives now; 403 if it gives none."""
    subject = subject_of(settings, claims)
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
    claimed = claimed_name(claims)
    if claimed and claimed != user.claimed_name:
        user = context.users.rename(user, now=context.now(), claimed_name=claimed)
        context.trail.did(user.name, "users name", user.name)
    return user


def claimed_name(claims: Mapping[str, Any]) -> str:
    """Write whom the provider names as a PN (OpenID Connect Core 5.1); empty if nobody.

    What stands there without parts, as ``name`` does, is kept as one part: nobody guesses which
    of its words is the family's.
    """
    said = (claims.get(key) for key in ("family_name", "given_name", "name"))
    family, given, name = (plain_name(each) if isinstance(each, str) else "" for each in said)
    whole = f"{family}^{given}" if family and given else name or family or given
    return whole if len(whole) <= LONGEST else name or family


def _free_name(context: Context, settings: OpenIdSettings, claims: Mapping[str, Any]) -> str:
    """Choose a name nobody has: an account of ours never becomes the provider's."""
    said = str(claims.get(settings.name_claim) or "person")
    name = re.sub(r"[^\w.@+-]", "-", said)[:30] or "person"
    host = urlsplit(settings.issuer).hostname or "provider"
    digest = hashlib.sha256(str(claims["sub"]).encode()).hexdigest()
    offers = (name, f"{name}@{host[:24]}", f"{name}-{digest[:12]}")
    return next((each for each in offers if context.users.find(each) is None), digest[:40])
