"""Masks that were made elsewhere, brought to a reading: which of its segments they mean."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Integer
from numpy import ndarray

from medloop.annotation.masks import present
from medloop.core.attestation import Drawn
from medloop.core.code import Code
from medloop.core.image import LabelMap, Segment

# Colors of segments that nobody gave one (Okabe & Ito 2008).
_COLORS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167))


def renumbered(brought: LabelMap, segments: Mapping[int, Segment]) -> LabelMap:
    """Give labels the numbers that the reading has for segments of the same name.

    Others keep their number where it is free, or get the next one; segments of the reading stay
    described, even without a voxel.
    """
    known = {_plain(segment.name): number for number, segment in segments.items()}
    numbers: dict[int, int] = {}
    taken = dict(segments)
    held = present(brought.array)
    for label, segment in sorted(brought.segments.items()):
        if label not in held:
            continue
        number = known.get(_plain(segment.name))
        if number is None or number in numbers.values():
            number = label if label not in taken else max(taken) + 1
            taken[number] = segment
        numbers[label] = number
    if all(label == number for label, number in numbers.items()):
        return LabelMap(brought.array, dict(sorted(taken.items())), brought.grid)
    table = np.zeros(max(held, default=0) + 1, np.uint16)
    for label, number in numbers.items():
        table[label] = number
    return LabelMap(table[brought.array], dict(sorted(taken.items())), brought.grid)


def drawn_by(labels: LabelMap, model: LabelMap) -> Mapping[int, Drawn]:
    """Say which labels a reader has changed, and which they drew where the model had none."""
    now, before = labels.array, model.array
    differs = now != before
    touched = np.bincount(np.concatenate([now[differs], before[differs]]))
    changed = set(np.flatnonzero(touched).tolist()) & set(labels.segments)
    proposed = present(model.array)
    return {n: Drawn.SEMIAUTOMATIC if n in proposed else Drawn.MANUAL for n in sorted(changed)}


def described(
    array: Integer[ndarray, "*shape"],
    segments: Mapping[int, Segment],
    *,
    category: Code,
    concept: Code,
    site: Code | None = None,
) -> Mapping[int, Segment]:
    """Describe labels of a file that has numbers alone; those the reading knows stay."""
    new = Segment("", category, concept, (0, 0, 0), site)
    added = {
        n: replace(new, name=f"Segment {n}", color=_COLORS[(n - 1) % len(_COLORS)])
        for n in sorted(present(array) - set(segments))
    }
    return dict(sorted({**segments, **added}.items()))


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
