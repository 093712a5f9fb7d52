"""Pages: Jinja2 templates of the folder ``templates``, every value escaped.

Each template is given, beside its own values: `t(key)` and `texts(prefix)` (what to say),
`reason(said)` (a stored reason and the language that it is in),
`lang`, `theme`, `principal` (None: nobody signed in), `csrf`, `nav`, `static(path)`,
`modules(path)` (with all that it imports), `query` (this address with other choices),
`version`.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from typing import Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

import medloop
from medloop.apps.web.refusals import reason_in
from medloop.apps.web.security import (
    Permission,
    Principal,
    context_of,
    permission_of,
    principal_of,
)
from medloop.apps.web.static_files import module_addresses, static_address
from medloop.apps.web.texts import text, texts
from medloop.clinical.report.language import Language
from medloop.core.errors import MedloopError

# What the header leads to, where the address is offered and open to whoever asks.
NAV: Final[tuple[tuple[str, str], ...]] = (
    ("/", "nav.worklist"),
    ("/agreement", "nav.agreement"),
    ("/models", "nav.models"),
    ("/jobs", "nav.jobs"),
    ("/audit", "nav.audit"),
    ("/users", "nav.users"),
    ("/destinations", "nav.destinations"),
    ("/system", "nav.system"),
)
_YEAR_S: Final = 365 * 86_400


class Theme(StrEnum):
    """How bright pages are."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the header."""

    path: str
    label: str
    is_here: bool


def page(request: Request, name: str, code: int = 200, **values: object) -> HTMLResponse:
    """Fill in a template for whoever asks, and keep the language or theme they chose."""
    language, theme = language_of(request), theme_of(request)
    told = fill_in(request, name, values)
    # Some bytes more or less each time: the size of what is compressed tells nothing of the
    # session's token, whatever of the address stands beside it (BREACH, CVE-2013-3587).
    told += f"<!-- {secrets.token_urlsafe(secrets.randbelow(90))} -->\n"
    answer = HTMLResponse(told, code, {"Content-Language": language.value})
    for key, chosen in (("lang", language.value), ("theme", theme.value)):
        if key in request.query_params:
            is_secure = context_of(request).site.web.is_secure
            answer.set_cookie(
                key, chosen, _YEAR_S, secure=is_secure, httponly=True, samesite="lax"
            )
    return answer


def fill_in(request: Request, name: str, values: Mapping[str, object]) -> str:
    """Fill in a template, as of a part of a page."""
    language, principal = language_of(request), whoever_asks(request)
    given: dict[str, object] = {
        "t": partial(_say, language),
        "texts": partial(texts, language),
        "reason": partial(reason_in, language),
        "lang": language.value,
        "theme": theme_of(request).value,
        "principal": principal,
        "csrf": principal.csrf if principal else "",
        "nav": _nav(request, principal, language),
        "static": static_address,
        "modules": module_addresses,
        "query": partial(_query, request),
        "version": medloop.__version__,
    }
    return _templates().get_template(f"{name}.html").render({**given, **values})


def language_of(request: Request) -> Language:
    """Say which language was chosen: in the address, before, or by the browser."""
    for chosen in (request.query_params.get("lang"), request.cookies.get("lang")):
        if chosen in tuple(Language):
            return Language(chosen)
    for part in request.headers.get("accept-language", "").lower().split(","):
        begin = part.strip()[:2]
        if begin in tuple(Language):
            return Language(begin)
    return Language.ENGLISH


def theme_of(request: Request) -> Theme:
    """Say which theme was chosen: in the address, or before."""
    for chosen in (request.query_params.get("theme"), request.cookies.get("theme")):
        if chosen in tuple(Theme):
            return Theme(chosen)
    return Theme.SYSTEM


def whoever_asks(request: Request) -> Principal | None:
    """Return who the gate let in; where there is none, who it would be."""
    known = getattr(request.state, "principal", None)
    if isinstance(known, Principal):
        return known
    try:
        return principal_of(request, context_of(request))
    except MedloopError:  # an error page is shown even without a database
        return None


def _say(language: Language, key: str, **values: object) -> str:
    return text(key, language, **values)


def _nav(request: Request, principal: Principal | None, language: Language) -> list[Entry]:
    if principal is None:
        return []
    needed = _needed(request)
    return [
        Entry(path, text(key, language), request.url.path == path)
        for path, key in NAV
        if path in needed and principal.may(needed[path])
    ]


def _needed(request: Request) -> Mapping[str, Permission]:
    """Return what each address of the header needs, as its route says."""
    found = getattr(request.app.state, "nav", None)
    if isinstance(found, dict):
        return found
    paths = {path for path, _ in NAV}
    needed = {
        route.path: permission
        for route in request.app.routes
        if isinstance(route, APIRoute)
        and route.path in paths
        and "GET" in (route.methods or ())
        if (permission := permission_of(route)) is not None
    }
    request.app.state.nav = needed
    return needed


def _query(request: Request, **chosen: object) -> str:
    """Return the query of this address with some values changed; None leaves one out."""
    kept = [pair for pair in parse_qsl(request.url.query) if pair[0] not in chosen]
    new = [(key, str(value)) for key, value in chosen.items() if value is not None]
    return "?" + urlencode([*kept, *new])


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("medloop.apps.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
