"""Masks as files, out to other programs and in from them; and what a reader may say."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi import Path as InPath
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from medloop.annotation import masks
from medloop.annotation.brought import described, drawn_by, renumbered
from medloop.apps.sources import archive_of
from medloop.apps.web.context import Context
from medloop.apps.web.images import PRIVATE
from medloop.apps.web.incoming import most_bytes_of, spooled
from medloop.apps.web.limits import allow_large_body
from medloop.apps.web.pages import language_of
from medloop.apps.web.reading_desk import MOST_SEGMENTS, ReadingDesk, desk_of
from medloop.apps.web.security import Permission, Principal, require
from medloop.clinical.choices import Choice, Choices, Names, choices_for
from medloop.clinical.report.language import Language
from medloop.core.errors import InputError
from medloop.core.image import LabelMap
from medloop.core.plain import Plain, Record, code_to_plain
from medloop.core.study import Case
from medloop.dicom.seg_file import DraftedBy, decode_seg, encode_seg
from medloop.store.reading import StaleError
from medloop.workflow.lightbox import Shown
from medloop.workflow.reviewing import (
    Review,
    add_edit,
    current_labels,
    mask_edit,
    model_labels,
)

_MASK_MB: Final = 16_384  # the image says how much of it is taken
_SEG_BYTES: Final = 8  # a voxel: 64 segments of one bit each, or a float that nobody packed
_SEG_HEADS: Final = 32 << 20  # what a SEG says of each of its frames
_DAY_S: Final = 86_400
_MOST: Final = 2**31 - 1
_ALL: Final = range(1, 65_536)

Reader = Annotated[Principal, Depends(require(Permission.READ))]
Corrector = Annotated[Principal, Depends(require(Permission.CORRECT))]
Number = Annotated[int, InPath(ge=1, le=_MOST)]


class Brought(BaseModel):
    """Which edit the page knows, and what choosing a file took."""

    expected: Annotated[int, Field(ge=0, le=_MOST)]
    seconds: Annotated[float, Field(ge=0, le=_DAY_S, allow_inf_nan=False)] = 0.0
    clicks: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class Taken(BaseModel):
    """The number of the edit that took a mask over."""

    number: int


def router(context: Context) -> APIRouter:
    """Offer masks as files."""
    routes = APIRouter(prefix="/api/readings", tags=["readings"])
    desk = desk_of(context)
    folder = context.store.root / "uploads"

    @routes.get("/{number}/choices", responses={403: {}, 404: {}})
    def choices(who: Reader, request: Request, response: Response, number: Number) -> Record:
        """Tell what may be said about the result: concepts, places, sizes, grades."""
        review = desk.look(who, number)
        response.headers.update(PRIVATE)
        return _told(choices_for(review.looked.job.analysis), language_of(request))

    @routes.get("/{number}/mask.dcm", responses={403: {}, 404: {}, 422: {}})
    def segmentation(who: Reader, number: Number) -> Response:
        """Give the label map as it is now, as DICOM SEG."""
        review = desk.look(who, number)
        name = f"mask-{review.reading.job}-{number}.dcm"
        headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{name}"'}
        try:
            data = seg_of(desk, review)
        except InputError as error:
            raise HTTPException(422, str(error)) from error
        return Response(data, media_type="application/dicom", headers=headers)

    @routes.put("/{number}/mask/file", responses={403: {}, 404: {}, 409: {}, 413: {}, 422: {}})
    async def bring(
        request: Request,
        who: Corrector,
        number: Number,
        asked: Annotated[Brought, Query()],
        _large: Annotated[None, Depends(allow_large_body(_MASK_MB))],
    ) -> Taken:
        """Take a mask made elsewhere, NIfTI or DICOM SEG (pictures: PNG), as an edit."""
        review = await run_in_threadpool(desk.own, who, number, asked.expected)
        shown = await run_in_threadpool(desk.images.shown, review.looked)
        most = most_bytes_of(shown, per_voxel=_SEG_BYTES, more=_SEG_HEADS)
        async with spooled(request, folder, most_bytes=most) as body:
            drawn = await run_in_threadpool(
                lambda: _bring(desk, who, review, asked, body.read_bytes())
            )
        return Taken(number=drawn.reading.number)

    return routes


def seg_of(desk: ReadingDesk, review: Review) -> bytes:
    """Write the label map of a reading as a SEG.

    Raises
    ------
    InputError
        If nothing is labeled, or the volume did not come as DICOM.
    """
    store, looked = desk.context.store, review.looked
    shown = desk.images.shown(looked)
    labels = current_labels(store, review, shown.grid, shown.size_px[::-1])
    instances = looked.selection.series[0].instances
    if instances[0].sop_class and all(each.path.is_file() for each in instances):
        case = Case(looked.study, looked.selection, ())
    else:
        case = archive_of(store, desk.context.site).case(looked.study, looked.selection)
    draft = None
    if review.draft.mask is not None:
        model = model_labels(store, looked, shown.grid, shown.size_px[::-1])
        drawn = drawn_by(labels, model)
        draft = DraftedBy(review.reading.reader, review.draft.mask, drawn)
    return encode_seg(case, replace(looked.recorded.result, labels=labels), draft=draft)


def _bring(
    desk: ReadingDesk, who: Principal, review: Review, asked: Brought, data: bytes
) -> Review:
    store = desk.context.store
    shown = desk.images.shown(review.looked)
    try:
        labels = _read(data, review, shown)
    except InputError as error:
        raise HTTPException(422, str(error)) from error
    count = len(labels.segments)
    if count > MOST_SEGMENTS:
        said = f"the file has {count} labels, a mask at most {MOST_SEGMENTS}: is it an image?"
        raise HTTPException(422, said)
    edit = mask_edit(store, review, labels.array, labels.segments, shown.grid)
    edit = replace(edit, seconds=asked.seconds, clicks=asked.clicks)
    now, expected = desk.context.now(), asked.expected
    try:
        return add_edit(store, review, edit, expected=expected, now=now, actor=who.name)
    except StaleError as error:
        raise HTTPException(409, str(error)) from error


def _read(data: bytes, review: Review, shown: Shown) -> LabelMap:
    """Read a file by its content."""
    segments, size = review.draft.segments, shown.size_px[::-1]
    if data[128:132] == b"DICM":
        return renumbered(decode_seg(data, shown.grid, size), segments)
    if shown.grid is None:
        array = masks.decode_flat(data, size, _ALL)
    else:
        array = masks.decode(data, shown.grid, _ALL)
    may = choices_for(review.looked.job.analysis)
    known = described(
        array, segments, category=may.category, concept=may.segment.code, site=may.site
    )
    return LabelMap(array, known, shown.grid)


def _told(choices: Choices, language: Language) -> Record:
    said: Mapping[str, Plain] = {
        "concepts": [_choice(each, language) for each in choices.concepts],
        "sites": [_choice(each, language) for each in choices.sites],
        "measurements": [
            {
                "code": code_to_plain(each.code),
                "unit": each.unit,
                "label": _say(each.names, language),
            }
            for each in choices.sizes
        ],
        "scales": [
            {
                "name": scale.name,
                "label": _say(scale.names, language),
                "values": [
                    {"value": value, "label": _say(names, language)}
                    for value, names in scale.values
                ],
            }
            for scale in choices.scales
        ],
        "segment": {
            "category": code_to_plain(choices.category),
            "concept": code_to_plain(choices.segment.code),
            "site": code_to_plain(choices.site) if choices.site else None,
        },
    }
    return dict(said)


def _choice(choice: Choice, language: Language) -> Plain:
    return {"code": code_to_plain(choice.code), "label": _say(choice.names, language)}


def _say(names: Names, language: Language) -> str:
    return names[language is Language.CHINESE]
