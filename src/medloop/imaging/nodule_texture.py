"""What a nodule consists of: solid and ground glass, calcium, fat."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage

from medloop.imaging.nodule_outline import SOLID_HU, Outline
from medloop.imaging.nodule_size import measure_solid

Kind = Literal["solid", "part-solid", "non-solid"]
Calcium = Literal["none", "diffuse", "central", "eccentric"]

CALCIUM_HU = 200.0
FAT_HU = (-120.0, -40.0)
_RIM_MM = 1.0  # where blur mixes nodule and lung
_SOLID_SHARE = 0.8  # of what is not rim: all solid
_LEAST_SOLID_SHARE = 0.05
_LEAST_SOLID_MM = 2.0
_SMALL_MM3 = 113.0  # a ball of 6 mm
_SMALL_SOLID_HU = -450.0
_LEAST_CALCIUM_SHARE = 0.1
_DIFFUSE_SHARE = 0.6
_FAT_RIM_MM = 2.0
_AROUND_FAT_HU = -20.0  # of a nodule that fat stands out from
_SMOOTH_MM = 0.7


@dataclass(frozen=True, slots=True)
class Content:
    """What a nodule consists of.

    Attributes
    ----------
    kind
        Solid, part-solid or non-solid (pure ground glass).
    solid_share
        Share of its inner volume above `SOLID_HU`, 0 to 1.
    mean_hu
        Mean density without the rim.
    calcium_share, calcium
        Share of its inner volume above `CALCIUM_HU`, and where that lies.
    fat_share
        Share between -120 and -40 HU, 2 mm or more under the surface; 0 unless the rest is
        denser: a nodule of one such density may as well be air and tissue mixed.
    """

    kind: Kind
    solid_share: float
    mean_hu: float
    calcium_share: float
    calcium: Calcium
    fat_share: float


def describe_content(nodule: Outline) -> Content:
    """Tell solid from ground glass, and find calcium and fat.

    The rim of 1 mm is left out, of small nodules the outer half: blur and thick slices mix it
    with lung. Ground glass ends at -300 HU (Scholten 2015). Calcium is above 200 HU, and fat
    between -120 and -40 HU, as in hamartomas (Siegelman 1986). Calcium of 2 mm and less in
    slices of 2.5 mm stays below 200 HU and is missed.
    """
    deep_mm = ndimage.distance_transform_edt(nodule.inside) * nodule.frame.step_mm
    inner = deep_mm > min(_RIM_MM, deep_mm.max() / 2)
    hu = nodule.hu
    if nodule.smoothing_mm:
        hu = ndimage.gaussian_filter(hu, _SMOOTH_MM / nodule.frame.step_mm, truncate=2.5)
    values = hu[inner]
    solid_share = float((values > SOLID_HU).mean())
    kind = _kind(nodule, solid_share)
    may_hold_fat = kind == "solid" and float(np.quantile(values, 0.75)) > _AROUND_FAT_HU
    calcium_share = float((values > CALCIUM_HU).mean())
    return Content(
        kind=kind,
        solid_share=solid_share,
        mean_hu=float(values.mean()),
        calcium_share=calcium_share,
        calcium=_calcium(hu > CALCIUM_HU, inner, deep_mm),
        fat_share=_fat_share(hu, deep_mm) if may_hold_fat else 0.0,
    )


def _kind(nodule: Outline, solid_share: float) -> Kind:
    """Decide by the share, and by whether a solid part is large enough to be measured.

    A nodule under 6 mm has no room for both, and looks less dense than it is: halfway between
    usual ground glass (-600 HU) and -300 HU decides.
    """
    if solid_share >= _SOLID_SHARE:
        return "solid"
    has_halo = nodule.levels.nodule_hu < nodule.levels.core_hu
    volume_mm3 = nodule.inside.sum() * nodule.frame.step_mm**3
    darkest_hu = _SMALL_SOLID_HU if volume_mm3 < _SMALL_MM3 else SOLID_HU
    if not has_halo and nodule.levels.nodule_hu > darkest_hu:
        return "solid"
    solid = measure_solid(nodule)
    if solid is None or solid_share < _LEAST_SOLID_SHARE or solid.mean_mm < _LEAST_SOLID_MM:
        return "non-solid"
    return "part-solid"


def _calcium(
    is_dense: Bool[ndarray, "n n n"],
    inner: Bool[ndarray, "n n n"],
    deep_mm: Float[ndarray, "n n n"],
) -> Calcium:
    """Say where calcium lies: all through, around the middle with a free rim, or aside."""
    dense = is_dense & inner
    share = dense.sum() / inner.sum()
    if share < _LEAST_CALCIUM_SHARE:
        return "none"
    if share >= _DIFFUSE_SHARE:
        return "diffuse"
    middle = deep_mm > 0.7 * deep_mm.max()
    aside = np.linalg.norm(np.argwhere(dense).mean(0) - np.argwhere(inner).mean(0))
    radius = np.cbrt(inner.sum() * 3 / (4 * np.pi))
    return "central" if is_dense[middle].mean() > 0.7 and aside < 0.25 * radius else "eccentric"


def _fat_share(hu: Float[ndarray, "n n n"], deep_mm: Float[ndarray, "n n n"]) -> float:
    """Give the share of fat well under the surface, single voxels left out."""
    inner = deep_mm > _FAT_RIM_MM
    if inner.sum() < 30:
        return 0.0
    is_fat = ndimage.binary_opening((hu > FAT_HU[0]) & (hu < FAT_HU[1]) & inner)
    return float(is_fat.sum() / inner.sum())
