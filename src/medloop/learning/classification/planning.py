"""From a fingerprint to a plan: input size, scaling and network.

Small pictures are enlarged for a network with ImageNet weights, which learns more from a few
hundred of them than any network from nothing; other images meet a ResNet-18 without weights.
"""

from dataclasses import dataclass, replace

from medloop.learning.classification.fingerprint import Fingerprint, Values
from medloop.learning.data.description import Kind as Axes
from medloop.models.architecture import Architecture, Kind, densenet, resnet, vit
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.segmentation_plan import PICTURES, VOLUMES, Intensity

_EVERYTHING = 1.0e30
_AIR_HU = -500.0  # tissue of MR is never below this; the air around a patient in CT is
_SMALL = 96  # sides up to here are not halved twice by the stem
_LARGEST = {2: 224, 3: 64}  # voxels a side, by dims
_LITE_STEP = 32
_PATCHES = 8  # a ViT's, along each side
_SHOWN, _LONGEST, _SHORTEST = 12_000, 40, 4  # images a training shows; epochs
IMAGENET = Intensity(0.0, 255.0, 127.0, 128.0)  # of EfficientNet-Lite's published weights


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is decided beforehand; the fingerprint decides what is left open."""

    size: tuple[int, ...] = ()
    kind: Kind | None = None
    variant: str = "lite0"
    dropout: float = 0.2
    ordinal: bool = False
    flips: tuple[int, ...] | None = None


def plan_for(
    seen: Fingerprint, wanted: Wanted | None = None, *, enlarged: int = 128
) -> ClassificationPlan:
    """Plan preprocessing and network for a data set.

    Pictures smaller than `enlarged` pixels are enlarged to it, for an EfficientNet-Lite.

    Raises
    ------
    ValueError
        If what is wanted has other axes than the data, or the network cannot be built so.
    """
    asked = wanted or Wanted()
    dims = len(seen.typical_shape)
    if asked.size and (len(asked.size) != dims or min(asked.size) < 1):
        raise ValueError(f"size {asked.size} does not suit {dims} axes")
    if len(seen.classes) < 2:
        raise ValueError(f"{len(seen.classes)} class: there is nothing to tell apart")
    fits_lite = dims == 2 and len(seen.channels) in (1, 3)
    kind = asked.kind or (Kind.EFFICIENTNET_LITE if fits_lite else Kind.RESNET)
    size = asked.size or _size(seen.typical_shape, kind, enlarged)
    count = len(seen.classes) - (1 if asked.ordinal else 0)
    network = _network(kind, size, len(seen.channels), count, asked)
    if any(side % m for side, m in zip(size, network.multiple, strict=True)):
        raise ValueError(f"size {size} is no multiple of {network.multiple}")
    flips = (dims - 1,) if asked.flips is None else asked.flips
    if any(not 0 <= axis < dims for axis in flips):
        raise ValueError(f"flips {flips} beyond {dims} axes")
    return ClassificationPlan(
        channels=seen.channels,
        classes=seen.classes,
        size=size,
        intensities=tuple(_intensity(seen, c, kind) for c in range(len(seen.channels))),
        architecture=network,
        ordinal=asked.ordinal,
        flips=flips,
        frame=VOLUMES if seen.kind == Axes.SOLID else PICTURES,
    )


def epochs_for(cases: int) -> int:
    """Epochs in which a network sees about as many images whatever the size of the data."""
    return min(max(round(_SHOWN / max(cases, 1)), _SHORTEST), _LONGEST)


def _size(shape: tuple[int, ...], kind: Kind, enlarged: int) -> tuple[int, ...]:
    """Keep the typical proportions within limits, each side a multiple of the network's."""
    longest = max(shape)
    goal = min(longest, _LARGEST[len(shape)])
    if kind is Kind.EFFICIENTNET_LITE:
        goal = max(goal, enlarged)
    step = _LITE_STEP if kind is Kind.EFFICIENTNET_LITE else 1
    step = _PATCHES if kind is Kind.VIT else step
    return tuple(max(step, round(side * goal / longest / step) * step) for side in shape)


def _network(
    kind: Kind, size: tuple[int, ...], channels: int, classes: int, asked: Wanted
) -> Architecture:
    dims, small = len(size), max(size) <= _SMALL
    if kind is Kind.EFFICIENTNET_LITE:
        return Architecture(
            kind, dims, channels, classes, variant=asked.variant, dropout=asked.dropout
        )
    if kind is Kind.RESNET:
        made = resnet(18, dims, channels, classes, small=small)
    elif kind is Kind.DENSENET:
        made = densenet(dims, channels, classes, small=small)
    elif kind is Kind.VIT:
        patch = tuple(max(1, side // _PATCHES) for side in size)
        made = vit(channels, classes, size=size, patch=patch)
    else:
        raise ValueError(f"{kind} is no network that classifies")
    return replace(made, dropout=asked.dropout)


def _intensity(seen: Fingerprint, channel: int, kind: Kind) -> Intensity:
    """Scale bytes as ImageNet's were; Hounsfield units by what was seen; others each alone."""
    values: Values = seen.values[channel]
    if seen.bytes and kind is Kind.EFFICIENTNET_LITE:
        return IMAGENET
    if seen.bytes:
        return Intensity(0.0, 255.0, values.mean, values.deviation)
    if seen.channels[channel].strip().upper() == "CT" or values.darkest <= _AIR_HU:
        return Intensity(values.low, values.high, values.mean, values.deviation)
    return Intensity(-_EVERYTHING, _EVERYTHING, 0.0, 1.0, own=True)


def in_words(plan: ClassificationPlan) -> tuple[str, ...]:
    """Say what a plan does, a line for each decision."""
    network, by = plan.architecture, " x ".join
    lines = [f"input: the whole image at {by(map(str, plan.size))} voxels"]
    for name, how in zip(plan.channels, plan.intensities, strict=True):
        scheme = (
            "each image by its own mean and deviation"
            if how.own
            else f"clipped to {how.low:g} ... {how.high:g}, mean {how.mean:.4g},"
            f" deviation {how.deviation:.4g}"
        )
        lines.append(f"channel {name}: {scheme}")
    weights = "ImageNet" if network.kind is Kind.EFFICIENTNET_LITE else "random"
    name = " ".join(part for part in (network.kind, network.variant) if part)
    lines.append(f"network: {name}, from {weights} weights")
    order = "grades in this order" if plan.ordinal else "classes without order"
    numbered = [(str(n), name) for n, name in enumerate(plan.classes)]
    names = ", ".join(n if n == name else f"{n} {name}" for n, name in numbered)
    lines.append(f"{order}: {names}")
    return tuple(lines)
