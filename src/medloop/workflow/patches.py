"""Boxes kept beside a result for the reading page: what networks went by, how sure they were.

They are of the result, and go with it; other systems are not sent them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jaxtyping import Float32
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.core.finding import Result
from medloop.core.geometry import Grid
from medloop.core.image import Patch, Volume
from medloop.core.study import Case
from medloop.files.patches import read_patches
from medloop.imaging.likely import likely_in
from medloop.imaging.packed import Box, slices_of
from medloop.imaging.viewing import viewing_turn

HEAT: Final = "heat.npz"
LIKELY: Final = "probabilities.npz"
PRIVATE: Final = frozenset({HEAT, LIKELY})


def patches_of(case: Case, result: Result) -> Mapping[str, Mapping[int, Patch]]:
    """Return what is to be kept of a result, by the name of its file; nothing that is empty."""
    image = case.images[0]
    kept: dict[str, Mapping[int, Patch]] = {LIKELY: result.likely}
    if isinstance(image, Volume):
        kept[HEAT] = {
            int(each.explains["finding"]): Patch(each.array, each.low, image.grid.shape)
            for each in result.heat_maps
            if each.low and "finding" in each.explains
        }
    return {name: patches for name, patches in kept.items() if patches}


def seen_heat(folder: Path, grid: Grid) -> Mapping[int, Patch]:
    """Read the heat of findings by their numbers, on the viewing grid; none if none is kept.

    Raises
    ------
    InputError
        If the file is damaged, or of another volume.
    ServiceError
        If it cannot be read now.
    """
    if not (folder / HEAT).is_file():
        return {}
    turn, kept = viewing_turn(grid), read_patches(folder / HEAT)
    if any(each.shape != grid.shape for each in kept.values()):
        raise InputError(f"{HEAT} is of another volume than {grid.shape}")
    return {number: turn.patch_upright(each) for number, each in kept.items()}


def seen_likely(
    folder: Path, segment: int, grid: Grid | None, size: tuple[int, int, int], box: Box
) -> Float32[ndarray, "z y x"] | None:
    """Read how likely a segment is in a box of what is looked at; None if that is not kept.

    `size` (z, y, x) is of what is looked at; a picture has no `grid`, and one slice.

    Raises
    ------
    InputError
        If the file is damaged, or of another kind of image.
    ServiceError
        If it cannot be read now.
    """
    if not (folder / LIKELY).is_file():
        return None
    kept = read_patches(folder / LIKELY, [segment]).get(segment)
    if kept is None:
        return None
    if kept.array.ndim != (2 if grid is None else 3):
        raise InputError(f"{LIKELY} is of another kind of image")
    if grid is None:
        return likely_in(kept, size[1:], slices_of(box)[1:])[None]
    return likely_in(viewing_turn(grid).patch_upright(kept), size, slices_of(box))
