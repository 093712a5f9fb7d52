"""From a chest CT whose lungs are known to places with a score: all that detection does."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped, UInt8
from numpy import ndarray

from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.imaging.hounsfield import Curve
from medloop.imaging.orientation import turn_of, upright_grid
from medloop.models.nodule_plan import NodulePlan
from medloop.models.nodules import Reviewed, Spots, cubes_at, curve_for, find_spots, review
from medloop.models.predict import Predictor


@dataclass(frozen=True, slots=True, eq=False)
class Chest:
    """A volume in HU with axes toward head, back and left, and its lungs (0 elsewhere)."""

    hu: Shaped[ndarray, "k j i"]
    lungs: UInt8[ndarray, "k j i"]
    grid: Grid

    @classmethod
    def of(cls, volume: Volume, lungs: UInt8[ndarray, "k j i"]) -> "Chest":
        """Turn a volume and the mask of its lungs upright."""
        turn = turn_of(volume.grid)
        hu, mask = turn.upright(volume.array), turn.upright(lungs)
        return cls(hu, mask, upright_grid(volume.grid, turn))


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """Places, what both networks say of each, and how HU were matched to the training's."""

    spots: Spots
    answer: Reviewed
    curve: Curve | None


def search(chest: Chest, screen: Predictor, second: Predictor, plan: NodulePlan) -> Searched:
    """Find places that may be nodules and let both networks judge them."""
    spacing_mm = np.array(chest.grid.spacing_mm)
    curve = curve_for(chest.hu, chest.lungs, plan)
    spots = find_spots(chest.hu, chest.lungs, spacing_mm, plan, curve=curve)
    cubes = cubes_at(chest.hu, spacing_mm, spots.centers, plan, curve=curve)
    return Searched(spots, review(screen, second, cubes, plan), curve)
