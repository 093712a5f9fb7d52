"""Which sizes, places and pieces organs at risk have in labelled cases, and what is like none.

The numbers stand in atlas.json; ``tools/organ_atlas.py`` measured them on the training part
of OpenKBP (Babier 2021): planning CTs of 100 patients treated for cancer of the head and neck,
each organ over those where it was drawn.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

Point = tuple[float, float, float]
Range = tuple[float, float]

_MOST_ODD: Final = 0.5  # of the organs it is compared with: more, and it is the odd one itself


@dataclass(frozen=True, slots=True)
class Usual:
    """What one organ is like: 1st and 99th percentile of volume, 99th of pieces, over `cases`.

    `offsets_mm` has by other organ the range along x, y and z of LPS from its center to this.
    """

    cases: int
    volume_cm3: Range
    pieces: int
    offsets_mm: Mapping[str, tuple[Range, Range, Range]]


@cache
def load_atlas() -> Mapping[str, Usual]:
    """Read the shipped atlas."""
    path = files("medloop.clinical.radiotherapy") / "atlas.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    return {name: _usual(name, raw) for name in raw["organs"]}


def odd_places(centers_mm: Mapping[str, Point], atlas: Mapping[str, Usual]) -> tuple[str, ...]:
    """Name the organs that lie out of range of more than half of the others found.

    One organ that is misplaced is out of range of all others, each of these of it alone.
    """
    odd = []
    for name, center in centers_mm.items():
        others = [other for other in centers_mm if other in atlas[name].offsets_mm]
        away = sum(
            _is_out(center, centers_mm[other], atlas[name].offsets_mm[other])
            for other in others
        )
        if away > _MOST_ODD * len(others):
            odd.append(name)
    return tuple(odd)


def _is_out(one: Point, other: Point, ranges: tuple[Range, Range, Range]) -> bool:
    steps = (a - b for a, b in zip(one, other, strict=True))
    return any(not low <= d <= high for d, (low, high) in zip(steps, ranges, strict=True))


def _usual(name: str, raw: Mapping[str, Any]) -> Usual:
    held = raw["organs"][name]
    offsets = {
        other: (_range(x), _range(y), _range(z))
        for other, (x, y, z) in raw["offsets_mm"][name].items()
    }
    return Usual(int(held["cases"]), _range(held["volume_cm3"]), int(held["pieces"]), offsets)


def _range(pair: list[float]) -> Range:
    low, high = pair
    return float(low), float(high)
