"""From a fingerprint to a plan: spacing, scaling, patch and depth, as nnU-Net decides them.

Rules after Isensee 2021 (doi 10.1038/s41592-020-01008-z), with batch norm, so that weights
quantize, and a patch for the memory and time of a processor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from medloop.learning.segmentation.fingerprint import Fingerprint
from medloop.models.architecture import Architecture, Kind, Norm, unet
from medloop.models.segmentation_plan import PICTURES, VOLUMES, Intensity, SegmentationPlan

_THICK = 3.0  # a spacing this many times the finest is "thick", and its data are the measure
_SMALLEST = 4  # voxels a side of the coarsest level, at least
_LEVELS = 6
_EVERYTHING = 1.0e30


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent.

    `voxels` of a patch; `width` channels of the finest level, twice as many at each coarser one
    up to `widest`.
    """

    voxels: int = 128_000
    width: int = 32
    widest: int = 320


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is decided beforehand; the fingerprint decides what is left open."""

    spacing_mm: tuple[float, ...] = ()
    patch: tuple[int, ...] = ()
    kind: Kind = Kind.UNET
    norm: Norm = Norm.BATCH


def plan_for(
    fingerprint: Fingerprint, budget: Budget | None = None, wanted: Wanted | None = None
) -> SegmentationPlan:
    """Plan preprocessing and network for a data set.

    Raises
    ------
    ValueError
        If what is wanted has other axes than the data, or the network cannot be built so.
    """
    means, asked = budget or Budget(), wanted or Wanted()
    axes, flat = len(fingerprint.shapes[0]), not any(fingerprint.spacings_mm)
    for name, given in (("spacing_mm", asked.spacing_mm), ("patch", asked.patch)):
        if given and (len(given) != axes or min(given) <= 0 or (flat and name != "patch")):
            raise ValueError(f"{name} {given} does not suit {axes} axes")
    spacing = () if flat else asked.spacing_mm or target_spacing(fingerprint.spacings_mm)
    shape = asked.patch or _typical_shape(fingerprint, spacing)
    relative = spacing or (1.0,) * axes
    patch, network = fitted(
        shape,
        relative,
        voxels=10**12 if asked.patch else means.voxels,
        network=lambda patch: _network(patch, relative, fingerprint, means, asked),
    )
    return SegmentationPlan(
        channels=fingerprint.channels,
        classes=fingerprint.classes,
        spacing_mm=spacing,
        patch=patch,
        intensities=tuple(_intensity(fingerprint, c) for c in range(len(fingerprint.channels))),
        architecture=network,
        flips=tuple(range(axes)),
        frame=PICTURES if flat else VOLUMES,
    )


def target_spacing(spacings_mm: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Return the median spacing of each axis; where one is thick, its 10th percentile.

    Interpolating thick slices to the median would blur the few that are thinner.
    """
    table = np.array(spacings_mm)
    spacing = np.median(table, axis=0)
    coarsest = int(spacing.argmax())
    others = np.delete(spacing, coarsest)
    if spacing[coarsest] > _THICK * others.max():
        thinner = float(np.percentile(table[:, coarsest], 10))
        spacing[coarsest] = max(thinner, float(others.max()))
    return tuple(round(float(step), 4) for step in spacing)


def _typical_shape(fingerprint: Fingerprint, spacing: tuple[float, ...]) -> tuple[int, ...]:
    """Median shape at the plan's spacing."""
    shapes = np.array(fingerprint.shapes, float)
    if spacing:
        shapes = shapes * np.array(fingerprint.spacings_mm) / spacing
    return tuple(max(1, round(float(side))) for side in np.median(shapes, axis=0))


def _intensity(fingerprint: Fingerprint, channel: int) -> Intensity:
    seen = fingerprint.values[channel]
    if fingerprint.is_ct(channel):
        return Intensity(seen.low, seen.high, seen.mean, seen.deviation)
    return Intensity(-_EVERYTHING, _EVERYTHING, 0.0, 1.0, own=True)


def fitted(
    shape: tuple[int, ...],
    spacing: tuple[float, ...],
    *,
    voxels: int,
    network: Callable[[tuple[int, ...]], Architecture],
) -> tuple[tuple[int, ...], Architecture]:
    """Shrink a patch from `shape`, longest side in mm first, until it has at most `voxels`.

    `network` lays out the network for a patch, whose sides are then rounded up to suit it.
    """
    patch = list(shape)
    while True:
        made = network(tuple(patch))
        rounded = _rounded(tuple(patch), made.multiple)
        if np.prod(rounded) <= voxels or max(patch) <= 2 * _SMALLEST:
            return rounded, made
        sides = np.where(np.array(patch) > 2 * _SMALLEST, np.array(patch) * spacing, 0)
        longest = int(sides.argmax())
        patch[longest] = max(2 * _SMALLEST, int(patch[longest] * 0.95))


def deepest(patch: tuple[int, ...], layout: Callable[[int], Architecture]) -> Architecture:
    """Take as many levels as leave the coarsest one a few voxels a side.

    Raises
    ------
    ValueError
        If not even two levels can be laid out.
    """
    chosen: Architecture | None = None
    for levels in range(2, _LEVELS + 1):
        made = layout(levels)
        sides = [p / m for p, m in zip(patch, made.multiple, strict=True) if m > 1]
        if chosen is not None and (not sides or min(sides) < _SMALLEST):
            break
        chosen = made
    if chosen is None:
        raise ValueError(f"no network for patch {patch}")
    return chosen


def _network(
    patch: tuple[int, ...],
    spacing: tuple[float, ...],
    seen: Fingerprint,
    means: Budget,
    asked: Wanted,
) -> Architecture:
    def layout(levels: int) -> Architecture:
        return unet(
            len(patch),
            len(seen.channels),
            len(seen.classes) + 1,
            widths=tuple(min(means.width * 2**n, means.widest) for n in range(levels)),
            spacing=spacing,
            kind=asked.kind,
        )

    made = deepest(patch, layout)
    supervised = max(0, min(len(made.widths) - 2, 3))
    return replace(made, deep_supervision=supervised, norm=asked.norm)


def _rounded(patch: tuple[int, ...], multiple: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-(-side // m) * m for side, m in zip(patch, multiple, strict=True))


def in_words(plan: SegmentationPlan) -> tuple[str, ...]:
    """Say what a plan does, a line for each decision."""
    network = plan.architecture
    by = " x ".join
    lines = []
    if plan.spacing_mm:
        lines.append(f"spacing: {by(f'{s:g}' for s in plan.spacing_mm)} mm (k, j, i)")
    lines += scaling_in_words(plan.channels, plan.intensities)
    lines.append(f"patch: {by(map(str, plan.patch))}, windows overlap by {plan.overlap:.0%}")
    lines.append(
        f"network: {network.kind}, {len(network.widths)} levels of"
        f" {', '.join(map(str, network.widths))} channels, {network.norm} norm,"
        f" {network.deep_supervision} levels supervised beside the finest"
    )
    lines.append(
        "classes: " + ", ".join(f"{n} {c}" for n, c in enumerate(plan.classes, start=1))
    )
    return tuple(lines)


def scaling_in_words(channels: Sequence[str], intensities: Sequence[Intensity]) -> list[str]:
    """Say how each channel is scaled."""
    lines = []
    for name, how in zip(channels, intensities, strict=True):
        scheme = (
            "each image by its own mean and deviation"
            if how.own
            else f"clipped to {how.low:g} ... {how.high:g}, mean {how.mean:.4g},"
            f" deviation {how.deviation:.4g}"
        )
        lines.append(f"channel {name}: {scheme}")
    return lines
