"""The page of destinations: what waits, what failed and why; send again, ask for life."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import Response

from medloop.apps.peers import DESTINATIONS, Destination
from medloop.apps.probes import Answer, address_of, probe
from medloop.apps.web.administration import Manager, Watcher, back, show
from medloop.apps.web.context import Context
from medloop.apps.web.remembered import Remembered
from medloop.core.errors import InputError
from medloop.store.deliveries import Delivery, DeliveryState, late

_KEPT_S: Final = 5.0
_MOST: Final = 500  # sent again at once
_SHOWN: Final = 20  # late or failed deliveries of one destination
_Name = Annotated[str, Form(max_length=200)]
_Number = Annotated[int | None, Form(ge=1, le=2**31 - 1)]
_KINDS: Final = {kind: name for name, kind in DESTINATIONS.items()}


@dataclass(frozen=True, slots=True)
class Asked:
    """When somebody last asked for a sign of life, and what the answer was."""

    at: datetime
    answer: Answer


@dataclass(frozen=True, slots=True)
class Tally:
    """How many deliveries there are by destination and state, and when each took the last."""

    counts: Mapping[tuple[str, DeliveryState], int]
    arrived: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Line:
    """A destination: what it is, where its deliveries stand, and when it last took one."""

    name: str
    kind: str
    address: str
    analyses: tuple[str, ...]
    counts: Mapping[DeliveryState, int]
    arrived: datetime | None
    late: tuple[Delivery, ...]
    failed: tuple[Delivery, ...]
    asked: Asked | None


def router(context: Context) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter(include_in_schema=False)
    asked: dict[str, Asked] = {}
    tallied = Remembered(lambda: _tally(context), _KEPT_S)
    deliveries, known = context.store.deliveries, context.site.destinations

    @routes.get("/destinations")
    def destinations(request: Request, _who: Watcher) -> Response:
        """List the destinations of the settings, and others that something still waits for."""
        days = context.site.jobs.send_days
        return show(request, "destinations", lines=_lines(context, asked, tallied()), days=days)

    @routes.post("/destinations/probe")
    def ask(who: Manager, name: _Name) -> Response:
        """Ask a destination for a sign of life."""
        described = _named(known, name)
        answer = probe(described, context.site, context.store.root)
        asked[name] = Asked(context.now(), answer)
        details = {"answer": "well" if answer.is_well else "failed"}
        context.trail.did(who.name, "destination asked", name, details)
        return back("/destinations", "asked")

    @routes.post("/destinations/retry")
    def retry(who: Manager, name: _Name = "", delivery: _Number = None) -> Response:
        """Let one failed delivery wait again, or all of a destination."""
        if delivery is not None:
            numbers = [delivery]
        else:
            _named(known, name)
            numbers = [each.id for each in deliveries.failed(name, limit=_MOST)]
        for number in numbers:
            opened = _reopened(context, number, is_alone=delivery is not None)
            if opened is not None:
                details = {"to": opened.destination, "job": str(opened.job)}
                context.trail.did(who.name, "delivery retried", opened.destination, details)
        tallied.forget()
        return back("/destinations", "retried")

    return routes


def _reopened(context: Context, number: int, *, is_alone: bool) -> Delivery | None:
    try:
        return context.store.deliveries.reopen(number, now=context.now())
    except InputError:
        if is_alone:
            raise
        return None  # of many, somebody else was faster with one


def _tally(context: Context) -> Tally:
    deliveries = context.store.deliveries
    return Tally(deliveries.counts(), deliveries.arrived())


def _lines(context: Context, asked: Mapping[str, Asked], tally: Tally) -> list[Line]:
    deliveries = context.store.deliveries
    counts, arrived = tally.counts, tally.arrived
    described: dict[str, Destination | None] = {
        each.name: each for each in context.site.destinations
    }
    for name, _ in counts:  # what the settings no longer name
        described.setdefault(name, None)
    return [
        Line(
            name=name,
            kind=_KINDS[type(each)] if each else "",
            address=address_of(each) if each else "",
            analyses=each.analyses if each else (),
            counts={state: counts.get((name, state), 0) for state in DeliveryState},
            arrived=arrived.get(name),
            late=late(context.store.database, name, limit=_SHOWN),
            failed=deliveries.failed(name, limit=_SHOWN),
            asked=asked.get(name),
        )
        for name, each in described.items()
    ]


def _named(known: tuple[Destination, ...], name: str) -> Destination:
    for each in known:
        if each.name == name:
            return each
    raise HTTPException(404, "no destination of this name is set up")
