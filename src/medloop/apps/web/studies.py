"""The page of one study: whose it is, its series, what analyses made of it, earlier studies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse
from starlette.responses import Response

from medloop.apps.web.context import Context
from medloop.apps.web.curtain import curtain_of
from medloop.apps.web.jobs import why
from medloop.apps.web.pages import language_of, page
from medloop.apps.web.security import Permission, Principal, require
from medloop.apps.web.viewer import viewer_link
from medloop.apps.web.worklist import words_of
from medloop.core.errors import InputError
from medloop.core.study import Content, Series, StudyUid
from medloop.store.studylist import StudyJob, StudyList, state_of
from medloop.store.worklist import Worklist

# Of what is kept beside a result, what people take away, and how it is named to them.
DOWNLOADS: Final = {
    "report.pdf": ("study.report", "application/pdf"),
    "sr.dcm": ("study.sr", "application/dicom"),
    "seg.dcm": ("study.seg", "application/dicom"),
    "rtstruct.dcm": ("study.rtstruct", "application/dicom"),
}
Reader = Annotated[Principal, Depends(require(Permission.READ))]


@dataclass(frozen=True, slots=True)
class Shown:
    """A series of the page, and where its small picture is; "" if it has none."""

    series: Series
    picture: str


@dataclass(frozen=True, slots=True)
class Analyzed:
    """A job of the page: its reason in words, what can be taken away (name, what it is)."""

    job: StudyJob
    words: str
    downloads: tuple[tuple[str, str], ...]
    is_readable: bool


def router(context: Context) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter(include_in_schema=False)
    worklist, studies = Worklist(context.store.database), StudyList(context.store.database)
    curtain = curtain_of(context)

    @routes.get("/studies/{uid}")
    def study(request: Request, principal: Reader, uid: str) -> Response:
        """Show a study."""
        try:
            without = curtain.withheld(principal.name, uid)
            line = worklist.study(StudyUid(uid), without=without)
            known = context.store.catalog.study(line.uid)
        except InputError as error:
            raise HTTPException(404, str(error)) from error
        context.trail.saw(principal.name, line.uid)
        language = language_of(request)
        made = studies.jobs_of(line.uid)
        return page(
            request,
            "study",
            200,
            line=line,
            state=state_of([job.state for job in made], is_settled=line.is_settled),
            analyses=[
                Analyzed(
                    job,
                    why(job.reason, job.state, language),
                    tuple(
                        (name, DOWNLOADS[name][0]) for name in DOWNLOADS if name in job.products
                    ),
                    job.is_kept,
                )
                for job in made
            ],
            series=_shown(line.uid, known.series, _preview(made)),
            preview=_preview(made),
            read=studies.read_of(line.uid),
            priors=studies.of_patient(line),
            may_manage=principal.may(Permission.MANAGE),
            viewer=_viewer(context, line.uid),
            origin=_origin(request, context),
            **words_of(language),
        )

    @routes.get("/studies/{uid}/results/{job}/{name}")
    def download(principal: Reader, uid: str, job: int, name: str) -> Response:
        """Give away what was written of a result."""
        made = {each.id: each for each in studies.jobs_of(StudyUid(uid))}
        if job not in made or name not in DOWNLOADS or name not in made[job].products:
            raise HTTPException(404, "there is no such result")
        file = context.store.results_folder / context.store.results.get(job).folder / name
        if not file.is_file():
            raise HTTPException(404, "the result is no longer kept")
        context.trail.did(principal.name, "downloaded", uid, {"job": str(job), "file": name})
        named = f"{made[job].analysis}-{job}-{name}"  # says nothing about whom
        return FileResponse(file, media_type=DOWNLOADS[name][1], filename=named)

    return routes


def _preview(made: Sequence[StudyJob]) -> str:
    """Return where a picture of what was analyzed is."""
    return next((f"/api/jobs/{job.id}/preview.jpg" for job in made if job.is_kept), "")


def _shown(uid: StudyUid, series: Sequence[Series], preview: str) -> list[Shown]:
    shown = []
    for each in series:
        is_dicom = bool(each.instances and each.instances[0].sop_class)
        if each.content is Content.NONE:
            picture = ""
        elif is_dicom:
            picture = f"/dicom-web/studies/{uid}/series/{each.uid}/thumbnail?viewport=150,150"
        else:
            picture = preview
        shown.append(Shown(each, picture))
    return shown


def _viewer(context: Context, uid: StudyUid) -> str:
    is_there = (context.store.root / "viewer" / "index.html").is_file()
    return viewer_link(uid) if is_there else ""


def _origin(request: Request, context: Context) -> str:
    return context.site.web.url.rstrip("/") or str(request.base_url).rstrip("/")
