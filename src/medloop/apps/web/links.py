"""Links that open a study elsewhere: in OHIF (`viewer.viewer_link`), or in 3D Slicer."""

from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi import Path as InPath
from starlette.responses import RedirectResponse

from medloop.apps.web.context import Context
from medloop.apps.web.security import Permission, Principal, Way, require
from medloop.core.errors import InputError
from medloop.core.study import StudyUid
from medloop.store.users import SLICER
from medloop.store.worklist import Worklist

PLACE: Final = "/slicer/"
_LASTS: Final = timedelta(hours=1)
Reader = Annotated[Principal, Depends(require(Permission.READ))]
_Uid = Annotated[str, InPath(pattern=r"^[0-9.]{1,64}$")]


def slicer_link(study_uid: str) -> str:
    """Return the address on this server that leads 3D Slicer to a study."""
    return f"{PLACE}{study_uid}"


def slicer_address(study_uid: str, dicomweb: str, token: str = "") -> str:
    """Return the address that 3D Slicer itself opens: its DICOM module fetches the study.

    The form is that of Slicer's DICOM module (``onURLReceived``); `dicomweb` is the root of a
    DICOMweb server, `token` what it is asked with.
    """
    asked = {"studyUID": study_uid, "dicomweb_endpoint": dicomweb}
    if token:
        asked["access_token"] = token
    return f"slicer://viewer/?{urlencode(asked)}"


def router(context: Context) -> APIRouter:
    """Lead to 3D Slicer."""
    routes = APIRouter(include_in_schema=False)
    worklist = Worklist(context.store.database)

    @routes.get(PLACE + "{uid}")
    def slicer(request: Request, who: Reader, uid: _Uid) -> Response:
        """Open a study in 3D Slicer, with a token for it that lasts an hour."""
        try:
            study = worklist.study(StudyUid(uid)).uid
        except InputError as error:
            raise HTTPException(404, str(error)) from error
        base = context.site.web.url or str(request.base_url)
        token = _token(context, who)
        context.trail.did(who.name, "opened in 3D Slicer", study)
        address = slicer_address(study, base.rstrip("/") + "/dicom-web", token)
        return RedirectResponse(address, 303)

    return routes


def _token(context: Context, who: Principal) -> str:
    """Make a token for whoever signed in; one that came by a token cannot prolong it so."""
    user = context.users.find(who.name) if who.way is Way.SESSION else None
    if user is None:
        return ""
    return context.tokens.issue(user, SLICER, now=context.now(), lasts=_LASTS)[1]
