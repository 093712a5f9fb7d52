"""Labels that people make elsewhere: saved as edits of their readings, and given back."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from jaxtyping import Integer
from numpy import ndarray
from starlette.concurrency import run_in_threadpool

from medloop.annotation.draft import before
from medloop.annotation.masks import decode, encode, present
from medloop.apps.web.incoming import most_bytes_of, receive
from medloop.apps.web.limits import allow_large_body
from medloop.apps.web.monailabel.about import FINAL, ORIGINAL, label_info
from medloop.apps.web.monailabel.inference import read_params
from medloop.apps.web.monailabel.shelf import Shelf, numbers
from medloop.apps.web.reading_access import has_seen, note_seen, panel_of
from medloop.apps.web.security import Permission, Principal, require
from medloop.core.edit import Action
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import Segment
from medloop.dicom.web.multipart import PartsToFiles, TooLargeError, boundary_of
from medloop.store import Entry
from medloop.store.labeled import Labeled
from medloop.store.reading import Purpose, Reading, ReadingState
from medloop.workflow.reviewing import add_edit, mask_edit, review_of

Reader = Annotated[Principal, Depends(require(Permission.READ))]
Corrector = Annotated[Principal, Depends(require(Permission.CORRECT))]
_Id = Annotated[str, Query(max_length=200)]
_Tag = Annotated[str, Query(max_length=100)]
_LARGEST_MB: Final = 16_384  # the image says how much of it is taken
_GZIP: Final = "application/gzip"
_ANY: Final = range(1, 65536)


def add_routes(routes: APIRouter, shelf: Shelf) -> None:
    """Add ``/datastore/label``."""
    _add_saving(routes, shelf)

    @routes.get("/datastore/label", responses={404: {}})
    @routes.head("/datastore/label", include_in_schema=False)
    def download(who: Reader, label: _Id = "", image: _Id = "", tag: _Tag = FINAL) -> Response:
        """Give labels as NIfTI on the voxels of the image: the analysis', or a person's."""
        labeled = shelf.get(label or image)
        shelf.context.trail.saw(who.name, labeled.study)
        headers = {"Content-Disposition": 'attachment; filename="labels.nii.gz"'}
        return Response(_given(shelf, labeled, tag, who.name), 200, headers, _GZIP)

    @routes.get("/datastore/label/info", responses={404: {}})
    def info(who: Reader, label: _Id, tag: _Tag = FINAL) -> dict[str, Any]:
        """Say which numbers labels have."""
        labeled = shelf.get(label)
        if tag != ORIGINAL and _drawn(shelf, labeled, who.name) is None:
            raise HTTPException(404, _MISSING)
        return label_info(shelf, labeled)


def _add_saving(routes: APIRouter, shelf: Shelf) -> None:
    large = Depends(allow_large_body(_LARGEST_MB))
    folder = shelf.context.store.root / "uploads"

    @routes.put("/datastore/label", responses={404: {}, 409: {}, 413: {}, 415: {}, 422: {}})
    async def save(
        request: Request,
        who: Corrector,
        _large: Annotated[None, large],
        image: _Id,
        tag: _Tag = FINAL,
    ) -> dict[str, Any]:
        """Keep labels as an edit in the reading of whoever sends them."""
        if tag == ORIGINAL:
            raise HTTPException(409, "what the analysis labeled is kept: save with another tag")
        kind = request.headers.get("content-type", "")
        if not kind.lower().startswith("multipart/form-data"):
            raise HTTPException(415, "send the label as multipart/form-data")
        looked = await run_in_threadpool(lambda: shelf.looked(shelf.get(image)))
        most = most_bytes_of(await run_in_threadpool(shelf.desk.shown, looked))
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
            parts = PartsToFiles(Path(scratch), boundary_of(kind), most)
            try:
                await receive(request.stream(), parts)
            except TooLargeError as error:
                raise HTTPException(413, str(error)) from error
            return await run_in_threadpool(_save, shelf, who, image, parts)


def _save(shelf: Shelf, who: Principal, image: str, parts: PartsToFiles) -> dict[str, Any]:
    named = [(path, name) for path, name in zip(parts.files, parts.names, strict=True) if name]
    facts = [path for path, name in zip(parts.files, parts.names, strict=True) if not name]
    if not named:
        raise HTTPException(422, "the form has no file: label")
    params = read_params(_text(facts[0]) if facts else "{}")
    labeled = shelf.get(image)
    looked = shelf.looked(labeled)
    grid = shelf.grid(looked)
    try:
        labels = _read(named[0][0].read_bytes(), named[0][1], grid)
        labels = renumbered(labels, params.get("label_info"), shelf.segments(looked))
    except InputError as error:
        raise HTTPException(422, str(error)) from error
    reading = _reading(shelf, labeled, who.name)
    _keep(shelf, reading, labels, grid)
    number = str(labeled.job)
    return {"image": number, "label": number, "reading": reading.id}


def renumbered(
    labels: Integer[ndarray, "k j i"], told: object, segments: Mapping[int, Segment]
) -> Integer[ndarray, "k j i"]:
    """Give labels the numbers that their names have in the result.

    `told` lists ``{"name": ..., "idx": ...}``; without it numbers are what they are.

    Raises
    ------
    InputError
        If a label that is drawn has no name, or one that the result does not know.
    """
    drawn = present(labels)
    known = numbers(segments)
    names = _named(told)
    table = np.zeros(65536, np.uint16)
    for number in drawn:
        if names:
            name = names.get(number)
            wanted = known.get(name) if name is not None else None
        else:
            wanted = number if number in segments else None
        if wanted is None:
            said = f"label {names.get(number, number)!s:.64}"
            raise InputError(f"{said} is none of this result's: {', '.join(known) or 'none'}")
        table[number] = wanted
    return table[labels]


def _named(told: object) -> dict[int, str]:
    if not isinstance(told, list):
        return {}
    pairs = [each for each in told if isinstance(each, dict)]
    return {
        each["idx"]: each["name"]
        for each in pairs
        if isinstance(each.get("idx"), int) and isinstance(each.get("name"), str)
    }


def _read(data: bytes, name: str, grid: Grid) -> Integer[ndarray, "k j i"]:
    """Read a label as NIfTI, or as OHIF sends it: bytes, x fastest, in the series' order."""
    if name.endswith(".nrrd"):
        raise InputError("labels are taken as NIfTI: set the file extension to .nii.gz")
    if not name.endswith(".bin"):
        return decode(data, grid, _ANY)
    count = int(np.prod(grid.shape))
    if len(data) not in (count, 2 * count):
        raise InputError(f"the label has {len(data)} bytes, the image {count} voxels")
    kind = np.dtype("u1" if len(data) == count else "<u2")
    return np.frombuffer(data, kind).reshape(grid.shape)


def _reading(shelf: Shelf, labeled: Labeled, name: str) -> Reading:
    """Open or resume the reading that a label goes into; 409 if it was handed in."""
    store, context = shelf.context.store, shelf.context
    apart = panel_of(context, labeled.job, labeled.analysis)
    mine = {each.purpose: each for each in apart.readings if each.reader == name}
    decides = mine.get(Purpose.ADJUDICATE)
    if decides is not None and decides.state is ReadingState.OPEN:
        return decides
    reads = mine.get(Purpose.READ)
    if reads is not None and reads.state is ReadingState.DONE:
        raise HTTPException(409, "your reading of this image was handed in; it stays as it is")
    if not apart.may_read(name):
        raise HTTPException(409, "you decided between readers here: read something else")
    if has_seen(context, name, apart, labeled.job, labeled.study):
        raise HTTPException(409, "you have seen what the others say: read something else")
    if reads is not None:
        return reads
    now, details = context.now(), {"job": str(labeled.job), "purpose": Purpose.READ.value}
    entry = Entry(now, name, "began reading", labeled.study, details)
    return store.readings.open(labeled.job, name, now=now, entry=entry)


def _keep(
    shelf: Shelf, reading: Reading, labels: Integer[ndarray, "k j i"], grid: Grid
) -> None:
    """Add the edit; what was saved twice is one edit."""
    store, now = shelf.context.store, shelf.context.now()
    review = review_of(store, reading)
    edit = mask_edit(store, review, labels, review.draft.segments, grid)
    if edit.after != before(review.draft, Action.MASK, ""):
        number = review.reading.number
        add_edit(store, review, edit, expected=number, now=now, actor=reading.reader)


_MISSING: Final = (
    "nobody has saved labels that you may see: the analysis' have the tag original"
)


def _given(shelf: Shelf, labeled: Labeled, tag: str, name: str) -> bytes:
    if tag == ORIGINAL:
        looked = shelf.looked(labeled)
        return encode(shelf.proposed(looked).array, shelf.grid(looked))
    sha256 = _drawn(shelf, labeled, name)
    if sha256 is None:
        raise HTTPException(404, _MISSING)
    return shelf.context.store.archive.read(sha256)


def _drawn(shelf: Shelf, labeled: Labeled, name: str) -> str | None:
    """Name the label map that counts for somebody: their own, or else the adjudicated one.

    Whoever still reads apart is not given what others say.
    """
    context = shelf.context
    apart = panel_of(context, labeled.job, labeled.analysis)
    own = [each for each in apart.readings if each.reader == name]
    is_bound = any(e.job == labeled.job for e in shelf.curtain.unfinished(name, labeled.study))
    decided = [apart.decided] if apart.decided is not None and not is_bound else []
    for reading in (*reversed(own), *decided):
        mask = review_of(context.store, reading).draft.mask
        if mask is not None and apart.may_see(name, reading):
            if reading.reader != name:
                note_seen(context, name, apart, labeled.job, labeled.study)
            return mask
    return None


def _text(path: Path) -> str:
    return path.read_bytes()[:100_000].decode("utf-8", errors="replace")
