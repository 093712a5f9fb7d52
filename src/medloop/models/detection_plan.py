"""How images become the input of a network that finds objects, and its maps their boxes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from medloop.core.errors import InputError
from medloop.models.architecture import Architecture, Kind, architecture_from
from medloop.models.plan import Task
from medloop.models.segmentation_plan import PICTURES, VOLUMES, Intensity


@dataclass(frozen=True, slots=True)
class DetectionPlan:
    """The one description of preprocessing: written by training, read by inference.

    Lengths are in mm, of pictures in pixels of the picture.

    Attributes
    ----------
    frame
        ``"lps/kji"`` or ``"picture/pixels"``, as in a `SegmentationPlan`.
    channels, classes
        Names, in order; class 0 is the first.
    spacing
        Of the network's input along k, j, i, or y, x.
    patch
        Size of a window in voxels of the input; images that are smaller are padded.
    intensities
        One a channel.
    architecture
        Of the network, a `Kind.CENTER_UNET`.
    size
        Of a typical object along each axis: what the network's answers are relative to.
    overlap
        Of neighboring windows, as a share of their side.
    flips
        Axes of the input (0 is the first) along which a mirrored image is answered too.
    least_score, most_marks
        Marks below this score, and beyond this number, are not told (LUNA16 takes 100).
    most_overlap
        Of two marks of a class whose boxes share more than this of their union, the less sure
        one goes.
    threshold
        Score from which a mark counts as found: the best F1 on held-out cases.
    numbers
        What the training data call each class in COCO's results; 1, 2, ... where empty.
    """

    channels: tuple[str, ...]
    classes: tuple[str, ...]
    spacing: tuple[float, ...]
    patch: tuple[int, ...]
    intensities: tuple[Intensity, ...]
    architecture: Architecture
    size: tuple[float, ...]
    overlap: float = 0.25
    flips: tuple[int, ...] = ()
    least_score: float = 0.05
    most_marks: int = 100
    most_overlap: float = 0.1
    threshold: float = 0.5
    numbers: tuple[int, ...] = ()
    frame: str = VOLUMES
    task: Task = Task.DETECTION

    @property
    def cell(self) -> tuple[int, ...]:
        """Voxels of the input that share one answer, along each axis."""
        return self.architecture.strides[1]

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def detection_plan_from(raw: Mapping[str, Any]) -> DetectionPlan:
    """Read what `DetectionPlan.to_json` wrote, parsed.

    Raises
    ------
    InputError
        If it is no plan, or declares a coordinate frame this version does not know.
    """
    try:
        plan = DetectionPlan(
            channels=tuple(str(name) for name in raw["channels"]),
            classes=tuple(str(name) for name in raw["classes"]),
            spacing=tuple(float(step) for step in raw["spacing"]),
            patch=tuple(int(side) for side in raw["patch"]),
            intensities=tuple(Intensity(**each) for each in raw["intensities"]),
            architecture=architecture_from(raw["architecture"]),
            size=tuple(float(side) for side in raw["size"]),
            overlap=float(raw["overlap"]),
            flips=tuple(int(axis) for axis in raw["flips"]),
            least_score=float(raw["least_score"]),
            most_marks=int(raw["most_marks"]),
            most_overlap=float(raw["most_overlap"]),
            threshold=float(raw["threshold"]),
            numbers=tuple(int(n) for n in raw.get("numbers", ())),
            frame=str(raw["frame"]),
        )
    except (KeyError, TypeError, ValueError) as why:
        raise InputError(f"plan.json is not a plan: {type(why).__name__} {why}") from why
    if wrong := what_is_wrong(plan):
        raise InputError(f"plan.json: {wrong}")
    return plan


def what_is_wrong(plan: DetectionPlan) -> str:
    """Say what contradicts itself in a plan; empty where nothing does."""
    axes = 2 if plan.frame == PICTURES else 3
    network = plan.architecture
    multiple = zip(plan.patch, network.multiple, strict=False)
    checks = {
        f"frame {plan.frame!r}, known: {VOLUMES}, {PICTURES}": (
            plan.frame not in (VOLUMES, PICTURES)
        ),
        f"network {network.kind} finds no objects": network.kind is not Kind.CENTER_UNET,
        f"patch, spacing, size or network are not for {axes} axes": (
            {len(plan.patch), len(plan.spacing), len(plan.size), network.dims} != {axes}
        ),
        f"spacing {plan.spacing} and size {plan.size} must be positive": any(
            not length > 0 for length in (*plan.spacing, *plan.size)
        ),
        f"patch {plan.patch} is no multiple of {network.multiple}": any(
            side < 1 or side % m for side, m in multiple
        ),
        f"{len(plan.intensities)} of {len(plan.channels)} channels are scaled": (
            len(plan.intensities) != len(plan.channels)
        ),
        f"{network.classes} classes of the network, {len(plan.classes)} names": (
            network.classes != len(plan.classes)
        ),
        f"{len(plan.numbers)} numbers of {len(plan.classes)} classes": (
            len(plan.numbers) not in (0, len(plan.classes))
        ),
        f"overlap {plan.overlap} outside 0 ... 0.9": not 0 <= plan.overlap <= 0.9,
        f"flips {plan.flips} beyond {axes} axes": any(a not in range(axes) for a in plan.flips),
    }
    return next((fact for fact, is_wrong in checks.items() if is_wrong), "")
