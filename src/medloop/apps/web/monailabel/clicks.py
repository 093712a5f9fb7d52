"""An object from clicks, as plugins ask a model of the type deepgrow."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from medloop.annotation.refining import Asked, box_of, refined
from medloop.apps.web.monailabel.shelf import Shelf, is_uid
from medloop.core.code import Code
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Segment
from medloop.imaging.packed import Place, slices_of
from medloop.imaging.viewing import from_viewing, to_viewing_index, viewing_grid
from medloop.workflow.scene import Looked

MODEL: Final = "clicks"
_REACH_MM: Final = 12.0
_MOST: Final = 2000
_ABNORMAL: Final = Code("SCT", "49755003", "Morphologically Altered Structure")


def model_of_clicks() -> dict[str, Any]:
    """Describe the model."""
    return {
        "type": "deepgrow",
        "labels": [],
        "dimension": 3,
        "description": "An object from clicks inside and outside of it",
        "config": {},
    }


def clicked(shelf: Shelf, looked: Looked, image: str, asked: Mapping[str, Any]) -> LabelMap:
    """Draw the object of clicks, on the voxels of the series.

    Clicks are voxels [x, y, z] of the volume that was downloaded; where the image is named by a
    series' UID, as OHIF does, of the series' slices.

    Raises
    ------
    InputError
        If there is no click, or one is no voxel of the image.
    """
    shown, grid = shelf.desk.shown(looked), shelf.grid(looked)
    seen = viewing_grid(grid)
    inside, outside = (_places(asked.get(name)) for name in ("foreground", "background"))
    if is_uid(image):
        inside, outside = ([_turned(each, grid) for each in some] for some in (inside, outside))
    marks = Asked(tuple(inside), tuple(outside), _REACH_MM)
    box = box_of(marks, seen.spacing_mm, seen.shape)
    region = slices_of(box)
    drawn = np.zeros(seen.shape, np.uint8)
    before = np.zeros(drawn[region].shape, np.bool_)
    drawn[region] = refined(shown.stored, seen.spacing_mm, marks, (box, before))
    name = str(asked.get("label") or "object")[:64]
    segment = Segment(name, _ABNORMAL, _ABNORMAL, (230, 159, 0))
    return LabelMap(np.ascontiguousarray(from_viewing(drawn, grid)), {1: segment}, grid)


def _turned(place: Place, grid: Grid) -> Place:
    """Return where viewers show a voxel [x, y, z] of the series' slices."""
    if any(not 0 <= n < size for n, size in zip(place, grid.shape[::-1], strict=True)):
        raise InputError("a click lies outside of the image")
    x, y, z = (int(n) for n in to_viewing_index(np.array(place[::-1]), grid))
    return x, y, z


def _places(listed: object) -> list[Place]:
    """Read a list of [x, y, z], whole or not."""
    if listed is None:
        return []
    if not isinstance(listed, list) or len(listed) > _MOST:
        raise InputError(f"clicks are a list of at most {_MOST} places")
    found = []
    for each in listed:
        is_place = isinstance(each, list) and len(each) == 3
        if not is_place or not all(isinstance(n, int | float) and abs(n) < 1e6 for n in each):
            raise InputError("a click is [x, y, z]")
        x, y, z = (round(n) for n in each)
        found.append((x, y, z))
    return found
