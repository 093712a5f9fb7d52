"""What decides the weights of a network that segments."""

from dataclasses import dataclass, field

from medloop.learning.transforms import IntensityRanges, Ranges, SpatialRanges
from medloop.models.segmentation_plan import SegmentationPlan

ALL = "all"


@dataclass(frozen=True, slots=True)
class SegmentationRecipe:
    """Everything that decides a segmenting bundle's weights, besides the data and the seed.

    Attributes
    ----------
    batch, steps
        Patches a step, steps an epoch.
    rate, averaging
        AdamW's peak rate, and the decay of the moving average of the weights.
    foreground
        Share of patches centered on a labelled voxel.
    mirror
        Axes along which patches are mirrored, as ``"0,2"``; ``"all"``, or ``""`` for none.
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
    filled
        Share of patches whose voxels that the publisher left out come from another patient.
    hidden
        Share of patches of which a part beyond a slice is left out, as scans end somewhere.
    """

    name: str
    plan: SegmentationPlan
    epochs: int = 60
    batch: int = 4
    steps: int = 100
    rate: float = 2e-3
    head_rate: float = 2e-3
    averaging: float = 0.999
    foreground: float = 0.5
    ranges: Ranges = field(
        default_factory=lambda: Ranges(SpatialRanges(flip_chance=0.5), IntensityRanges())
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
    mirror: str = ALL
    filled: float = 0.0
    hidden: float = 0.0
