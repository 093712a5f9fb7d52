"""What lies around what is labelled: filled from other patients, or hidden.

Where a publisher left voxels out, a network learns that nothing is there; a scan as it left the
scanner is complete. Filling gaps from another patient, and leaving out more, teaches it both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from medloop.learning.segmentation.prepared import BLANK, UNKNOWN, PreparedCase

_WHOLE: Final = 0.3  # of the patients, those with the fewest gaps, fill those of others


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Shares of patches that are filled, and of which a part is hidden."""

    filled: float = 0.0
    hidden: float = 0.0


NO_CHANGE: Final = Surroundings()


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """An image (c, *p) and its labels (*p), changed in place."""

    image: Shaped[ndarray, " c *p"]
    labels: Shaped[ndarray, "*p"]


def changed(
    case: PreparedCase,
    patch: Patch,
    whole: Sequence[PreparedCase],
    show: Callable[[PreparedCase, Float[ndarray, " d"]], Patch],
    how: Surroundings,
    rng: np.random.Generator,
) -> Patch:
    """Fill a patch of a case from one that is `whole`, or hide a part; `rng` draws whether.

    `show` gives the same patch of another case, shifted by so many of its voxels.
    """
    if how.filled and rng.random() < how.filled:
        others = [each for each in whole if each is not case]
        if others:
            other = others[int(rng.integers(len(others)))]
            _fill(patch, show(other, offset(case, other)))
    if how.hidden and rng.random() < how.hidden:
        _hide(patch, rng)
    return patch


def wholest(cases: Sequence[PreparedCase]) -> list[PreparedCase]:
    """Return the cases of which least was left out."""
    shares = np.array([_blank_share(each) for each in cases])
    order = np.argsort(shares, kind="stable")
    return [cases[n] for n in order[: max(1, round(_WHOLE * len(cases)))]]


def _blank_share(case: PreparedCase) -> float:
    return float((case.labels[::4, ::4, ::4] == BLANK).mean())


def offset(case: PreparedCase, other: PreparedCase) -> Float[ndarray, " d"]:
    """From a place in a case to that in another: the median over labels that both have."""
    both = sorted(set(case.places) & set(other.places))
    if not both:
        return (np.array(other.labels.shape) - np.array(case.labels.shape)) / 2
    shifts = [other.places[n].mean(axis=0) - case.places[n].mean(axis=0) for n in both]
    return np.asarray(np.median(shifts, axis=0))


def _fill(patch: Patch, other: Patch) -> None:
    """Put another's voxels where there are none; what is labelled there is unknown here."""
    gaps = (patch.labels == BLANK) & (other.labels != BLANK)
    patch.image[:, gaps] = other.image[:, gaps]
    patch.labels[gaps] = np.where(other.labels[gaps] > 0, UNKNOWN, 0)


def _hide(patch: Patch, rng: np.random.Generator) -> None:
    """Leave out what lies beyond a plane across the first axis, above or below."""
    side = patch.labels.shape[0]
    at = int(rng.integers(side // 4, side - side // 4))
    gone = np.s_[:at] if rng.random() < 0.5 else np.s_[at:]
    darkest = patch.image.min(axis=tuple(range(1, patch.image.ndim)))
    hidden = patch.labels[gone]
    patch.image[:, gone] = darkest.reshape(-1, *[1] * hidden.ndim)
    hidden[hidden > 0] = UNKNOWN
