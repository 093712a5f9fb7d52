"""STOW-RS: objects that are sent (PS3.18 10.5), streamed to the disk as they come."""

import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from starlette.concurrency import run_in_threadpool

from medloop.apps.web.context import Context, Kept
from medloop.apps.web.dicomweb.shelf import PREFIX, PRIVATE, Sender, Shelf, not_acceptable
from medloop.apps.web.incoming import receive, sweep
from medloop.apps.web.limits import allow_large_body
from medloop.apps.web.security import Principal
from medloop.core.errors import InputError
from medloop.dicom.header import read_header
from medloop.dicom.web.accept import DICOM, JSON, takes_json
from medloop.dicom.web.model import FAILURES, Receipt, store_answer
from medloop.dicom.web.multipart import PartsToFiles, TooLargeError, boundary_of

log = logging.getLogger(__name__)


def router(shelf: Shelf) -> APIRouter:
    """Take in what is sent."""
    routes = APIRouter(prefix=PREFIX, tags=["DICOMweb"])
    context = shelf.context
    folder = context.store.root / "uploads"
    sweep(folder)
    large = Depends(allow_large_body(context.site.web.max_upload_mb))

    @routes.post("/studies")
    async def store(
        request: Request, principal: Sender, _large: Annotated[None, large]
    ) -> Response:
        """Store objects of any studies."""
        return await _store(shelf, request, principal, folder, None)

    @routes.post("/studies/{study}")
    async def store_in(
        request: Request, principal: Sender, study: str, _large: Annotated[None, large]
    ) -> Response:
        """Store objects of one study."""
        return await _store(shelf, request, principal, folder, study)

    return routes


async def _store(
    shelf: Shelf, request: Request, principal: Principal, folder: Path, study: str | None
) -> Response:
    if not takes_json(request.headers.get("accept", "")):
        raise not_acceptable()
    boundary = _boundary(request.headers.get("content-type", ""))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
        limit = shelf.context.site.web.max_upload_mb << 20
        parts = PartsToFiles(Path(scratch), boundary, limit)
        try:
            await receive(request.stream(), parts)
        except TooLargeError as error:
            raise HTTPException(413, str(error)) from error
        if not parts.files:
            raise HTTPException(400, "body has no parts")
        receipts = await run_in_threadpool(_keep, shelf.context, parts, study, principal)
    return _answer(receipts, shelf.root(request))


def _boundary(content_type: str) -> str:
    kind = content_type.lower().replace('"', "").replace(" ", "")
    if not kind.startswith("multipart/related") or f"type={DICOM};" not in f"{kind};":
        raise HTTPException(415, f'send multipart/related; type="{DICOM}"')
    return boundary_of(content_type)


def _keep(
    context: Context, parts: PartsToFiles, study: str | None, principal: Principal
) -> list[Receipt]:
    receipts: dict[Path, Receipt] = {}
    names: dict[Path, tuple[str, str]] = {}
    for path, kind in zip(parts.files, parts.types, strict=True):
        if kind and kind.partition(";")[0].strip() != DICOM:
            receipts[path] = Receipt("", "", "", "", FAILURES["media"])
            continue
        try:
            header = read_header(path)
        except InputError:
            receipts[path] = Receipt("", "", "", "", FAILURES["refused"])
            continue
        names[path] = header.study_uid, header.series_uid
        if study is not None and header.study_uid != study:
            receipts[path] = Receipt(
                header.study_uid,
                header.series_uid,
                header.uid,
                header.sop_class,
                FAILURES["study"],
            )
    good = [path for path in parts.files if path not in receipts]
    kept = context.reception.store_now(good, f"stow:{principal.name}") if good else ()
    for path, each in zip(good, kept, strict=True):
        receipts[path] = _receipt(each, *names[path])
    for uid in sorted({each.study for each in receipts.values() if not each.failure}):
        context.trail.did(principal.name, "stored", uid, {"by": "stow"})
    return [receipts[path] for path in parts.files]


def _receipt(kept: Kept, study: str, series: str) -> Receipt:
    failure = FAILURES.get(kept.outcome, 0)
    return Receipt(study, series, kept.uid, kept.sop_class, failure)


def _answer(receipts: Sequence[Receipt], root: str) -> Response:
    failed = sum(bool(each.failure) for each in receipts)
    status = 200 if not failed else 409 if failed == len(receipts) else 202
    body = json.dumps(store_answer(receipts, root))
    return Response(body, status, media_type=JSON, headers=PRIVATE)
