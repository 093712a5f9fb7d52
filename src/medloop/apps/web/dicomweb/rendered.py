"""Objects as a browser shows them: pictures, thumbnails, PDF (PS3.18 10.4.1.1.3)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response

from medloop.apps.web.dicomweb.shelf import (
    PREFIX,
    PRIVATE,
    Reader,
    Shelf,
    not_acceptable,
    tag_of,
    unchanged,
)
from medloop.core.errors import InputError
from medloop.dicom.web.accept import accepted
from medloop.dicom.web.frames import document
from medloop.dicom.web.render import (
    FUNCTIONS,
    JPEG,
    MAX_VIEW_PX,
    PNG,
    THUMBNAIL_PX,
    View,
    Window,
    render,
)
from medloop.store.query import Member

_SERIES: Final = "/studies/{study}/series/{series}"
_INSTANCE: Final = _SERIES + "/instances/{uid}"
_PICTURES: Final = {"image/jpeg": JPEG, "image/png": PNG, "image/*": JPEG, "*/*": JPEG}
_NUMBER: Final = r"-?\d{1,9}(?:\.\d{1,9})?"


def router(shelf: Shelf) -> APIRouter:
    """Offer pictures of what is stored."""
    routes = APIRouter(prefix=PREFIX, tags=["DICOMweb"])

    @routes.get(_INSTANCE + "/rendered")
    def rendered(
        request: Request, principal: Reader, study: str, series: str, uid: str
    ) -> Response:
        """Draw the first frame of an object, or give the PDF it holds."""
        (member,) = shelf.members(principal, study, series, uid)
        return _document(shelf, request, member) or _picture(shelf, request, member, "1")

    @routes.get(_INSTANCE + "/frames/{frame}/rendered")
    def rendered_frame(
        request: Request, principal: Reader, study: str, series: str, uid: str, frame: str
    ) -> Response:
        """Draw one frame."""
        (member,) = shelf.members(principal, study, series, uid)
        return _picture(shelf, request, member, frame)

    @routes.get(_INSTANCE + "/frames/{frame}/thumbnail")
    def frame_thumbnail(
        request: Request, principal: Reader, study: str, series: str, uid: str, frame: str
    ) -> Response:
        """Draw one frame, small."""
        (member,) = shelf.members(principal, study, series, uid)
        return _picture(shelf, request, member, frame, is_small=True)

    @routes.get(_INSTANCE + "/thumbnail")
    def instance_thumbnail(
        request: Request, principal: Reader, study: str, series: str, uid: str
    ) -> Response:
        """Draw an object, small."""
        (member,) = shelf.members(principal, study, series, uid)
        return _picture(shelf, request, member, "1", is_small=True)

    @routes.get(_SERIES + "/thumbnail")
    def series_thumbnail(
        request: Request, principal: Reader, study: str, series: str
    ) -> Response:
        """Draw the middle object of a series, small."""
        members = shelf.members(principal, study, series)
        return _picture(shelf, request, members[len(members) // 2], "1", is_small=True)

    @routes.get("/studies/{study}/thumbnail")
    def study_thumbnail(request: Request, principal: Reader, study: str) -> Response:
        """Draw the middle object of the largest series of a study, small."""
        members = shelf.members(principal, study)
        counted = [member.series_uid for member in members]
        largest = max(dict.fromkeys(counted), key=counted.count)
        chosen = [member for member in members if member.series_uid == largest]
        return _picture(shelf, request, chosen[len(chosen) // 2], "1", is_small=True)

    return routes


def _picture(
    shelf: Shelf, request: Request, member: Member, frame: str, *, is_small: bool = False
) -> Response:
    view = view_of(request.query_params, request.headers.get("accept", ""))
    if is_small:
        view = replace(view, size=view.size or (THUMBNAIL_PX, THUMBNAIL_PX))
    if not re.fullmatch(r"\d{1,9}", frame, re.ASCII) or int(frame) < 1:
        raise HTTPException(400, "a frame is named by its number, from 1")
    tag = tag_of((member,), frame, repr(view))
    if same := unchanged(request, tag):
        return same
    opened = shelf.opened(member)
    if not opened.frames:
        raise not_acceptable()
    if int(frame) > opened.frames:
        raise HTTPException(404, f"object has {opened.frames} frames")
    try:
        data = render(opened, int(frame) - 1, view)
    except InputError as error:
        raise HTTPException(422, f"picture cannot be drawn: {error}") from error
    return Response(data, media_type=view.media, headers={**PRIVATE, "ETag": tag})


def _document(shelf: Shelf, request: Request, member: Member) -> Response | None:
    """Return the PDF of an object that encapsulates one."""
    if not member.sop_class.startswith("1.2.840.10008.5.1.4.1.1.104."):
        return None
    pdf = document(shelf.opened(member))
    asked = request.query_params.get("accept") or request.headers.get("accept", "")
    names = {media.name for media in accepted(asked)}
    if pdf is None or not names & {"application/pdf", "application/*", "*/*"}:
        raise not_acceptable()
    return Response(pdf, media_type="application/pdf", headers=PRIVATE)


def view_of(asked: Mapping[str, str], accept: str) -> View:
    """Read how to draw (PS3.18 8.3.5); 400 for values that cannot be meant, 406 for others.

    The best picture that is accepted is drawn.
    """
    wanted = accepted(asked.get("accept") or accept)
    media = next((_PICTURES[m.name] for m in wanted if m.name in _PICTURES), None)
    if media is None:
        raise not_acceptable()
    size, region = _viewport(asked.get("viewport"))
    quality = asked.get("quality", "90")
    if not re.fullmatch(r"\d{1,3}", quality, re.ASCII) or not 1 <= int(quality) <= 100:
        raise HTTPException(400, "quality is a whole number from 1 to 100")
    return View(media, _window(asked.get("window")), size, region, int(quality))


def _window(text: str | None) -> Window | None:
    if text is None:
        return None
    parts = text.split(",")
    good = len(parts) in (2, 3) and all(re.fullmatch(_NUMBER, part) for part in parts[:2])
    if not good or float(parts[1]) <= 0 or parts[2:] not in ([], *([f] for f in FUNCTIONS)):
        raise HTTPException(
            400, f"window is center,width,function; functions are {', '.join(FUNCTIONS)}"
        )
    return Window(float(parts[0]), float(parts[1]), *parts[2:])


def _viewport(
    text: str | None,
) -> tuple[tuple[int, int] | None, tuple[float, float, float, float] | None]:
    if text is None:
        return None, None
    parts = text.split(",")
    size_is_good = all(re.fullmatch(r"\d{1,5}", part, re.ASCII) for part in parts[:2])
    if len(parts) not in (2, 6) or not size_is_good:
        raise HTTPException(400, "viewport is width,height or width,height,x,y,width,height")
    width, height = int(parts[0]), int(parts[1])
    if not (1 <= width <= MAX_VIEW_PX and 1 <= height <= MAX_VIEW_PX):
        raise HTTPException(400, f"viewport is 1 to {MAX_VIEW_PX} pixels wide and high")
    if len(parts) == 2:
        return (width, height), None
    if not all(re.fullmatch(_NUMBER, part) for part in parts[2:]):
        raise HTTPException(400, "viewport names a region by four numbers")
    x, y, wide, high = (float(part) for part in parts[2:])
    if wide == 0 or high == 0:
        raise HTTPException(400, "viewport names an empty region")
    return (width, height), (x, y, wide, high)
