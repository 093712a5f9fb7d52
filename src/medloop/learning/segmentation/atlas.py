"""How large structures are, where they lie to each other, and in how many pieces.

What labelled cases show is written down once, so that an analysis can tell an outline that is
like none of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from medloop.core.geometry import Grid
from medloop.imaging.shape import center_of, shape_of

SHARES: Final = (1.0, 99.0)  # percentiles between which a structure is like the others

Record = dict[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One structure as somebody drew it; `apart_share` is of its volume, beside its body."""

    volume_cm3: float
    center_lps_mm: Float[ndarray, " 3"]
    pieces: int
    apart_share: float


def drawn(inside: Bool[ndarray, "k j i"], grid: Grid) -> Drawn | None:
    """Measure one structure; None where it was not drawn."""
    voxels = int(np.count_nonzero(inside))
    if not voxels:
        return None
    shape = shape_of(inside, grid)
    volume_mm3 = voxels * grid.voxel_mm3
    center = center_of(inside, grid)
    return Drawn(volume_mm3 / 1000, center, shape.pieces, shape.apart_mm3 / volume_mm3)


def measure_atlas(
    cases: Iterable[tuple[Mapping[str, Bool[ndarray, "k j i"]], Grid]], names: Sequence[str]
) -> Record:
    """Measure structures over cases, each with its masks by name and their grid.

    Returns plain values for JSON. ``organs``: for each name the number of ``cases`` in which it
    was drawn, the 1st and 99th percentile of its ``volume_cm3``, the 99th of its number of
    ``pieces`` and of its ``apart_share``. ``offsets_mm``: for each pair the 1st and 99th
    percentile, along x, y and z of LPS, from the center of the second to that of the first.

    Raises
    ------
    ValueError
        If a structure was drawn in no case, or two never in the same.
    """
    seen = [_of_case(masks, grid, names) for masks, grid in cases]
    by_name = {name: [each[name] for each in seen if name in each] for name in names}
    for name, found in by_name.items():
        if not found:
            raise ValueError(f"{name} was drawn in none of {len(seen)} cases")
    return {
        "cases": len(seen),
        "organs": {name: _ranges(found) for name, found in by_name.items()},
        "offsets_mm": {
            name: {other: _offsets(seen, name, other) for other in names if other != name}
            for name in names
        },
    }


def _of_case(
    masks: Mapping[str, Bool[ndarray, "k j i"]], grid: Grid, names: Sequence[str]
) -> dict[str, Drawn]:
    found = {name: drawn(masks[name], grid) for name in names if name in masks}
    return {name: each for name, each in found.items() if each is not None}


def _ranges(found: Sequence[Drawn]) -> Record:
    volumes = np.percentile([each.volume_cm3 for each in found], SHARES)
    most = SHARES[1]
    return {
        "cases": len(found),
        "volume_cm3": [round(float(value), 2) for value in volumes],
        "pieces": round(float(np.percentile([each.pieces for each in found], most))),
        "apart_share": round(float(np.percentile([e.apart_share for e in found], most)), 4),
    }


def _offsets(seen: Sequence[Mapping[str, Drawn]], name: str, other: str) -> list[list[float]]:
    both = [each for each in seen if name in each and other in each]
    if not both:
        raise ValueError(f"{name} and {other} were drawn in no case together")
    away = [each[name].center_lps_mm - each[other].center_lps_mm for each in both]
    low, high = np.percentile(away, SHARES, axis=0)
    return [[round(float(a), 1), round(float(b), 1)] for a, b in zip(low, high, strict=True)]
