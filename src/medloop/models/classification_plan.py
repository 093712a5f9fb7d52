"""How images become the input of a network that classifies, and its logits a class."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from medloop.core.errors import InputError
from medloop.models.architecture import Architecture, architecture_from
from medloop.models.plan import Task
from medloop.models.segmentation_plan import PICTURES, VOLUMES, Intensity


@dataclass(frozen=True, slots=True)
class ClassificationPlan:
    """The one description of preprocessing: written by training, read by inference.

    Attributes
    ----------
    frame
        ``"lps/kji"`` or ``"picture/pixels"``, as in a `SegmentationPlan`.
    channels, classes
        Names, in order; class 0 is the first.
    size
        Voxels of the network's input: the whole image is enlarged or reduced to it.
    intensities
        One a channel.
    architecture
        Of the network, for whoever trains on.
    ordinal
        Whether classes are grades: the network then has a logit for each step, P(class > k),
        instead of one for each class.
    temperature
        Divides the logits before they become probabilities (Guo 2017).
    flips
        Axes of the input (0 is the first) along which a mirrored image is answered too; logits
        are averaged over all combinations.
    """

    channels: tuple[str, ...]
    classes: tuple[str, ...]
    size: tuple[int, ...]
    intensities: tuple[Intensity, ...]
    architecture: Architecture
    ordinal: bool = False
    temperature: float = 1.0
    flips: tuple[int, ...] = ()
    frame: str = PICTURES
    task: Task = Task.CLASSIFICATION

    @property
    def logits(self) -> int:
        """How many numbers the network answers."""
        return len(self.classes) - 1 if self.ordinal else len(self.classes)

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def classification_plan_from(raw: Mapping[str, Any]) -> ClassificationPlan:
    """Read what `ClassificationPlan.to_json` wrote, parsed.

    Raises
    ------
    InputError
        If it is no plan, or declares a coordinate frame this version does not know.
    """
    try:
        plan = ClassificationPlan(
            channels=tuple(str(name) for name in raw["channels"]),
            classes=tuple(str(name) for name in raw["classes"]),
            size=tuple(int(side) for side in raw["size"]),
            intensities=tuple(Intensity(**each) for each in raw["intensities"]),
            architecture=architecture_from(raw["architecture"]),
            ordinal=bool(raw["ordinal"]),
            temperature=float(raw["temperature"]),
            flips=tuple(int(axis) for axis in raw["flips"]),
            frame=str(raw["frame"]),
        )
    except (KeyError, TypeError, ValueError) as why:
        raise InputError(f"plan.json is not a plan: {type(why).__name__} {why}") from why
    if wrong := _wrong(plan):
        raise InputError(f"plan.json {wrong}")
    return plan


def _wrong(plan: ClassificationPlan) -> str:
    """Say in what a plan contradicts itself, or nothing."""
    if plan.frame not in (VOLUMES, PICTURES):
        return f"has frame {plan.frame!r}, known: {VOLUMES}, {PICTURES}"
    axes = 3 if plan.frame == VOLUMES else 2
    if len(plan.size) != axes or any(not 0 <= axis < axes for axis in plan.flips):
        return f"is for {axes} axes, its size has {len(plan.size)}, it flips {plan.flips}"
    if len(plan.intensities) != len(plan.channels):
        return f"scales {len(plan.intensities)} of {len(plan.channels)} channels"
    if len(plan.classes) < 2 or plan.architecture.classes != plan.logits:
        return f"has {len(plan.classes)} classes and {plan.architecture.classes} logits"
    return "" if plan.temperature > 0 else f"has temperature {plan.temperature}"
