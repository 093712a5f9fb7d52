"""From a fingerprint to a plan: spacing, scaling, patch and depth for finding objects."""

from dataclasses import dataclass, replace

import numpy as np

from medloop.learning.data.description import Kind
from medloop.learning.detection.fingerprint import Fingerprint
from medloop.learning.segmentation.planning import (
    deepest,
    fitted,
    scaling_in_words,
    target_spacing,
)
from medloop.models.architecture import Architecture, Norm, center_unet
from medloop.models.detection_plan import DetectionPlan
from medloop.models.segmentation_plan import PICTURES, VOLUMES, Intensity

_ACROSS = 8  # voxels along a small object are enough to find it
_WORTH = 1.5  # times coarser, before values are mixed for it
_WIDEST = 128  # channels
_EVERYTHING = 1.0e30
_APART = {2: 0.5, 3: 0.1}  # most overlap of two objects: in space they do not lie in a row


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent: `voxels` of a patch, `width` channels of the finest level."""

    voxels: int = 200_000
    width: int = 16


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is decided beforehand; the fingerprint decides what is left open."""

    spacing: tuple[float, ...] = ()
    patch: tuple[int, ...] = ()
    norm: Norm = Norm.BATCH


def plan_for(
    seen: Fingerprint, budget: Budget | None = None, wanted: Wanted | None = None
) -> DetectionPlan:
    """Plan preprocessing and network for a data set.

    The spacing is the typical one; along an axis where small objects (the 10th percentile)
    span many more than eight voxels, it is what eight of them span.

    Raises
    ------
    ValueError
        If what is wanted has other axes than the data.
    """
    means, asked = budget or Budget(), wanted or Wanted()
    axes = len(seen.shapes[0])
    for name, given in (("spacing", asked.spacing), ("patch", asked.patch)):
        if given and (len(given) != axes or min(given) <= 0):
            raise ValueError(f"{name} {given} does not suit {axes} axes")
    spacing = asked.spacing or _spacing(seen)
    patch, network = fitted(
        asked.patch or _typical_shape(seen, spacing),
        spacing,
        voxels=10**12 if asked.patch else means.voxels,
        network=lambda patch: _network(patch, spacing, seen, means.width, asked.norm),
    )
    return DetectionPlan(
        channels=seen.channels,
        classes=seen.classes,
        spacing=spacing,
        patch=patch,
        intensities=tuple(_intensity(seen, c) for c in range(len(seen.channels))),
        architecture=network,
        size=seen.sizes[1],
        most_overlap=_APART[axes],
        frame=VOLUMES if seen.kind == Kind.SOLID else PICTURES,
    )


def _spacing(seen: Fingerprint) -> tuple[float, ...]:
    typical = target_spacing(seen.spacings)
    small = [round(size / _ACROSS, 4) for size in seen.sizes[0]]
    return tuple(
        coarse if coarse >= _WORTH * step else step
        for step, coarse in zip(typical, small, strict=True)
    )


def _typical_shape(seen: Fingerprint, spacing: tuple[float, ...]) -> tuple[int, ...]:
    """Median shape at the plan's spacing."""
    shapes = np.array(seen.shapes, float) * np.array(seen.spacings) / spacing
    return tuple(max(1, round(float(side))) for side in np.median(shapes, axis=0))


def _network(
    patch: tuple[int, ...],
    spacing: tuple[float, ...],
    seen: Fingerprint,
    width: int,
    norm: Norm,
) -> Architecture:
    def layout(levels: int) -> Architecture:
        return center_unet(
            len(patch),
            len(seen.channels),
            len(seen.classes),
            widths=tuple(min(width * 2**n, max(_WIDEST, width)) for n in range(levels)),
            spacing=spacing,
        )

    return replace(deepest(patch, layout), norm=norm)


def _intensity(seen: Fingerprint, channel: int) -> Intensity:
    values = seen.values[channel]
    if seen.is_ct(channel):
        return Intensity(values.low, values.high, values.mean, values.deviation)
    return Intensity(-_EVERYTHING, _EVERYTHING, 0.0, 1.0, own=True)


def in_words(plan: DetectionPlan) -> tuple[str, ...]:
    """Say what a plan does, a line for each decision."""
    network, by = plan.architecture, " x ".join
    is_flat = plan.frame == PICTURES
    unit = "pixels of the picture (y, x)" if is_flat else "mm (k, j, i)"
    short = "pixels" if is_flat else "mm"
    return (
        f"spacing: {by(f'{s:g}' for s in plan.spacing)} {unit}",
        *scaling_in_words(plan.channels, plan.intensities),
        f"patch: {by(map(str, plan.patch))}, windows overlap by {plan.overlap:.0%}",
        f"network: {network.kind}, {len(network.widths)} levels of"
        f" {', '.join(map(str, network.widths))} channels, {network.norm} norm, an answer for"
        f" each cell of {by(map(str, plan.cell))}",
        f"a typical object is {by(f'{s:.3g}' for s in plan.size)} {short};"
        f" boxes of a class that overlap by over {plan.most_overlap:.0%} are one",
        "classes: " + ", ".join(plan.classes),
    )
