"""One call of ``medloop train``: what was asked for, and where each part of it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from medloop.learning.classification.opening import Planned as PlannedClassification
from medloop.learning.classification.recipe import ClassificationRecipe
from medloop.learning.classification.task import ClassificationTask
from medloop.learning.detection.opening import Planned as PlannedDetection
from medloop.learning.detection.task import DetectionTask
from medloop.learning.keep import AnyRecipe
from medloop.learning.loop import Progress
from medloop.learning.lung.opening import Planned as PlannedNodules
from medloop.learning.lung.task import NoduleTask
from medloop.learning.ranks import Ranks
from medloop.learning.segmentation.opening import Planned
from medloop.learning.segmentation.recipe import SegmentationRecipe
from medloop.learning.segmentation.task import SegmentationTask
from medloop.learning.start import Start
from medloop.learning.tasks import GradingTask, LesionTask
from medloop.models.bundle import ADAPTER

FINAL = "final"

LearningTask = (
    GradingTask
    | LesionTask
    | SegmentationTask
    | ClassificationTask
    | DetectionTask
    | NoduleTask
)
AnyPlanned = Planned | PlannedClassification | PlannedDetection | PlannedNodules


@dataclass(frozen=True, slots=True)
class Order:
    """One call of ``medloop train``: what to train, on what, and where it goes."""

    recipe: AnyRecipe
    data: Path
    out: Path
    seed: int = 0
    device: str = "cpu"
    resume: bool = False
    lesions: Path | None = None  # a training of `retina_lesions`, for a second reader of grades
    planned: AnyPlanned | None = None  # the data the recipe is for
    start: Start = field(default_factory=Start)  # other weights; what of them moves
    tensorboard: bool = False  # events beside the curves, in ``out/work/tensorboard``
    int8: bool = False  # give the bundle INT8 twins where its main figure holds
    ranks: Ranks = field(default_factory=Ranks)  # which of several processes this is


def order_for(
    planned: AnyPlanned, out: Path, *, seed: int = 0, start: Start | None = None
) -> Order:
    """Order a training on data that were planned for."""
    return Order(
        planned.recipe,
        planned.dataset.root,
        out,
        seed,
        planned=planned,
        start=start or Start(),
    )


@dataclass(frozen=True, slots=True)
class Milestone:
    """One finished epoch of one network; `waiting` networks come after this one."""

    part: str
    progress: Progress
    waiting: int

    @property
    def left_s(self) -> float:
        """Seconds still to train, at the pace of this epoch."""
        here = self.progress.epochs - self.progress.epoch
        return self.progress.seconds * (here + self.waiting * self.progress.epochs)


def finished(order: Order, member: str) -> Path:
    """Where a network is kept once it is trained."""
    return order.out / "work" / f"{member}.pt"


def members_of(order: Order, part: str) -> tuple[str, ...]:
    """Name the networks of a part: ``fold0``, and ``fold0-1`` ... where there are several."""
    recipe = order.recipe
    count = 1
    if isinstance(recipe, ClassificationRecipe | SegmentationRecipe):
        count = recipe.networks
    return (part, *(f"{part}-{n}" for n in range(1, count)))


def is_trained(order: Order, part: str) -> bool:
    """Whether all networks of a part are trained."""
    return all(finished(order, member).is_file() for member in members_of(order, part))


def adapter_path(order: Order, part: str) -> Path:
    """Where the adapters of a network are kept."""
    return order.out / "work" / f"{part}.{ADAPTER}"


def trained_folds(order: Order) -> list[str]:
    """Name the folds whose networks are all trained."""
    parts = sorted(path.stem for path in (order.out / "work").glob("fold*.pt"))
    return [part for part in parts if "-" not in part and is_trained(order, part)]


def loaded(order: Order, task: LearningTask, part: str) -> list[nn.Module]:
    """Load the networks of a part, which are trained."""
    return [loaded_member(order, task, member) for member in members_of(order, part)]


def loaded_member(order: Order, task: LearningTask, member: str) -> nn.Module:
    """Load one network that is trained."""
    network = task.network()
    state = torch.load(finished(order, member), weights_only=True, map_location="cpu")
    network.load_state_dict(state)
    return network.eval()


def together(task: LearningTask, members: Sequence[nn.Module]) -> nn.Module:
    """Return what answers with the mean of a part's networks, as one of them would."""
    if len(members) > 1 and isinstance(task, ClassificationTask | SegmentationTask):
        return task.together(members)
    (alone,) = members
    return alone
