"""The shape of a nodule and its border: spikes, lobes, sharpness, pleura."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from medloop.imaging.nodule_outline import Outline
from medloop.imaging.nodule_region import convexity, sphericity
from medloop.imaging.nodule_size import BLUR_MM

_OUTSIDE_MM = (1.5, 2.5)
_STRAND = 0.3  # share of the contrast
_AT_WALL_MM = 1.0
_TEN_TO_NINETY = 2.563  # of a Gaussian edge, in sigmas


@dataclass(frozen=True, slots=True)
class Margin:
    """The border and shape of a nodule.

    Attributes
    ----------
    sphericity
        Surface of a ball of the same volume over the surface, 1 for a ball (Wadell 1935).
    convexity
        Volume over the volume of the convex hull; lobes and notches lower it.
    spiculation
        Share of a shell 2 mm outside, 0 to 1, in which strands run: what is denser than 30 % of
        the contrast, the wall left out.
    strands
        How many separate strands cross that shell; a vessel through a nodule makes two.
    edge_mm
        Median width of the border from 10 to 90 % of the contrast, in the axial plane. A sharp
        border looks 1.4 to 2.2 mm wide through usual kernels and pixels.
    wall_share
        Share of the surface that lies at the lung's wall.
    wall_mm
        Distance to the wall in the axial plane; 0 if the nodule touches it.
    """

    sphericity: float
    convexity: float
    spiculation: float
    strands: int
    edge_mm: float
    wall_share: float
    wall_mm: float

    @property
    def is_juxtapleural(self) -> bool:
        """Whether it touches the wall with more than a point."""
        return self.wall_mm == 0 and self.wall_share >= 0.03

    @property
    def is_smooth(self) -> bool:
        """Whether the border is smooth and the shape oval, lentiform or triangular.

        Solid nodules so shaped at a fissure or the pleura are mostly lymph nodes (de Hoop 2012;
        Lung-RADS v2022, note 8).
        """
        return self.convexity >= 0.88 and self.spiculation < 0.12 and self.strands <= 3

    @property
    def is_spiculated(self) -> bool:
        """Whether strands leave it: three or more on 15 % of the shell, or eight.

        Vessels are strands as well; one or two run to many nodules. A hint, not a finding.
        """
        return self.strands >= (3 if self.spiculation >= 0.15 else 8)


def describe_margin(nodule: Outline) -> Margin:
    """Measure shape and border on the cube around the nodule."""
    step_mm = nodule.frame.step_mm
    inside = nodule.inside
    spiculation, strands = _strands(nodule)
    wall_share, wall_mm = _wall(nodule)
    return Margin(
        sphericity=sphericity(inside),
        convexity=convexity(inside),
        spiculation=spiculation,
        strands=strands,
        edge_mm=_edge_mm(nodule) if inside.sum() * step_mm**3 > 5 else BLUR_MM * _TEN_TO_NINETY,
        wall_share=wall_share,
        wall_mm=wall_mm,
    )


def _strands(nodule: Outline) -> tuple[float, int]:
    """Find the share of the shell outside that is dense, and its separate pieces."""
    step_mm, levels = nodule.frame.step_mm, nodule.levels
    away_mm = ndimage.distance_transform_edt(~nodule.inside) * step_mm - step_mm / 2
    is_shell = (away_mm > _OUTSIDE_MM[0]) & (away_mm < _OUTSIDE_MM[1])
    is_shell &= nodule.depth_mm > 2 * _AT_WALL_MM
    if not is_shell.any():
        return 0.0, 0
    level_hu = levels.lung_hu + _STRAND * (levels.nodule_hu - levels.lung_hu)
    dense = is_shell & (nodule.even_hu > level_hu)
    parts, count = ndimage.label(dense, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    least = 1.5 / step_mm**3  # a strand of 1.4 mm through a shell 1 mm thick
    return float(dense.sum() / is_shell.sum()), int((sizes >= least).sum())


def _edge_mm(nodule: Outline) -> float:
    """Divide the contrast by the slope where the border crosses the axial plane."""
    step_mm, levels = nodule.frame.step_mm, nodule.levels
    border = nodule.inside ^ ndimage.binary_erosion(nodule.inside)
    border &= nodule.depth_mm > 2 * _AT_WALL_MM
    down, slope_j, slope_i = np.gradient(nodule.even_hu, step_mm)
    slope = np.hypot(slope_j, slope_i)
    slope = ndimage.maximum_filter(slope, 3)  # steepest on the border, not beside it
    upright = border & (slope > 2 * np.abs(down))
    chosen = upright if upright.sum() >= 10 else border
    if not chosen.any():
        return BLUR_MM * _TEN_TO_NINETY
    contrast_hu = levels.nodule_hu - levels.lung_hu
    sigma_mm = contrast_hu / (np.sqrt(2 * np.pi) * max(float(np.median(slope[chosen])), 1.0))
    variance = max(sigma_mm**2 - nodule.smoothing_mm**2, 0.01)
    return float(_TEN_TO_NINETY * np.sqrt(variance))


def _wall(nodule: Outline) -> tuple[float, float]:
    border = nodule.inside & ~ndimage.binary_erosion(nodule.inside)
    depth_mm = nodule.depth_mm[border]
    if not len(depth_mm):
        return 0.0, float("inf")
    nearest_mm = float(depth_mm.min())
    share = float((depth_mm < _AT_WALL_MM).mean())
    return share, 0.0 if nearest_mm < _AT_WALL_MM else nearest_mm
