"""What the routers of DICOMweb share: finding objects, opening them, and how answers begin."""

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from fastapi import Depends, HTTPException, Request, Response

from medloop.apps.web.context import Context
from medloop.apps.web.curtain import curtain_of
from medloop.apps.web.security import Permission, Principal, require
from medloop.core.errors import InputError
from medloop.dicom.web.frames import Opened, open_object
from medloop.store.query import Finder, Member
from medloop.workflow.describing import kept_metadata

log = logging.getLogger(__name__)

PREFIX: Final = "/dicom-web"
PRIVATE: Final = {"Cache-Control": "private, no-store"}
KEEP_BYTES: Final = 256 << 20  # of objects that were opened last
CHUNK: Final = 1 << 20

Reader = Annotated[Principal, Depends(require(Permission.READ))]
Sender = Annotated[Principal, Depends(require(Permission.SEND))]


class Shelf:
    """Stored objects by their UIDs. Those opened last stay open: frames come one by one."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.finder = Finder(context.store.database)
        self.curtain = curtain_of(context)
        self.metadata = kept_metadata(context.store)
        self._open: OrderedDict[str, tuple[int, Opened]] = OrderedDict()
        self._lock = threading.Lock()

    def members(
        self,
        principal: Principal,
        study: str,
        series: str | None = None,
        uid: str | None = None,
    ) -> tuple[Member, ...]:
        """List instances and note in the audit log who asked; 404 if there are none.

        What others signed is not there for whoever still reads the same result apart.
        """
        is_sane = all(each is None or is_uid(each) for each in (study, series, uid))
        if not is_sane:
            raise HTTPException(404, "no such object is stored here")
        without = self.curtain.withheld(principal.name, study)
        found = self.finder.members(study, series, uid, without=without)
        if not found:
            raise HTTPException(404, "no such object is stored here")
        self.context.trail.saw(principal.name, study, "retrieved")
        self.curtain.note(principal.name, study, [each.uid for each in found])
        return found

    def path(self, member: Member) -> Path:
        """Where the bytes are, after their hash was compared; 500 if they are damaged."""
        try:
            return self.context.store.archive.checked(member.sha256)
        except InputError as error:
            log.error("%s", error)  # noqa: TRY400 (a damaged archive, no bug)
            raise HTTPException(500, "object is damaged in the archive") from error

    def opened(self, member: Member) -> Opened:
        """Return the object, read; 422 if it cannot be."""
        with self._lock:
            if member.sha256 in self._open:
                self._open.move_to_end(member.sha256)
                return self._open[member.sha256][1]
        try:
            opened = open_object(self.path(member))
        except InputError as error:
            raise HTTPException(422, f"object cannot be read: {error}") from error
        with self._lock:
            self._open[member.sha256] = member.size, opened
            while (
                len(self._open) > 1
                and sum(size for size, _ in self._open.values()) > KEEP_BYTES
            ):
                self._open.popitem(last=False)
        return opened

    def root(self, request: Request) -> str:
        """Return the address of this server as clients know it."""
        url = self.context.site.web.url or str(request.base_url)
        return url.rstrip("/") + PREFIX


def is_uid(text: str) -> bool:
    """Whether an address could name an object so; other makers' UIDs are odd at times."""
    return len(text) <= 64 and text.isascii() and text.isprintable()


def tag_of(members: tuple[Member, ...], *more: str) -> str:
    """Return the entity tag of what is made of these objects."""
    digest = hashlib.sha256("\n".join([*(m.sha256 for m in members), *more]).encode())
    return f'"{digest.hexdigest()[:32]}"'


def unchanged(request: Request, tag: str) -> Response | None:
    """Return 304 if the client has it already."""
    known = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or f"W/{tag}" in known:
        return Response(status_code=304, headers={**PRIVATE, "ETag": tag})
    return None


def not_acceptable() -> HTTPException:
    """Return 406."""
    return HTTPException(406, "none of the media types in Accept can be made of this object")


def chunks_of(path: Path) -> Iterator[bytes]:
    """Read a file piece by piece."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
