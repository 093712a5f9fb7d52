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
    folds, of_folds, final, ship
        As in `recipes.Recipe`.
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
