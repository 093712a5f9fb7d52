"""How images become the input of a network that segments, and its output labels."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from medloop.core.errors import InputError
from medloop.models.architecture import Architecture, architecture_from
from medloop.models.plan import Task

VOLUMES, PICTURES = "lps/kji", "picture/pixels"  # the coordinate frames this version knows


@dataclass(frozen=True, slots=True)
class Intensity:
    """Scaling of one channel: clip to `low` ... `high`, then (value - `mean`) / `deviation`.

    Where `own` is set, each image's own mean and standard deviation are taken instead, for
    channels whose unit means nothing (MR). Of images over a quarter of which is 0, as where the
    surroundings were cut away, only the rest counts.
    """

    low: float
    high: float
    mean: float
    deviation: float
    own: bool = False


@dataclass(frozen=True, slots=True)
class SegmentationPlan:
    """The one description of preprocessing: written by training, read by inference.

    Attributes
    ----------
    frame
        ``"lps/kji"``: volumes whose axes are turned toward superior, posterior and left.
        ``"picture/pixels"``: pictures as they are. The loader refuses any other.
    channels, classes
        Names, in order. The labels are 1 for the first class, 2 for the next; 0 is background.
    spacing_mm
        Of the network's input along k, j, i; empty for pictures, which keep their pixels.
    patch
        Size of a window; images that are smaller are padded.
    intensities
        One a channel.
    architecture
        Of the network, for whoever trains on.
    overlap
        Of neighboring windows, as a share of their side.
    flips
        Axes of the input (0 is the first) along which a mirrored image is answered too; the
        answer is the mean over all combinations.
    exchanged
        Pairs of labels that are each other's mirror image, such as a right and a left organ.
    spread
        Windows lie evenly; otherwise a fixed step apart, the last one at the end, as MONAI's.
    skip_air
        Windows of air, or background, are background without asking the network: at most one
        voxel in a thousand is brighter than `low` + 5 % of `high` - `low` in any channel; of
        a channel with its `own` mean, than a fifth of the way from its darkest value to that.
    """

    channels: tuple[str, ...]
    classes: tuple[str, ...]
    spacing_mm: tuple[float, ...]
    patch: tuple[int, ...]
    intensities: tuple[Intensity, ...]
    architecture: Architecture
    overlap: float = 0.5
    flips: tuple[int, ...] = ()
    exchanged: tuple[tuple[int, int], ...] = ()
    spread: bool = True
    skip_air: bool = False
    frame: str = VOLUMES
    task: Task = Task.SEGMENTATION

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def order_mirrored(plan: SegmentationPlan) -> tuple[int, ...]:
    """Which label, 0 to the last, each label has in a mirror image."""
    order = list(range(len(plan.classes) + 1))
    for a, b in plan.exchanged:
        order[a], order[b] = b, a
    return tuple(order)


def segmentation_plan_from(raw: Mapping[str, Any]) -> SegmentationPlan:
    """Read what `SegmentationPlan.to_json` wrote, parsed.

    Raises
    ------
    InputError
        If it is no plan, or declares a coordinate frame this version does not know.
    """
    try:
        plan = SegmentationPlan(
            channels=tuple(str(name) for name in raw["channels"]),
            classes=tuple(str(name) for name in raw["classes"]),
            spacing_mm=tuple(float(step) for step in raw["spacing_mm"]),
            patch=tuple(int(side) for side in raw["patch"]),
            intensities=tuple(Intensity(**each) for each in raw["intensities"]),
            architecture=architecture_from(raw["architecture"]),
            overlap=float(raw["overlap"]),
            flips=tuple(int(axis) for axis in raw["flips"]),
            exchanged=tuple((int(a), int(b)) for a, b in raw.get("exchanged", ())),
            spread=bool(raw.get("spread", True)),
            skip_air=bool(raw.get("skip_air", False)),
            frame=str(raw["frame"]),
        )
    except (KeyError, TypeError, ValueError) as why:
        raise InputError(f"plan.json is not a plan: {type(why).__name__} {why}") from why
    if plan.frame not in (VOLUMES, PICTURES):
        raise InputError(f"plan.json has frame {plan.frame!r}, known: {VOLUMES}, {PICTURES}")
    axes = 3 if plan.frame == VOLUMES else 2
    if len(plan.patch) != axes or len(plan.spacing_mm) != (axes if axes == 3 else 0):
        raise InputError(f"plan.json is for {axes} axes, its patch has {len(plan.patch)}")
    labels = [label for pair in plan.exchanged for label in pair]
    known = set(range(1, len(plan.classes) + 1))
    if len(set(labels)) < len(labels) or not set(labels) <= known:
        raise InputError(f"plan.json exchanges labels {labels} of {len(plan.classes)}")
    if len(plan.intensities) != len(plan.channels):
        raise InputError(
            f"plan.json scales {len(plan.intensities)} of {len(plan.channels)} channels"
        )
    return plan
