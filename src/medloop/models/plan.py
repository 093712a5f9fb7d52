"""The one description of preprocessing: written by training, read by inference."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from medloop.core.errors import InputError


class Task(StrEnum):
    """What a bundle's network answers."""

    GRADING = "grading"  # one ordered grade a scale, a picture
    LESIONS = "lesions"  # one probability a class and pixel, a picture
    SEGMENTATION = (
        "segmentation"  # one class a voxel or pixel, of those that exclude each other
    )
    CLASSIFICATION = "classification"  # one class an image
    DETECTION = "detection"  # boxes with a class and a score
    NODULES = "nodules"  # places on chest CT, each with a probability


@dataclass(frozen=True, slots=True)
class Scale:
    """An ordinal scale: ``Scale("ICDR", 5)`` has grades 0 to 4."""

    name: str
    grades: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How a photograph becomes a network's input, and its output an answer.

    Attributes
    ----------
    frame
        Coordinate frame of the input: ``"picture/field"``, a photograph scaled so that its
        round field is `field_px` across. The loader refuses any other.
    field_px
        Diameter of the field of view on the network's input, in pixels.
    multiple
        The input's sides are multiples of this many pixels.
    mean, scale
        Input = (8-bit value - `mean`) / `scale`, channels red, green, blue.
    classes
        Names of the output channels (lesions).
    scales
        The ordinal scales, in the order of the output (grading).
    temperature
        Divides the logits of each scale before they become probabilities (Guo 2017).
    thresholds
        Probability from which a pixel counts as the class (lesions).
    peaks
        Probability that the surest pixel of a lesion must reach for the lesion to be reported;
        empty for the thresholds themselves (lesions).
    reads, reads_sha256
        Name and weights' SHA-256 of the bundle whose lesion maps give a second opinion; empty
        where the network answers alone (grading).
    """

    task: Task
    field_px: int
    multiple: int = 32
    mean: float = 127.0
    scale: float = 128.0
    frame: str = "picture/field"
    classes: tuple[str, ...] = ()
    scales: tuple[Scale, ...] = ()
    temperature: tuple[float, ...] = ()
    thresholds: tuple[float, ...] = ()
    peaks: tuple[float, ...] = ()
    reads: str = ""
    reads_sha256: str = ""

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


FRAMES = ("picture/field",)


def plan_from_json(text: str) -> Plan:
    """Read a plan.

    Raises
    ------
    InputError
        If the text is no plan, or declares a coordinate frame this version does not know.
    """
    try:
        raw = json.loads(text)
        plan = Plan(
            task=Task(raw["task"]),
            field_px=int(raw["field_px"]),
            multiple=int(raw["multiple"]),
            mean=float(raw["mean"]),
            scale=float(raw["scale"]),
            frame=str(raw["frame"]),
            classes=tuple(raw["classes"]),
            scales=tuple(Scale(s["name"], int(s["grades"])) for s in raw["scales"]),
            temperature=tuple(float(t) for t in raw["temperature"]),
            thresholds=tuple(float(t) for t in raw["thresholds"]),
            peaks=tuple(float(p) for p in raw.get("peaks", ())),
            reads=str(raw.get("reads", "")),
            reads_sha256=str(raw.get("reads_sha256", "")),
        )
    except (KeyError, TypeError, ValueError) as why:
        raise InputError(f"plan.json is not a plan: {type(why).__name__} {why}") from why
    if plan.frame not in FRAMES:
        raise InputError(f"plan.json has frame {plan.frame!r}, known are {', '.join(FRAMES)}")
    return plan
