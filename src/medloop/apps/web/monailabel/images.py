"""The volumes that were analyzed, as plugins download them."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import FileResponse

from medloop.apps.web.monailabel.about import facts
from medloop.apps.web.monailabel.shelf import Shelf
from medloop.apps.web.security import LOCAL, Permission, Principal, require
from medloop.store.labeled import Labeled

_READ: Final = require(Permission.READ)
Reader = Annotated[Principal, Depends(_READ)]
Image = Annotated[str, Query(max_length=200)]
_SEND: Final = "send images by DICOM, or to /api/uploads: what is analyzed appears here"


def add_routes(routes: APIRouter, shelf: Shelf) -> None:
    """Add ``/datastore/image``."""

    @routes.get("/datastore/image", responses={404: {}})
    @routes.head("/datastore/image", include_in_schema=False)
    def download(request: Request, image: Image = "") -> FileResponse:
        """Give a volume as NIfTI, to whoever is known or holds a ticket for it."""
        holder = shelf.tickets.holder(image)
        if holder is None or not _is_let_in(shelf, holder):
            holder = _READ(request, "", None).name
        labeled = shelf.get(image)
        return _volume(shelf, labeled, holder)

    @routes.get("/datastore/image/info", responses={404: {}})
    def info(who: Reader, image: Image) -> dict[str, Any]:
        """Describe an image, without anything of the patient."""
        labeled = shelf.get(image)
        shelf.context.trail.saw(who.name, labeled.study)
        return facts(shelf, labeled)

    @routes.put("/datastore/", include_in_schema=False)
    @routes.put("/datastore/image", include_in_schema=False)
    def upload(_who: Annotated[Principal, Depends(require(Permission.SEND))]) -> None:
        """Say how an image comes in."""
        raise HTTPException(406, _SEND)


def _is_let_in(shelf: Shelf, holder: str) -> bool:
    """Whether whoever was given a ticket may still come in."""
    user = shelf.context.users.find(holder)
    return holder == LOCAL if user is None else not user.is_disabled


def _volume(shelf: Shelf, labeled: Labeled, name: str) -> FileResponse:
    shown = shelf.desk.shown(shelf.looked(labeled))
    if shown.grid is None:
        raise HTTPException(404, "the job is about a photograph")
    shelf.context.trail.saw(name, labeled.study)
    file_name = facts(shelf, labeled)["name"]
    return FileResponse(shown.file, media_type="application/octet-stream", filename=file_name)
