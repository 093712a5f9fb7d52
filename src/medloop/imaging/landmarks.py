"""Landmarks of the retina: disc, fovea, and which eye it is."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from medloop.imaging.disc import Disc, disc_from_map, find_disc
from medloop.imaging.fundus import blur
from medloop.imaging.vessels import View

FOVEA_DISTANCE = 0.77  # field radii from the disc, about 2.5 disc diameters
FOVEA_DROP = 0.08  # field radii below the disc's center
_SPREAD = 0.13


@dataclass(frozen=True, slots=True)
class Fovea:
    """The center of the macula; `confidence` tells a seen spot from one placed by anatomy."""

    center_px: tuple[float, float]
    confidence: float


@dataclass(frozen=True, slots=True)
class Landmarks:
    """What orients a fundus photograph; `laterality` is "R", "L" or empty when undecided."""

    disc: Disc
    fovea: Fovea | None
    laterality: str


def find_landmarks(view: View, *, disc_map: Float[ndarray, "y x"] | None = None) -> Landmarks:
    """Find disc, fovea and side; a `disc_map` that is sure takes precedence over the search.

    `disc_map` is a network's probability of disc on the pixels of the picture.
    """
    disc = None
    if disc_map is not None:
        radius = view.field.radius_px / view.factor
        disc = disc_from_map(disc_map, field_radius_px=radius)
    disc = disc or find_disc(view)
    fovea = find_fovea(view, disc)
    return Landmarks(disc, fovea, _side(disc, fovea))


def find_fovea(view: View, disc: Disc) -> Fovea | None:
    """Find the darkest spot without vessels where anatomy puts the fovea.

    2.5 disc diameters from the disc, toward the side that shows more retina, a little below the
    disc's center; both sides are tried when the disc is in the middle. None if the
    place is outside the visible field.
    """
    radius = view.field.radius_px
    cx, cy = view.to_view(*disc.center_px)
    dark = _darkness(view)
    mask = view.field.mask(dark.shape, shrink=0.93)
    y, x = np.mgrid[: dark.shape[0], : dark.shape[1]].astype(np.float32)
    offset = (cx - view.field.center_px[0]) / radius
    sides = [-1, 1] if abs(offset) < 0.25 else [-1 if offset > 0 else 1]
    best: tuple[float, float, float, float] | None = None
    for side in sides:
        ex = cx + side * FOVEA_DISTANCE * radius
        ey = cy + FOVEA_DROP * radius
        far = ((x - ex) ** 2 + (y - ey) ** 2) / (_SPREAD * radius) ** 2
        score = np.where(mask & (far < 7), dark - 0.35 * far, -np.inf)
        j, i = np.unravel_index(int(np.argmax(score)), score.shape)
        if np.isfinite(score[j, i]) and (best is None or score[j, i] > best[0]):
            best = (float(score[j, i]), float(i), float(j), float(dark[j, i]))
    if best is None:
        return None
    confidence = float(np.clip((best[3] - 0.5) / 2.0, 0, 1))
    return Fovea(view.to_picture(best[1], best[2]), confidence)


def _darkness(view: View) -> Float[ndarray, "y x"]:
    """Dark spot of the fovea's size without vessels, in standard deviations of the field."""
    radius = view.field.radius_px
    mask = view.field.mask(view.light.shape, shrink=0.95)
    light = np.where(mask, view.light, np.median(view.light[mask]))
    around = blur(light, sigma_px=0.25 * radius)
    light = np.minimum(light, around)  # exudates must not make the retina beside them a spot
    spot = blur(light, sigma_px=0.25 * radius) - blur(light, sigma_px=0.045 * radius)
    spread = max(float(spot[mask].std()), 0.01)
    crossed = blur(view.vessels, sigma_px=0.06 * radius)
    return np.asarray(spot / spread - 3.0 * crossed, np.float32)


def _side(disc: Disc, fovea: Fovea | None) -> str:
    """Tell the eye: the disc lies nasal of the fovea, so right of it in a right eye."""
    if fovea is None or disc.confidence < 0.15:
        return ""
    return "R" if disc.center_px[0] > fovea.center_px[0] else "L"
