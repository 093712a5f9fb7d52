"""What decides the weights of the networks that tell nodules from vessels."""

from dataclasses import dataclass

from medloop.models.architecture import Architecture, Kind
from medloop.models.nodule_plan import NodulePlan

REVIEW = Architecture(
    Kind.DENSENET,
    dims=3,
    channels=12,
    classes=1,
    widths=(24,),
    blocks=(3, 5, 7),
    growth=12,
    gated=True,
    small=True,
)


@dataclass(frozen=True, slots=True)
class NoduleRecipe:
    """Everything that decides a nodule bundle's weights, besides the data and the seed.

    Attributes
    ----------
    patches
        A file of axial patches (``.npz``: ``train_images`` (n, 50, 50) in 0..255 for -1000 to
        400 HU, ``train_labels``, and ``val_...``) that the network for slices learns from, too;
        its validation part is only measured. Empty for none.
    batch, steps
        Cubes a step (and as many patches), steps an epoch.
    real, drawn
        Shares of the cubes that show a marked nodule, or a drawn one; the rest shows what was
        found and nobody marked.
    apart_mm
        A place nearer to a mark's rim than this is no example of what is not a nodule.
    shapes
        How many outlines are drawn from at most.
    epochs, rate, head_rate, averaging, accumulate, patience, precision, minutes
        As in `DetectionRecipe`.
    folds, of_folds, final, ship
        As in `recipes.Recipe`.
    """

    name: str
    plan: NodulePlan
    patches: str = ""
    epochs: int = 12
    batch: int = 24
    steps: int = 60
    rate: float = 1e-3
    head_rate: float = 1e-3
    averaging: float = 0.99
    real: float = 0.2
    drawn: float = 0.2
    apart_mm: float = 4.0
    shapes: int = 600
    folds: str = "0,1,2,3,4"
    of_folds: int = 5
    final: bool = True
    ship: str = "final"
    accumulate: int = 1
    patience: int = 0
    precision: str = "auto"
    minutes: float = 0.0
