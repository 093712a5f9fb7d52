"""Readings over HTTP: begun or resumed, looked at, corrected, drawn, handed in."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from medloop.apps.web.context import Context
from medloop.apps.web.images import PRIVATE
from medloop.apps.web.incoming import most_bytes_of, spooled
from medloop.apps.web.limits import allow_large_body
from medloop.apps.web.pages import language_of
from medloop.apps.web.reading_access import barred
from medloop.apps.web.reading_desk import ReadingDesk, Spent, desk_of, is_flat
from medloop.apps.web.reading_json import Viewer, told
from medloop.apps.web.security import Permission, Principal, require
from medloop.core.edit import Action, Edit
from medloop.store.reading import Purpose
from medloop.workflow.reviewing import Review

_MASK_MB: Final = 16_384  # the image says how much of it is taken
_MOST: Final = 2**31 - 1  # of the database's numbers
_DAY_S: Final = 86_400

Reader = Annotated[Principal, Depends(require(Permission.READ))]
Corrector = Annotated[Principal, Depends(require(Permission.CORRECT))]
Number = Annotated[int, InPath(ge=1, le=_MOST)]
Expected = Annotated[int, Field(ge=0, le=_MOST)]
Seconds = Annotated[float, Field(ge=0, le=_DAY_S, allow_inf_nan=False)]
Clicks = Annotated[int, Field(ge=0, le=1_000_000)]


class Begun(BaseModel):
    """Why one reads: for oneself, or to decide between others."""

    purpose: Purpose = Purpose.READ


class Wanted(BaseModel):
    """A change; `expected` is the number of the last edit that the page knows."""

    expected: Expected
    action: Action
    target: Annotated[str, Field(max_length=64)] = ""
    after: Any = None
    seconds: Seconds = 0.0
    clicks: Clicks = 0


class Drawn(BaseModel):
    """What goes with a label map; `segments` is JSON, for labels that are new or renamed."""

    expected: Expected
    seconds: Seconds = 0.0
    clicks: Clicks = 0
    segments: Annotated[str, Field(max_length=60_000)] = ""


def router(context: Context) -> APIRouter:
    """Offer readings."""
    routes = APIRouter(prefix="/api", tags=["readings"])
    desk = desk_of(context)
    _add_readings(routes, desk)
    _add_masks(routes, desk)
    return routes


def _add_readings(routes: APIRouter, desk: ReadingDesk) -> None:
    @routes.post("/jobs/{job}/reading", responses={403: {}, 404: {}})
    def begin(request: Request, who: Corrector, job: Number, begun: Begun) -> Response:
        """Begin one's reading of a job's result, or resume it."""
        return _answer(desk, request, who, desk.begin(who, job, begun.purpose))

    @routes.get("/readings/{number}", responses={403: {}, 404: {}})
    def look(request: Request, who: Reader, number: Number) -> Response:
        """Tell a reading as it stands."""
        return _answer(desk, request, who, desk.look(who, number))

    @routes.post("/readings/{number}/edits", responses={403: {}, 404: {}, 409: {}, 422: {}})
    def edit(request: Request, who: Corrector, number: Number, wanted: Wanted) -> Response:
        """Add an edit; the reading as it then stands comes back."""
        review = desk.own(who, number, wanted.expected)
        change = Edit(
            number=0,
            action=wanted.action,
            target=wanted.target,
            before=None,
            after=wanted.after,
            seconds=wanted.seconds,
            clicks=wanted.clicks,
            at=desk.context.now(),
        )
        kept = desk.correct(who, review, change, language_of(request))
        return _answer(desk, request, who, kept)

    @routes.get("/readings/{number}/edits", responses={403: {}, 404: {}})
    def edits(who: Reader, number: Number) -> Response:
        """List the edits of a reading in their order."""
        review = desk.look(who, number)
        return JSONResponse({"edits": [_edit(each) for each in review.edits]}, headers=PRIVATE)

    @routes.post("/readings/{number}/done", responses={403: {}, 404: {}})
    def hand_in(request: Request, who: Corrector, number: Number) -> Response:
        """Hand one's reading in: it stays as it is, and may be compared with others."""
        return _answer(desk, request, who, desk.hand_in(who, number))


def _add_masks(routes: APIRouter, desk: ReadingDesk) -> None:
    large = Depends(allow_large_body(_MASK_MB))
    folder = desk.context.store.root / "uploads"

    @routes.get("/readings/{number}/mask.nii.gz", responses={403: {}, 404: {}})
    def mask(
        who: Reader, number: Number, of: Literal["reader", "model"] = "reader"
    ) -> Response:
        """Give the label map on the voxels of volume.nii; of a picture a PNG."""
        review = desk.look(who, number)
        kind = "image/png" if is_flat(review) else "application/gzip"
        found = desk.mask(review, of_model=of == "model")
        if isinstance(found, Path):
            return FileResponse(found, media_type=kind, headers=PRIVATE)
        return Response(found, media_type=kind, headers=PRIVATE)

    @routes.put(
        "/readings/{number}/mask", responses={403: {}, 404: {}, 409: {}, 413: {}, 422: {}}
    )
    async def draw(
        request: Request,
        who: Corrector,
        number: Number,
        asked: Annotated[Drawn, Query()],
        _large: Annotated[None, large],
    ) -> Response:
        """Replace the label map: NIfTI, gzipped or not, on the same voxels; a picture's PNG."""
        review = await run_in_threadpool(desk.own, who, number, asked.expected)
        spent = Spent(asked.seconds, asked.clicks)
        most = most_bytes_of(await run_in_threadpool(desk.images.shown, review.looked))
        async with spooled(request, folder, most_bytes=most) as body:
            drawn = await run_in_threadpool(
                lambda: desk.draw(
                    who, review, body.read_bytes(), named=asked.segments, spent=spent
                )
            )
        return await run_in_threadpool(_answer, desk, request, who, drawn)


def _answer(desk: ReadingDesk, request: Request, who: Principal, review: Review) -> Response:
    plain = told(
        review,
        language_of(request),
        versions=desk.context.store.readings.versions(review.reading.id),
        is_flat=is_flat(review),
        viewer=Viewer(
            who.name,
            may_correct=who.may(Permission.CORRECT),
            is_barred=bool(barred(desk.context, review.reading)),
        ),
    )
    return JSONResponse(plain, headers=PRIVATE)


def _edit(edit: Edit) -> dict[str, Any]:
    return {
        "number": edit.number,
        "action": edit.action.value,
        "target": edit.target,
        "before": edit.before,
        "after": edit.after,
        "seconds": edit.seconds,
        "clicks": edit.clicks,
        "at": edit.at.isoformat(),
    }
