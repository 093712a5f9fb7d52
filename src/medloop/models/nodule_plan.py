"""How a chest CT becomes places to look at, and each of them a network's input."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from medloop.core.errors import InputError
from medloop.imaging.hounsfield import Quantiles
from medloop.models.architecture import Architecture, architecture_from
from medloop.models.plan import Task
from medloop.models.segmentation_plan import VOLUMES

_LEAST_MM = 2.0


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How likely LIDC's readers would suspect malignancy (over 3): a logistic regression.

    Weights of the natural logarithm of the diameter (mm), of being non-solid, part-solid,
    calcified. All 0: never fitted.
    """

    intercept: float = 0.0
    log_mm: float = 0.0
    non_solid: float = 0.0
    part_solid: float = 0.0
    calcified: float = 0.0

    @property
    def is_known(self) -> bool:
        """Whether it was fitted."""
        return self.log_mm != 0

    @staticmethod
    def features(
        diameter_mm: float, *, is_non_solid: bool, is_part_solid: bool, is_calcified: bool
    ) -> tuple[float, float, float, float]:
        """Return what the weights after the intercept belong to."""
        size = math.log(max(diameter_mm, _LEAST_MM))
        return size, float(is_non_solid), float(is_part_solid), float(is_calcified)

    def probability(
        self, diameter_mm: float, *, is_non_solid: bool, is_part_solid: bool, is_calcified: bool
    ) -> float:
        """Return the probability, 0 to 1."""
        seen = self.features(
            diameter_mm,
            is_non_solid=is_non_solid,
            is_part_solid=is_part_solid,
            is_calcified=is_calcified,
        )
        weights = (self.log_mm, self.non_solid, self.part_solid, self.calcified)
        logit = self.intercept + sum(w * x for w, x in zip(weights, seen, strict=True))
        return 0.5 * (1 + math.tanh(logit / 2))


@dataclass(frozen=True, slots=True)
class NodulePlan:
    """The one description of preprocessing: written by training, read by inference.

    Attributes
    ----------
    architecture
        Of the network that reviews: 3-D, its channels those of the stem that reads the cube.
    step_mm
        Edge of the voxels in which bright blobs are looked for.
    smallest_mm, octaves
        Radius of the smallest blob, and how often it doubles.
    least_hu, most
        Least curvature of a blob (see `imaging.blobs.Blobs.scores`), and how many blobs of a
        scan are screened at most.
    reviewed
        How many of them, the likeliest first, the second network looks at.
    cube, spacing_mm
        Voxels of both networks' input, (k, j, i), and their size; upright, centered on the
        blob.
    low_hu, high_hu
        Become -1 and 1; what is lower or higher is cut off.
    temperature
        Divides the mean of both networks' logits before it becomes a probability (Guo 2017).
    threshold
        Probability from which a place is reported.
    suspicion
        Of malignancy, as readers would rate it.
    reference
        HU of the lungs the networks learned from; None where they are not known.
    frame
        ``"lps/kji"``; the loader refuses any other.
    """

    architecture: Architecture
    step_mm: float = 1.25
    smallest_mm: float = 1.875
    octaves: int = 4
    least_hu: float = 30.0
    most: int = 400
    reviewed: int = 48
    cube: tuple[int, int, int] = (24, 48, 48)
    spacing_mm: tuple[float, float, float] = (1.25, 0.75, 0.75)
    low_hu: float = -1000.0
    high_hu: float = 400.0
    temperature: float = 1.0
    threshold: float = 0.5
    suspicion: Suspicion = Suspicion()
    reference: Quantiles | None = None
    frame: str = VOLUMES
    task: Task = Task.NODULES

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def nodule_plan_from(raw: Mapping[str, Any]) -> NodulePlan:
    """Read what `NodulePlan.to_json` wrote, parsed.

    Raises
    ------
    InputError
        If it is no plan, or declares a coordinate frame this version does not know.
    """
    try:
        cube, spacing = raw["cube"], raw["spacing_mm"]
        plan = NodulePlan(
            architecture=architecture_from(raw["architecture"]),
            step_mm=float(raw["step_mm"]),
            smallest_mm=float(raw["smallest_mm"]),
            octaves=int(raw["octaves"]),
            least_hu=float(raw["least_hu"]),
            most=int(raw["most"]),
            reviewed=int(raw["reviewed"]),
            cube=(int(cube[0]), int(cube[1]), int(cube[2])),
            spacing_mm=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
            low_hu=float(raw["low_hu"]),
            high_hu=float(raw["high_hu"]),
            temperature=float(raw["temperature"]),
            threshold=float(raw["threshold"]),
            suspicion=Suspicion(**{key: float(w) for key, w in raw["suspicion"].items()}),
            reference=_reference(raw["reference"]),
            frame=str(raw["frame"]),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as why:
        raise InputError(f"plan.json is no plan for nodules: {why!r}") from why
    if plan.frame != VOLUMES:
        raise InputError(f"plan.json has the coordinate frame {plan.frame!r}, not {VOLUMES!r}")
    return plan


def _reference(raw: Mapping[str, Any] | None) -> Quantiles | None:
    if raw is None:
        return None
    shares, values = (tuple(float(n) for n in raw[key]) for key in ("shares", "values"))
    return Quantiles(shares, values)
