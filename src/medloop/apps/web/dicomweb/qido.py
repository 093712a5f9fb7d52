"""QIDO-RS: searches (PS3.18 10.6), answered from the index alone."""

import json

from fastapi import APIRouter, HTTPException, Request, Response

from medloop.apps.web.dicomweb.shelf import (
    PREFIX,
    PRIVATE,
    Reader,
    Shelf,
    is_uid,
    not_acceptable,
)
from medloop.apps.web.security import Principal
from medloop.core.search import Level, Match, Term
from medloop.dicom.web.accept import JSON, takes_json
from medloop.dicom.web.levels import SERIES_UID, STUDY_UID
from medloop.dicom.web.model import search_answer
from medloop.dicom.web.query import parse_query

_LITERAL = '299 medloop "fuzzymatching is not supported: only literal matching was done"'
_MORE = '299 medloop "there are more results: ask again with an offset"'


def router(shelf: Shelf) -> APIRouter:
    """Offer searches for studies, series and instances."""
    routes = APIRouter(prefix=PREFIX, tags=["DICOMweb"])

    @routes.get("/studies")
    def search_studies(request: Request, principal: Reader) -> Response:
        """Search for studies."""
        return _search(shelf, request, principal, Level.STUDY)

    @routes.get("/series")
    def search_series(request: Request, principal: Reader) -> Response:
        """Search for series."""
        return _search(shelf, request, principal, Level.SERIES)

    @routes.get("/instances")
    def search_instances(request: Request, principal: Reader) -> Response:
        """Search for instances."""
        return _search(shelf, request, principal, Level.INSTANCE)

    @routes.get("/studies/{study}/series")
    def search_series_of(request: Request, principal: Reader, study: str) -> Response:
        """Search for series of a study."""
        return _search(shelf, request, principal, Level.SERIES, study)

    @routes.get("/studies/{study}/instances")
    def search_instances_of(request: Request, principal: Reader, study: str) -> Response:
        """Search for instances of a study."""
        return _search(shelf, request, principal, Level.INSTANCE, study)

    @routes.get("/studies/{study}/series/{series}/instances")
    def search_instances_in(
        request: Request, principal: Reader, study: str, series: str
    ) -> Response:
        """Search for instances of a series."""
        return _search(shelf, request, principal, Level.INSTANCE, study, series)

    return routes


def _search(
    shelf: Shelf, request: Request, principal: Principal, level: Level, *place: str
) -> Response:
    if not takes_json(request.headers.get("accept", "")):
        raise not_acceptable()
    asked = request.query_params.multi_items()
    if not all(is_uid(each) for each in place):
        raise HTTPException(404, "no such object is stored here")
    search = parse_query(level, asked)
    inside = tuple(
        Term((tag,), Match.ANY_OF, (uid,))
        for tag, uid in zip((STUDY_UID, SERIES_UID), place, strict=False)
    )
    without = shelf.curtain.withheld(principal.name, place[0] if place else None)
    found, has_more = shelf.finder.find(search, inside=inside, without=without)
    root = shelf.root(request)
    answers = [search_answer(each, search, root, names_study=bool(place)) for each in found]
    shelf.context.trail.saw(principal.name, place[0] if place else "studies", "searched")
    response = Response(
        json.dumps(answers, ensure_ascii=False, separators=(",", ":")),
        media_type=JSON,
        headers=PRIVATE,
    )
    if has_more:
        response.headers.append("Warning", _MORE)
    if ("fuzzymatching", "true") in asked:
        response.headers.append("Warning", _LITERAL)
    return response
