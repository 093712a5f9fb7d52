"""From a place in a chest CT to a measured nodule, as the rules see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray

from medloop.clinical.lung.nodule import Axes, Nodule, Place, Texture
from medloop.imaging.fissures import Fissure
from medloop.imaging.lobes import LobeAt, Lobes
from medloop.imaging.nodule_margin import Margin, describe_margin
from medloop.imaging.nodule_outline import Outline, outline
from medloop.imaging.nodule_size import Size, measure, measure_solid
from medloop.imaging.nodule_texture import Content, describe_content
from medloop.models.nodule_plan import Suspicion

_REACH_MM: Final = (32.0, 60.0)  # of the crop around a place: first, and if that is too small
_FAT_SHARE: Final = 0.1
_AT_FISSURE_MM: Final = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Part of an upright volume around a place: densities, lung, and where it starts."""

    hu: Float[ndarray, "k j i"]
    lung: Bool[ndarray, "k j i"]
    start: tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A nodule's outline, from `start` of the volume on, and everything measured of it."""

    start: tuple[int, int, int]
    mask: Bool[ndarray, "k j i"]
    size: Size
    solid: Size | None
    content: Content
    margin: Margin

    def holds(self, index: Float[ndarray, " 3"]) -> bool:
        """Whether a place of the volume ([k, j, i]) lies in the outline."""
        at = np.rint(index).astype(int) - self.start
        inside = ((at >= 0) & (at < self.mask.shape)).all()
        return bool(inside and self.mask[tuple(at)])

    @property
    def is_benign(self) -> bool:
        """Whether calcium or fat in it speaks for a granuloma or hamartoma.

        Calcified all through or in the middle, or with fat (Lung-RADS v2022; Gould 2013).
        """
        return self.content.calcium in ("diffuse", "central") or (
            self.content.fat_share >= _FAT_SHARE
        )

    @property
    def is_spiculated(self) -> bool:
        """Whether strands run out of it all around."""
        return self.margin.is_spiculated

    def suspicion(self, model: Suspicion) -> float | None:
        """Return the probability that readers would suspect malignancy; None if unknown."""
        if not model.is_known:
            return None
        return model.probability(
            self.size.mean_mm,
            is_non_solid=self.content.kind == "non-solid",
            is_part_solid=self.content.kind == "part-solid",
            is_calcified=self.content.calcium != "none",
        )


def measure_at(
    hu: Shaped[ndarray, "k j i"],
    lungs: Shaped[ndarray, "k j i"],
    spacing_mm: tuple[float, float, float],
    center: Float[ndarray, " 3"],
) -> Measured | None:
    """Outline and measure the nodule at a place of an upright volume; None if there is none."""
    found: Outline | None = None
    region = None
    for reach_mm in _REACH_MM:
        region = cut_region(hu, lungs, spacing_mm, center, reach_mm)
        place = np.rint(center).astype(int) - region.start
        seed = tuple(int(n) for n in np.clip(place, 0, np.array(region.hu.shape) - 1))
        found = outline(region.hu, spacing_mm, (seed[0], seed[1], seed[2]), lung=region.lung)
        if found is None or not found.touches_edge:
            break
    if found is None or region is None or not found.mask.any():
        return None
    return Measured(
        start=region.start,
        mask=found.mask,
        size=measure(found),
        solid=measure_solid(found),
        content=describe_content(found),
        margin=describe_margin(found),
    )


def cut_region(
    hu: Shaped[ndarray, "k j i"],
    lungs: Shaped[ndarray, "k j i"],
    spacing_mm: Sequence[float],
    center: Float[ndarray, " 3"],
    reach_mm: float,
) -> Region:
    """Cut out what lies within a distance along each axis."""
    reach = np.ceil(reach_mm / np.array(spacing_mm)).astype(int)
    middle = np.rint(center).astype(int)
    low = np.clip(middle - reach, 0, np.array(hu.shape) - 1)
    high = np.clip(middle + reach + 1, low + 1, hu.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    start = (int(low[0]), int(low[1]), int(low[2]))
    return Region(hu[box].astype(np.float32), lungs[box] > 0, start)


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A nodule of the report: what was measured, where it is, and how sure that is."""

    measured: Measured
    center: tuple[float, float, float]  # [k, j, i] of the upright volume
    center_lps_mm: tuple[float, float, float]
    probability: float
    lobe: LobeAt | None
    is_perifissural: bool = False  # at a fissure that is seen

    def nodule(self) -> Nodule:
        """Return it as the rules see it; a study before is not known."""
        measured = self.measured
        texture = Texture(measured.content.kind)
        has_solid_part = texture is Texture.PART_SOLID
        solid = measured.solid or measured.size
        at_pleura = measured.margin.is_juxtapleural or self.is_perifissural
        return Nodule(
            texture=texture,
            size=_axes(measured.size),
            solid=_axes(solid) if has_solid_part else None,
            place=Place.JUXTAPLEURAL if at_pleura else Place.PARENCHYMA,
            is_benign=measured.is_benign,
            is_smooth=measured.margin.is_smooth,
            is_suspicious=measured.is_spiculated,
        )


def at_fissure(points_lps_mm: Float[ndarray, "n 3"], lobes: Lobes) -> bool:
    """Whether voxels of a nodule come within 2 mm of a fissure that the scan shows.

    Typical perifissural nodules are lymph nodes (de Hoop 2012).
    """
    fissures = [*lobes.oblique.values(), *([lobes.horizontal] if lobes.horizontal else [])]
    seen = [each for each in fissures if each.is_seen]
    return any(
        bool((np.abs(each.above_mm(points_lps_mm)) <= _AT_FISSURE_MM).any())
        and _same_side(each, points_lps_mm)
        for each in seen
    )


def _same_side(fissure: Fissure, points_lps_mm: Float[ndarray, "n 3"]) -> bool:
    """Whether a fissure is of the lung that the nodule is in: x rises to the left."""
    middle_x = float(fissure.start[0] + fissure.across[0] * fissure.span_mm[0].mean())
    return (middle_x > 0) == (float(points_lps_mm[:, 0].mean()) > 0)


def _axes(size: Size) -> Axes:
    """To a tenth of a millimeter."""
    long_mm = round(size.long_mm, 1)
    return Axes(long_mm, min(round(size.short_mm, 1), long_mm))
