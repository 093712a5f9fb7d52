"""The page where somebody decides between readers, and its pictures of their differences."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi import Path as InPath
from jaxtyping import Integer
from numpy import ndarray
from starlette.responses import RedirectResponse

from medloop.annotation.adjudication import Masks
from medloop.annotation.blinding import Panel
from medloop.annotation.draft import Draft
from medloop.annotation.matching import side_by_side
from medloop.annotation.pairs import DECIDED, MODEL
from medloop.apps.web.administration import analysis_name
from medloop.apps.web.context import Context
from medloop.apps.web.deciding import MINE, differing_findings, steps_for, table_of
from medloop.apps.web.differences import COLORS, Maps, apart_by_slice, draw, rings_of
from medloop.apps.web.pages import language_of, page
from medloop.apps.web.reading_access import note_seen, panel_of
from medloop.apps.web.reading_desk import ReadingDesk, desk_of
from medloop.apps.web.security import Permission, Principal, require
from medloop.clinical.report.language import Language
from medloop.core.edit import Edit
from medloop.core.errors import InputError
from medloop.core.image import Segment
from medloop.store.reading import Purpose, Reading, ReadingState
from medloop.store.readings import mask_of
from medloop.workflow.apart import drafts_of, label_array
from medloop.workflow.reviewing import Review, mask_edit, review_of
from medloop.workflow.scene import Looked

_MOST: Final = 2**31 - 1
_HAND_IN: Final = "hand in"
_KEPT: Final = {"Cache-Control": "private, max-age=600"}
Corrector = Annotated[Principal, Depends(require(Permission.CORRECT))]
Number = Annotated[int, InPath(ge=1, le=_MOST)]
_Name = Annotated[str, Query(max_length=64)]
_Take = Annotated[str, Form(max_length=300)]
_Expected = Annotated[int, Form(ge=0, le=_MOST)]


@dataclass(frozen=True, slots=True)
class Bench:
    """A result whose readings are all in, and what each says."""

    looked: Looked
    readings: Panel
    drafts: Mapping[str, Draft]
    mine: Reading | None


@dataclass(frozen=True, slots=True)
class Court:
    """Where one decides: finds what is needed, and keeps what was decided."""

    context: Context
    desk: ReadingDesk
    maps: Maps

    def look(self, job: int) -> tuple[Looked, Panel]:
        """Look a result and its readings up; 404 if there is none."""
        looked = self.desk.images.look_up(job)
        return looked, panel_of(self.context, job, looked.job.analysis)

    def bench(self, who: Principal, job: int) -> Bench:
        """Put what readers say together; 403 while they still read apart."""
        looked, readings = self.look(job)
        self.context.trail.saw(who.name, looked.study.uid)
        if not readings.may_adjudicate(who.name):
            raise HTTPException(403, "readings are not all in: adjudicate when they are")
        note_seen(self.context, who.name, readings, job, looked.study.uid)
        drafts = dict(drafts_of(self.context.store, looked, readings))
        drafts.pop(DECIDED, None)
        return Bench(looked, readings, drafts, _mine(readings, who.name))

    def draft(self, bench: Bench) -> Draft:
        """Return what the adjudication says so far: at first what was proposed."""
        if bench.mine is None:
            return bench.drafts[MODEL]
        return review_of(self.context.store, bench.mine).draft

    def take(self, who: Principal, job: int, take: str, expected: int) -> None:
        """Make the edits that a button stands for; the first is one click."""
        bench = self.bench(who, job)
        review = self.desk.begin(who, job, Purpose.ADJUDICATE)
        if review.reading.state is ReadingState.DONE:
            raise HTTPException(409, "this adjudication was handed in: it stays as it is")
        if review.reading.number != expected:
            raise HTTPException(409, f"it is at edit {review.reading.number} by now")
        try:
            steps = steps_for(take, bench.drafts, review.draft, self._masks(review))
        except InputError as error:
            raise HTTPException(422, str(error)) from error
        now, clicks = self.context.now(), 1
        for step in steps:
            edit = Edit(0, step.action, step.target, None, step.after, 0.0, clicks, now)
            review, clicks = self.desk.keep(who, review, edit), 0

    def _masks(self, review: Review) -> Masks:
        """Say where label maps of a result are; the image is prepared when one is asked for."""
        store, looked = self.context.store, review.looked

        def read(sha256: str | None) -> Integer[ndarray, "*shape"]:
            return label_array(store, looked, self.desk.images.shown(looked), sha256)

        def keep(labels: Integer[ndarray, "*shape"], segments: Mapping[int, Segment]) -> str:
            grid = self.desk.images.shown(looked).grid
            sha256 = mask_of(mask_edit(store, review, labels, segments, grid))
            assert sha256 is not None, "a label map was kept"  # noqa: S101
            return sha256

        return Masks(read, keep)


def router(context: Context) -> APIRouter:
    """Offer the page, and the pictures in it."""
    routes = APIRouter(tags=["readings"])
    court = Court(context, desk_of(context), Maps(context.store))
    _add_page(routes, court)
    _add_pictures(routes, court)
    return routes


def _add_page(routes: APIRouter, court: Court) -> None:
    @routes.get("/adjudicate/{job}", include_in_schema=False)
    def show(request: Request, who: Corrector, job: Number) -> Response:
        """Show what readers say beside each other; before all are in, who is missing."""
        looked, readings = court.look(job)
        if not readings.may_adjudicate(who.name):
            is_reading = readings.is_reading(who.name)
            return page(
                request,
                "adjudicate_wait",
                looked=looked,
                readings=readings,
                is_reading=is_reading,
                named=partial(analysis_name, language_of(request)),
            )
        bench = court.bench(who, job)
        return page(request, "adjudicate", **_values(request, court, bench))

    @routes.post("/adjudicate/{job}", responses={403: {}, 404: {}, 409: {}, 422: {}})
    def decide(who: Corrector, job: Number, take: _Take, expected: _Expected = 0) -> Response:
        """Take a side: all of a reading, a finding, a grade, a label map; or hand it in."""
        if take == _HAND_IN:
            court.bench(who, job)
            review = court.desk.begin(who, job, Purpose.ADJUDICATE)
            court.desk.hand_in(who, review.reading.id)
        else:
            court.take(who, job, take, expected)
        return RedirectResponse(f"/adjudicate/{job}", 303)


def _add_pictures(routes: APIRouter, court: Court) -> None:
    @routes.get("/api/jobs/{job}/differences/{z}.png", responses={403: {}, 404: {}})
    def picture(who: Corrector, job: Number, z: int, one: _Name, other: _Name) -> Response:
        """Draw a slice, and over it where two readers' label maps and findings differ."""
        bench = court.bench(who, job)
        if not {one, other} <= bench.drafts.keys():
            raise HTTPException(404, "there is no reading of this name")
        shown = court.desk.images.shown(bench.looked)
        pair = {name: bench.drafts[name] for name in (one, other)}
        labels = [court.maps.get(bench.looked, shown, each.mask) for each in pair.values()]
        if not 0 <= z < len(labels[0]):
            raise HTTPException(404, f"there is no slice {z}")
        analysis = bench.looked.job.analysis
        table = table_of(pair, bench.drafts[MODEL], analysis, Language.ENGLISH)
        rings = rings_of(differing_findings(table, side_by_side(pair)), shown)
        data = draw(bench.looked, shown, z, (labels[0], labels[-1]), rings)
        return Response(data, media_type="image/png", headers=_KEPT)


def _values(request: Request, court: Court, bench: Bench) -> dict[str, Any]:
    people = {name: each for name, each in bench.drafts.items() if name != MODEL}
    names = list(people)
    chosen = [request.query_params.get(key, "") for key in ("one", "other")]
    one, other = (
        name if name in bench.drafts else names[min(n, len(names) - 1)]
        for n, name in enumerate(chosen)
    )
    shown = court.desk.images.shown(bench.looked)
    maps = [court.maps.get(bench.looked, shown, bench.drafts[n].mask) for n in (one, other)]
    counts = apart_by_slice(maps[0], maps[1])
    mine = court.draft(bench)
    analysis = bench.looked.job.analysis
    is_done = bench.mine is not None and bench.mine.state is ReadingState.DONE
    return {
        "looked": bench.looked,
        "named": partial(analysis_name, language_of(request)),
        "readings": bench.readings,
        "names": names,
        "one": one,
        "other": other,
        "model": MODEL,
        "mine": MINE,
        "table": table_of(people, mine, analysis, language_of(request)),
        "taken_masks": [n for n in names if people[n].mask == mine.mask],
        "masks": {n: people[n].mask for n in names},
        "counts": counts,
        "first": counts.index(max(counts)) if any(counts) else len(counts) // 2,
        "colors": COLORS,
        "number": bench.mine.number if bench.mine else 0,
        "is_done": is_done,
        "is_begun": bench.mine is not None,
        "decided": bench.readings.decided,
        "is_flat": shown.grid is None,
    }


def _mine(readings: Panel, name: str) -> Reading | None:
    return next(
        (
            each
            for each in readings.readings
            if each.reader == name and each.purpose is Purpose.ADJUDICATE
        ),
        None,
    )
