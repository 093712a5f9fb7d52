"""What decides the weights of a network that finds objects."""

from dataclasses import dataclass, field

from medloop.learning.transforms import IntensityRanges, Ranges, SpatialRanges
from medloop.models.detection_plan import DetectionPlan


@dataclass(frozen=True, slots=True)
class DetectionRecipe:
    """Everything that decides a detecting bundle's weights, besides the data and the seed.

    Attributes
    ----------
    batch, steps
        Patches a step, steps an epoch.
    rate, averaging
        AdamW's peak rate, and the decay of the moving average of the weights.
    foreground
        Share of patches that show an object, where a case has one.
    box_weight
        Of the boxes' loss beside that of the centers.
    accumulate
        Batches whose gradients are averaged for one update.
    patience
        Epochs without a lower loss on watched cases, the next fold's, that end a training; its
        best weights are kept. 0 watches none.
    precision
        ``auto`` (BF16 where the device computes it), ``fp32`` or ``bf16``.
    minutes
        A network may take; a few steps are timed, and `epochs` and `steps` follow. 0 for those
        of the recipe.
    folds, of_folds, final, ship
        As in `recipes.Recipe`.
    """

    name: str
    plan: DetectionPlan
    epochs: int = 40
    batch: int = 4
    steps: int = 100
    rate: float = 2e-3
    head_rate: float = 2e-3
    averaging: float = 0.999
    foreground: float = 0.7
    box_weight: float = 1.0
    ranges: Ranges = field(
        default_factory=lambda: Ranges(SpatialRanges(flip_chance=0.5), IntensityRanges())
    )
    folds: str = "0,1,2,3,4"
    of_folds: int = 5
    final: bool = True
    ship: str = "final"
    accumulate: int = 1
    patience: int = 0
    precision: str = "auto"
    minutes: float = 0.0
