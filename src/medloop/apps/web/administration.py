"""What the pages for administrators share: who may, the way back after a deed, times."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Depends, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from medloop.apps.web.pages import language_of, page
from medloop.apps.web.security import Permission, Principal, require
from medloop.apps.web.texts import book, text
from medloop.clinical.report.language import Language

Reader = Annotated[Principal, Depends(require(Permission.READ))]
Watcher = Annotated[Principal, Depends(require(Permission.WATCH))]
Manager = Annotated[Principal, Depends(require(Permission.MANAGE))]

ROWS: Final = 50  # of a table on one page
_SPANS: Final = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))


def show(
    request: Request, name: str, code: int = 200, *, about: str = "", **values: object
) -> HTMLResponse:
    """Fill in a template with what these pages need: times in words, what was just done.

    `about` is the noun under which the book has what was done, if it is not the template's.
    """
    language = language_of(request)
    given: dict[str, object] = {
        "moment": moment,
        "span": partial(span, language),
        "done": _done(request, about or name, language),
        "may_manage": _may_manage(request),
        "named": partial(analysis_name, language),
    }
    return page(request, name, code, **{**given, **values})


def back(path: str, done: str, **query: str | int) -> Response:
    """Lead a browser back to a page that says what was done, in words of its book."""
    return RedirectResponse(f"{path}?{urlencode({**query, 'done': done})}", 303)


def moment(at: datetime | None) -> str:
    """Write a time as the clock of this machine shows it; nothing for None."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}" if at else ""


def span(language: Language, seconds: float | timedelta | None) -> str:
    """Write how long something takes: 0.8 s, 12 s, 3 min, 2.5 h, 4 d."""
    if seconds is None:
        return ""
    value = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    for size, unit in _SPANS:
        if value >= size * 1.5:
            shown = value / size
            number = f"{shown:.1f}" if shown < 10 and unit != "min" else f"{shown:.0f}"
            return text(f"admin.{unit}", language, n=number)
    number = f"{value:.1f}" if value < 10 else f"{value:.0f}"
    return text("admin.s", language, n=number)


def analysis_name(language: Language, name: str) -> str:
    """Name an analysis as people do; a site's own keeps its name."""
    key = f"analysis.{name}"
    return text(key, language) if key in book() else name


def midnight(day: str) -> datetime | None:
    """Read a day as browsers send it, as its begin on this machine's clock; None for nothing.

    Raises
    ------
    ValueError
        If it is no day.
    """
    return datetime.strptime(day, "%Y-%m-%d").astimezone().astimezone(UTC) if day else None


def _done(request: Request, name: str, language: Language) -> str:
    key = f"{name}.done.{request.query_params.get('done', '')}"
    return text(key, language) if key in book() else ""


def _may_manage(request: Request) -> bool:
    principal = getattr(request.state, "principal", None)
    return isinstance(principal, Principal) and principal.may(Permission.MANAGE)
