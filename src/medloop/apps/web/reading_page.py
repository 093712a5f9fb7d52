"""The page where results are read: images, findings, corrections, report; and its 3-D part."""

from functools import cache
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import FileResponse

from medloop.apps.niivue import NIIVUE, installed_script
from medloop.apps.web.administration import analysis_name
from medloop.apps.web.context import Context
from medloop.apps.web.images import Number
from medloop.apps.web.pages import Theme, language_of, page, theme_of
from medloop.apps.web.security import Permission, Principal, require
from medloop.apps.web.texts import book, text
from medloop.apps.web.viewer import viewer_link
from medloop.apps.web.worklist import whose
from medloop.clinical.report.language import Language, day
from medloop.core.errors import InputError
from medloop.core.study import Content
from medloop.workflow.scene import Looked, look_up, prior_job

Reader = Annotated[Principal, Depends(require(Permission.READ))]
NIIVUE_PLACE: Final = f"/vendor/niivue-{NIIVUE.version}.js"
_EYES: Final = {"R": "OD", "L": "OS"}
_KEPT: Final = {"Cache-Control": "private, max-age=31536000, immutable"}


def router(context: Context) -> APIRouter:
    """Offer the page."""
    routes = APIRouter(include_in_schema=False)
    home = context.store.root

    @routes.get("/read/{job}")
    def read(request: Request, principal: Reader, job: Number) -> Response:
        """Open a job's result to read it."""
        try:
            looked = look_up(context.store, job)
        except InputError as error:
            raise HTTPException(404, str(error)) from error
        context.trail.saw(principal.name, looked.study.uid)
        has_viewer = (home / "viewer" / "index.html").is_file()
        is_dicom = bool(looked.selection.series[0].instances[0].sop_class)
        language = language_of(request)
        return page(
            request,
            "read",
            job=job,
            theme=_theme(request),
            looked=looked,
            whose=_whose(looked, language),
            question=analysis_name(language, looked.job.analysis),
            facts=_facts(looked, language),
            prior=prior_job(context.store, looked),
            may_correct=principal.may(Permission.CORRECT),
            may_sign=principal.may(Permission.SIGN),
            niivue=NIIVUE_PLACE if _script(home) else "",
            wanted=context.site.reading.wanted(looked.job.analysis),
            ohif=viewer_link(looked.study.uid) if has_viewer and is_dicom else "",
        )

    @routes.get(NIIVUE_PLACE)
    def niivue(_principal: Reader) -> Response:
        """Give NiiVue's script, as it was installed."""
        found = _script(home)
        if found is None:
            raise HTTPException(404, "NiiVue is not installed: medloop viewer install niivue")
        return FileResponse(found, media_type="text/javascript", headers=_KEPT)

    return routes


def _theme(request: Request) -> str:
    """Films are read in the dark, unless somebody chose otherwise."""
    chosen = theme_of(request)
    return (Theme.DARK if chosen is Theme.SYSTEM else chosen).value


def _whose(looked: Looked, language: Language) -> str:
    """Name the patient, or else the study."""
    study = looked.study
    return whose(study.patient, study.name if study.name != study.uid else "", language)


def _facts(looked: Looked, language: Language) -> list[str]:
    """Say whose images of what day these are, as the head of the page does."""
    study, patient = looked.study, looked.study.patient
    series = looked.selection.series[0]
    eye = _EYES.get(series.laterality, "") if series.content is Content.PICTURES else ""
    born = day(patient.birth_date)
    sex = f"study.sex.{patient.sex}"
    told = text(sex, language) if sex in book() else patient.sex
    facts = (patient.identifier, told, born, looked.modality, eye, study.description)
    return [fact for fact in (*facts, day(study.date)) if fact]


def _script(home: Path) -> Path | None:
    """Return the installed script; its hash is compared when it is first seen, or changes."""
    try:
        folder = (home / "niivue").stat().st_mtime_ns
    except OSError:
        return None
    return _checked(home, folder)


@cache
def _checked(home: Path, _changed: int) -> Path | None:
    return installed_script(home)
