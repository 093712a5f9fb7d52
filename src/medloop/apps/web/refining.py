"""Help with drawing: objects from a few clicks, and slices between drawn ones."""

import logging
import time
from typing import Annotated, Final

import cv2
import numpy as np
from fastapi import APIRouter, Depends
from fastapi import Path as InPath
from jaxtyping import Float32, Shaped
from numpy import ndarray
from pydantic import BaseModel, Field

from medloop.annotation.refining import Asked, Refiner, box_of, refined, within
from medloop.apps.web.context import Context
from medloop.apps.web.images import images_of
from medloop.apps.web.reading_access import own_reading
from medloop.apps.web.security import Permission, Principal, require
from medloop.core.errors import InputError
from medloop.imaging.between import fill_between
from medloop.imaging.packed import Box, pack, require_box, unpack
from medloop.imaging.refine import refine
from medloop.imaging.viewing import viewing_grid
from medloop.workflow.lightbox import Shown
from medloop.workflow.patches import seen_likely
from medloop.workflow.scene import Looked

log = logging.getLogger(__name__)

_MOST_MARKS: Final = 2000
_SIDE: Final = 65_535
_GREEN: Final = 1  # of blue, green, red: where a retina shows most

Corrector = Annotated[Principal, Depends(require(Permission.CORRECT))]
Number = Annotated[int, InPath(ge=1, le=2**31 - 1)]
Index = Annotated[int, Field(ge=0, le=_SIDE)]
Voxel = tuple[Index, Index, Index]
Length = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Bits = Annotated[str, Field(max_length=1 << 22)]
Near = Annotated[int, Field(ge=-_SIDE, le=_SIDE)]  # a stroke may leave the image
Marked = Annotated[list[tuple[Near, Near, Near]], Field(max_length=_MOST_MARKS)]


class Marking(BaseModel):
    """Voxels [x, y, z] inside and outside of a segment; `mask` holds its bits in the `box`.

    Without a box nothing is drawn yet. `reach` is in mm, on photographs in pixels.
    """

    segment: Annotated[int, Field(ge=1, le=_SIDE)] = 1
    inside: Marked = []
    outside: Marked = []
    reach: Length = 12.0
    box: tuple[Voxel, Voxel] | None = None
    mask: Bits | None = None


class Gaps(BaseModel):
    """The bits of a segment in a box, and which slices across an axis (0: x) are drawn."""

    axis: Annotated[int, Field(ge=0, le=2)]
    drawn: Annotated[list[Index], Field(max_length=_MOST_MARKS)]
    spacing: tuple[Length, Length, Length]
    box: tuple[Voxel, Voxel]
    mask: Bits


class Drawn(BaseModel):
    """The bits of a segment in a box [low, high]: x fastest, eight a byte, base64."""

    box: Box
    mask: str
    seconds: float


def router(context: Context, refiner: Refiner = refine) -> APIRouter:
    """Offer the help; another `refiner` may be a network."""
    routes = APIRouter(prefix="/api/readings", tags=["readings"])
    _add_refine(routes, context, refiner)

    @routes.post("/{number}/between", responses={403: {}, 404: {}})
    def between(who: Corrector, number: Number, gaps: Gaps) -> Drawn:
        """Fill a segment in the slices between those that are drawn."""
        started = time.perf_counter()
        own_reading(context, who, number)
        size = require_box(gaps.box)
        low = gaps.box[0][gaps.axis]
        axis = 2 - gaps.axis
        others = [mm for n, mm in enumerate(gaps.spacing[::-1]) if n != axis]
        if any(not low <= n < gaps.box[1][gaps.axis] for n in gaps.drawn):
            raise InputError("a slice lies outside of the box")
        filled = fill_between(
            unpack(gaps.mask, size),
            [n - low for n in gaps.drawn],
            axis=axis,
            spacing=(others[0], others[1]),
        )
        return Drawn(box=gaps.box, mask=pack(filled), seconds=_since(started))

    return routes


def _add_refine(routes: APIRouter, context: Context, refiner: Refiner) -> None:
    desk = images_of(context)

    @routes.post("/{number}/refine", responses={403: {}, 404: {}})
    def refine_mask(who: Corrector, number: Number, marking: Marking) -> Drawn:
        """Refine a segment by marks; nothing is kept before the mask is saved."""
        started = time.perf_counter()
        reading = own_reading(context, who, number)
        context.trail.saw(who.name, reading.study, "drew on")
        looked = desk.look_up(reading.job)
        shown = desk.shown(looked)
        image, spacing = _pixels(shown)
        marks = Asked(tuple(marking.inside), tuple(marking.outside), marking.reach)
        asked = within(marks, (image.shape[0], image.shape[1], image.shape[2]))
        box = marking.box or box_of(asked, spacing, image.shape)
        size = require_box(box, image.shape)
        before = unpack(marking.mask, size) if marking.mask else np.zeros(size, np.bool_)
        likely = _likely(context, looked, (shown, image.shape), (marking.segment, box))
        mask = refined(image, spacing, asked, (box, before), likely=likely, refiner=refiner)
        return Drawn(box=box, mask=pack(mask), seconds=_since(started))


def _likely(
    context: Context,
    looked: Looked,
    image: tuple[Shown, tuple[int, int, int]],
    asked: tuple[int, Box],
) -> Float32[ndarray, "z y x"] | None:
    """Return how likely a network saw a segment in a box; a damaged file is as none."""
    folder = context.store.results_folder / looked.kept.folder
    (shown, size), (segment, box) = image, asked
    try:
        return seen_likely(folder, segment, shown.grid, size, box)
    except InputError as damage:
        log.error("job %s is refined without: %s", looked.job.id, damage)  # noqa: TRY400
        return None


def _pixels(shown: Shown) -> tuple[Shaped[ndarray, "z y x"], tuple[float, float, float]]:
    """Return what is looked at, with its spacing; of a volume nothing is read yet."""
    if shown.grid is not None:
        return shown.stored, viewing_grid(shown.grid).spacing_mm
    picture = cv2.imread(str(shown.file), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise InputError("the prepared picture cannot be read")
    gray = picture if picture.ndim == 2 else picture[..., _GREEN]
    return gray[None], (1.0, 1.0, 1.0)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 4)
