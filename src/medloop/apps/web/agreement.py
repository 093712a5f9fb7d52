"""The page that says how far readers agree, and which results wait for whom."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

import numpy as np
from fastapi import APIRouter, Depends, Request, Response
from markupsafe import Markup

from medloop.annotation.pairs import (
    DECIDED,
    FEW,
    MODEL,
    Agreement,
    Measure,
    Seen,
    agreements,
)
from medloop.apps.web import plots
from medloop.apps.web.administration import analysis_name
from medloop.apps.web.context import Context
from medloop.apps.web.curtain import curtain_of
from medloop.apps.web.images import images_of
from medloop.apps.web.pages import language_of, page
from medloop.apps.web.security import Permission, Principal, require
from medloop.workflow.apart import Ledger

_KAPPAS: Final = (Measure.GRADE, Measure.VERDICT)
_LEAST: Final = dict.fromkeys(_KAPPAS, -1.0)  # where the drawing begins
_SEED: Final = 1
Reader = Annotated[Principal, Depends(require(Permission.READ))]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of the table; `remark` is a key of the book, empty for none."""

    found: Agreement
    value: str
    interval: str
    drawn: Markup
    remark: str
    is_first: bool


class Figures:
    """The table, made anew only when something else was said."""

    def __init__(self) -> None:
        self._of: tuple[object, tuple[Agreement, ...]] | None = None

    def get(self, seen: Sequence[Seen], key: object) -> tuple[Agreement, ...]:
        """Return the agreement on what was seen; the same draws each time."""
        if self._of is None or self._of[0] != key:
            self._of = (key, agreements(seen, rng=np.random.default_rng(_SEED)))
        return self._of[1]


def router(context: Context) -> APIRouter:
    """Offer the page."""
    routes = APIRouter(include_in_schema=False)
    desk = images_of(context)
    ledger = Ledger(context.store, context.site.reading.wanted, desk.shown)
    figures = Figures()
    curtain = curtain_of(context)

    @routes.get("/agreement")
    def show(request: Request, who: Reader) -> Response:
        """Show agreement by task, pair and reader, what to adjudicate, and what is awaited.

        Results that whoever asks still reads apart are left out.
        """
        own = {each.job for each in curtain.unfinished(who.name)}
        compared = [each for each in ledger.compared() if each.job not in own]
        key = tuple((each.job, len(each.seen), hash(each.seen)) for each in compared)
        found = figures.get([one for each in compared for one in each.seen], key)
        context.trail.saw(who.name, "agreement", "looked")
        todo = [
            each
            for each in compared
            if len(each.readers) > 1 and not each.is_decided and each.differences
        ]
        may_correct = who.may(Permission.CORRECT)
        return page(
            request,
            "agreement",
            analyses=_lines(found),
            named=partial(analysis_name, language_of(request)),
            names={DECIDED: "agreement.adjudicated", MODEL: "agreement.model"},
            todo=todo if may_correct else [],
            awaited=ledger.awaited(),
            waiting=ledger.waiting,
            may_correct=may_correct,
            few=FEW,
            kappa_min=f"{context.site.reading.kappa_min:.2f}",
        )

    return routes


def _lines(found: Sequence[Agreement]) -> Mapping[str, list[Line]]:
    by_analysis: dict[str, list[Line]] = {}
    last: object = None
    for each in found:
        lines = by_analysis.setdefault(each.task.analysis, [])
        lines.append(_line(each, is_first=each.task != last))
        last = each.task
    return by_analysis


def _line(each: Agreement, *, is_first: bool) -> Line:
    figure = each.figure
    has_interval = math.isfinite(figure.low) and math.isfinite(figure.high)
    drawn = Markup()
    is_shown = each.is_known and not (each.jobs < 2 and each.task.measure in _KAPPAS)
    if is_shown:
        low, high = (figure.low, figure.high) if has_interval else (figure.value, figure.value)
        least = _LEAST.get(each.task.measure, 0.0)
        drawn = plots.interval(figure.value, low, high, least=least)
    interval = f"{figure.low:.2f} – {figure.high:.2f}" if has_interval else "–"
    value = f"{figure.value:.2f}" if is_shown else "–"
    return Line(each, value, interval, drawn, _remark(each), is_first)


def _remark(each: Agreement) -> str:
    if not each.is_known:
        return "agreement.unknown" if each.task.measure in _KAPPAS else "agreement.undrawn"
    if each.jobs < 2:
        return "agreement.alone" if each.task.measure in _KAPPAS else "agreement.one"
    if each.is_constant:
        return "agreement.constant"
    return "agreement.few" if each.is_few else ""
