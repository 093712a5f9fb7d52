"""WADO-RS: objects, metadata, frames and bulk data (PS3.18 10.4)."""

import logging
import re
import secrets
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from medloop.apps.web.dicomweb.shelf import (
    PREFIX,
    PRIVATE,
    Reader,
    Shelf,
    chunks_of,
    not_acceptable,
    tag_of,
    unchanged,
)
from medloop.core.errors import InputError
from medloop.dicom.web.accept import (
    ANY,
    DICOM,
    EXPLICIT,
    JSON,
    OCTETS,
    Choice,
    accepted,
    choose_frames,
    choose_objects,
    takes_json,
)
from medloop.dicom.web.frames import Opened, document, explicit_bytes, frame_bytes
from medloop.dicom.web.metadata import bulk_data, with_root
from medloop.dicom.web.multipart import Part, join_parts
from medloop.store.query import Member

log = logging.getLogger(__name__)

_STUDY: Final = "/studies/{study}"
_SERIES: Final = _STUDY + "/series/{series}"
_INSTANCE: Final = _SERIES + "/instances/{uid}"
MAX_FRAMES: Final = 10_000


def router(shelf: Shelf) -> APIRouter:
    """Offer what is stored."""
    routes = APIRouter(prefix=PREFIX, tags=["DICOMweb"])

    @routes.get(_STUDY)
    def retrieve_study(request: Request, principal: Reader, study: str) -> Response:
        """Retrieve all objects of a study."""
        return _objects(shelf, request, shelf.members(principal, study))

    @routes.get(_SERIES)
    def retrieve_series(
        request: Request, principal: Reader, study: str, series: str
    ) -> Response:
        """Retrieve all objects of a series."""
        return _objects(shelf, request, shelf.members(principal, study, series))

    @routes.get(_INSTANCE)
    def retrieve_instance(
        request: Request, principal: Reader, study: str, series: str, uid: str
    ) -> Response:
        """Retrieve one object."""
        return _objects(shelf, request, shelf.members(principal, study, series, uid))

    @routes.get(_STUDY + "/metadata")
    def study_metadata(request: Request, principal: Reader, study: str) -> Response:
        """Retrieve what the objects of a study say of themselves."""
        return _metadata(shelf, request, shelf.members(principal, study))

    @routes.get(_SERIES + "/metadata")
    def series_metadata(
        request: Request, principal: Reader, study: str, series: str
    ) -> Response:
        """Retrieve what the objects of a series say of themselves."""
        return _metadata(shelf, request, shelf.members(principal, study, series))

    @routes.get(_INSTANCE + "/metadata")
    def instance_metadata(
        request: Request, principal: Reader, study: str, series: str, uid: str
    ) -> Response:
        """Retrieve what an object says of itself."""
        return _metadata(shelf, request, shelf.members(principal, study, series, uid))

    _add_parts(routes, shelf)
    return routes


def _add_parts(routes: APIRouter, shelf: Shelf) -> None:
    @routes.get(_INSTANCE + "/frames/{frames}")
    def retrieve_frames(
        request: Request, principal: Reader, study: str, series: str, uid: str, frames: str
    ) -> Response:
        """Retrieve frames, numbered from 1 and separated by commas."""
        (member,) = shelf.members(principal, study, series, uid)
        return _frames(shelf, request, member, frames)

    @routes.get(_INSTANCE + "/bulkdata/{place:path}")
    def retrieve_bulk_data(
        request: Request, principal: Reader, study: str, series: str, uid: str, place: str
    ) -> Response:
        """Retrieve one large value."""
        (member,) = shelf.members(principal, study, series, uid)
        return _bulk(shelf, request, member, place)


def _accept(request: Request) -> str:
    """Return what is accepted; the address may say it (PS3.18 8.3.3.1)."""
    return request.query_params.get("accept") or request.headers.get("accept", "")


def _objects(shelf: Shelf, request: Request, members: tuple[Member, ...]) -> Response:
    stored = {each.transfer_syntax for each in members}
    choice = choose_objects(_accept(request), stored, is_one=len(members) == 1)
    if choice is None:
        raise not_acceptable()
    tag = tag_of(members, choice.syntax, str(choice.is_multipart))
    if same := unchanged(request, tag):
        return same
    root = shelf.root(request)
    parts = (_object_part(shelf, member, choice, root) for member in members)
    first = next(parts)  # trouble with it is told before the answer begins
    if choice.is_multipart:
        return _multipart(chain([first], parts), DICOM, tag)
    return StreamingResponse(first.chunks, headers={**PRIVATE, **first.headers, "ETag": tag})


def _object_part(shelf: Shelf, member: Member, choice: Choice, root: str) -> Part:
    is_stored = choice.syntax in (ANY, member.transfer_syntax)
    syntax = member.transfer_syntax if is_stored else EXPLICIT
    place = f"/studies/{member.study_uid}/series/{member.series_uid}/instances/{member.uid}"
    headers = {
        "Content-Type": f"{DICOM}; transfer-syntax={syntax}",
        "Content-Location": root + place,
    }
    if is_stored:
        return Part(headers, chunks_of(shelf.path(member)))
    try:
        return Part(headers, [explicit_bytes(shelf.opened(member))])
    except InputError as error:
        raise HTTPException(422, f"object cannot be sent uncompressed: {error}") from error


def _metadata(shelf: Shelf, request: Request, members: tuple[Member, ...]) -> Response:
    if not takes_json(_accept(request)):
        raise not_acceptable()
    root = shelf.root(request)
    tag = tag_of(members, root)
    if same := unchanged(request, tag):
        return same
    lines = shelf.metadata.lines(members)
    try:
        first = next(lines)  # what cannot be read is told before the answer begins
    except InputError as error:
        log.error("%s", error)  # noqa: TRY400 (a damaged file, no bug)
        raise HTTPException(500, f"object cannot be read: {error}") from error

    def text() -> Iterator[bytes]:
        yield b"[" + with_root(first, root)
        for line in lines:
            yield b",\n" + with_root(line, root)
        yield b"]"

    return StreamingResponse(text(), media_type=JSON, headers={**PRIVATE, "ETag": tag})


def _frames(shelf: Shelf, request: Request, member: Member, listed: str) -> Response:
    numbers = _numbers(listed)
    opened = shelf.opened(member)
    if not opened.frames or max(numbers) > opened.frames:
        raise HTTPException(404, f"object has {opened.frames} frames")
    choice = choose_frames(_accept(request), opened.syntax, is_one=len(numbers) == 1)
    if choice is None:
        raise not_acceptable()
    tag = tag_of((member,), listed, choice.media, choice.syntax, str(choice.is_multipart))
    if same := unchanged(request, tag):
        return same
    is_decoded = choice.syntax == EXPLICIT or not opened.is_compressed
    kind = f"{choice.media}; transfer-syntax={EXPLICIT if is_decoded else opened.syntax}"
    first = _frame(opened, numbers[0], is_decoded=is_decoded)  # trouble is told at once
    if not choice.is_multipart:
        headers = {**PRIVATE, "ETag": tag, "Content-Type": kind}
        return Response(first, headers=headers)
    frames = (
        first if n == 0 else _frame(opened, number, is_decoded=is_decoded)
        for n, number in enumerate(numbers)
    )
    parts = (Part({"Content-Type": kind}, [frame]) for frame in frames)
    return _multipart(parts, choice.media, tag)


def _frame(opened: Opened, number: int, *, is_decoded: bool) -> bytes:
    try:
        return frame_bytes(opened, number - 1, is_decoded=is_decoded)
    except InputError as error:
        raise HTTPException(422, f"frame cannot be read: {error}") from error


def _numbers(listed: str) -> list[int]:
    if not re.fullmatch(r"\d{1,9}(,\d{1,9})*", listed, re.ASCII):
        raise HTTPException(400, "frames are numbers from 1, separated by commas")
    numbers = [int(part) for part in listed.split(",")]
    if min(numbers) < 1 or len(numbers) > MAX_FRAMES:
        raise HTTPException(400, f"frames are 1 to {MAX_FRAMES} numbers from 1")
    return numbers


def _bulk(shelf: Shelf, request: Request, member: Member, place: str) -> Response:
    if not re.fullmatch(r"([0-9A-Fa-f]{8}/\d{1,6}/){0,16}[0-9A-Fa-f]{8}", place, re.ASCII):
        raise HTTPException(400, "bulk data is named by tags, with items between them")
    opened = shelf.opened(member)
    tag = tag_of((member,), place)
    if same := unchanged(request, tag):
        return same
    pdf = document(opened) if place == "00420011" else None
    try:
        data = pdf if pdf is not None else bulk_data(opened.dataset, place)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
    own = "application/pdf" if pdf is not None else OCTETS
    for media in accepted(_accept(request)):
        if media.name in ("*/*", OCTETS, own):
            kind = OCTETS if media.name == OCTETS else own
            if media.is_multipart:
                return _multipart([Part({"Content-Type": kind}, [data])], kind, tag)
            return Response(data, media_type=kind, headers={**PRIVATE, "ETag": tag})
    raise not_acceptable()


def _multipart(parts: Iterable[Part], media: str, tag: str) -> Response:
    boundary = secrets.token_hex(16)
    kind = f'multipart/related; type="{media}"; boundary={boundary}'
    headers = {**PRIVATE, "ETag": tag, "Content-Type": kind}
    return StreamingResponse(join_parts(parts, boundary), headers=headers)
