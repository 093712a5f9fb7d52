"""What decides the weights of a network that classifies."""

from dataclasses import dataclass, field

from medloop.learning.transforms import IntensityRanges, Ranges, SpatialRanges
from medloop.models.classification_plan import ClassificationPlan


@dataclass(frozen=True, slots=True)
class ClassificationRecipe:
    """Everything that decides a classifying bundle's weights, besides the data and the seed.

    Attributes
    ----------
    batch, steps
        Images a step, steps an epoch; 0 steps for as many as the images fill.
    rate, head_rate
        AdamW's peak rate for a trunk with ImageNet weights, and for layers without.
    averaging
        Decay of the moving average of the weights.
    balance
        0 draws images evenly, 1 draws classes evenly.
    smoothing
        Share of the truth that is spread over all classes (Szegedy 2016).
    mixing
        Both parameters of the beta distribution that images of a batch are mixed by (mixup,
        Zhang 2018); 0 mixes none.
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
    memory_gb
        A step may take; 0 for most of what the machine, or its GPU, has. It decides `batch`
        and the plan where these ask for more.
    folds, of_folds, final, ship
        As in `recipes.Recipe`.
    networks
        Trained for each fold and for the final part, each from a seed of its own; the mean of
        their answers is what counts (Lakshminarayanan 2017).
    """

    name: str
    plan: ClassificationPlan
    epochs: int = 20
    batch: int = 16
    steps: int = 0
    rate: float = 5e-4
    head_rate: float = 2e-3
    averaging: float = 0.99
    balance: float = 0.3
    smoothing: float = 0.1
    mixing: float = 0.0
    ranges: Ranges = field(
        default_factory=lambda: Ranges(
            SpatialRanges(
                rotation_deg=15.0,
                tilt_deg=15.0,
                scale=0.15,
                shift=0.06,
                elastic_chance=0.0,
                flip_chance=0.5,
            ),
            IntensityRanges(chance=0.25, gamma=0.2, noise=0.05, together=True),
        )
    )
    folds: str = "0,1,2,3,4"
    of_folds: int = 5
    final: bool = True
    ship: str = "final"
    networks: int = 1
    accumulate: int = 1
    patience: int = 0
    precision: str = "auto"
    minutes: float = 0.0
    memory_gb: float = 0.0
