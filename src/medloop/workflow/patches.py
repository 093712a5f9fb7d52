"""Boxes kept beside a result for the reading page: what its networks went by.

They are of the result, and go with it; other systems are not sent them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from medloop.core.errors import InputError
from medloop.core.finding import Result
from medloop.core.geometry import Grid
from medloop.core.image import Patch, Volume
from medloop.core.study import Case
from medloop.files.patches import read_patches
from medloop.imaging.viewing import viewing_turn

HEAT: Final = "heat.npz"
PRIVATE: Final = frozenset({HEAT})


def patches_of(case: Case, result: Result) -> Mapping[str, Mapping[int, Patch]]:
    """Return what is to be kept of a result, by the name of its file; nothing that is empty."""
    image = case.images[0]
    kept: dict[str, Mapping[int, Patch]] = {}
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
