"""Learning to classify: what the training command needs of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from torch import Tensor, nn

from medloop.evaluation.bootstrap import Figure
from medloop.learning.card import PURPOSES, Purpose
from medloop.learning.classification.batches import ImageBatches, Images
from medloop.learning.classification.figures import (
    best_temperature,
    classification_figures,
    main_figure,
    pooled,
)
from medloop.learning.classification.planning import in_words
from medloop.learning.classification.recipe import ClassificationRecipe
from medloop.learning.data.description import CaseSource, Dataset
from medloop.learning.export import ClassificationEnsemble, export_classifiers
from medloop.learning.figures import Predictions
from medloop.learning.loop import Batches
from medloop.learning.losses import ordinal
from medloop.learning.opening import names_of, purpose_for, require_folds
from medloop.learning.tasks import imagenet
from medloop.learning.torch_predictor import TorchPredictor
from medloop.models.architecture import Kind
from medloop.models.bundle import WEIGHTS
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.classify import logits_of
from medloop.models.networks.build import build, load_imagenet
from medloop.models.predict import Networks


@dataclass(frozen=True, slots=True, eq=False)
class ClassificationTask:
    """One class an image, by the plan's network."""

    recipe: ClassificationRecipe
    dataset: Dataset
    sources: tuple[CaseSource, ...]
    fold_of: Int[ndarray, " n"]
    classes: Int[ndarray, " n"]
    images: Images
    unit: str = "case"
    caveat: str = (
        " (of recalls Wilson's, of the AUC of two classes DeLong's); one temperature is fitted"
        " on the same predictions: it enters the calibration error and, of grades, slightly the"
        " rest"
    )

    @property
    def main(self) -> str:
        """Name of the figure that tells most."""
        return main_figure(self.recipe.plan)

    @property
    def purpose(self) -> Purpose:
        """What the bundle is for: as people wrote it, or as far as the data tell."""
        return PURPOSES.get(self.recipe.name) or purpose_of(self.dataset, len(self.sources))

    @property
    def input_summary(self) -> Mapping[str, list[str]]:
        """What the card says of the network's input."""
        return {"plan": list(in_words(self.recipe.plan))}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the cases, in order."""
        return names_of(self.sources)

    def folds(self, count: int) -> Int[ndarray, " n"]:
        """Return the fold of each case."""
        require_folds(count, self.recipe.of_folds)
        return self.fold_of

    def network(self) -> nn.Module:
        """Make the network: random weights, but for a trunk from ImageNet where it has one."""
        made = build(self.recipe.plan.architecture)
        if self.recipe.plan.architecture.kind is Kind.EFFICIENTNET_LITE:
            load_imagenet(made, imagenet(self.recipe.plan.architecture.variant))
        return made

    def batches(self, chosen: Int[ndarray, " n"]) -> tuple[Batches, int]:
        """Return one epoch's batches over the chosen cases, and their number."""
        recipe = self.recipe
        spatial = replace(recipe.ranges.spatial, flip_axes=recipe.plan.flips)
        steps = recipe.steps or -(-len(chosen) // recipe.batch)
        made = ImageBatches(
            self.images,
            self.classes,
            chosen,
            recipe.plan,
            replace(recipe.ranges, spatial=spatial),
            recipe.batch,
            steps,
            recipe.balance,
            recipe.mixing,
        )
        return made, steps

    def loss(self, model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of one batch."""
        x, wanted = batch
        logits, smoothing = model(x).float(), self.recipe.smoothing
        if self.recipe.plan.ordinal:
            return ordinal(logits, wanted, smoothing=smoothing / 2)
        return nn.functional.cross_entropy(logits, wanted, label_smoothing=smoothing)

    def together(self, members: Sequence[nn.Module]) -> nn.Module:
        """Return what answers with the mean of the networks' logits."""
        return ClassificationEnsemble(members)

    def predict(self, network: nn.Module, chosen: Int[ndarray, " n"]) -> Predictions:
        """Predict held-out cases."""
        return self.answer({WEIGHTS: TorchPredictor(network, _answers, exact=True)}, chosen)

    def answer(self, networks: Networks, chosen: Int[ndarray, " n"]) -> Predictions:
        """Predict cases by a network that is ready to run."""
        predictor, plan = networks[WEIGHTS], self.recipe.plan
        logits = [logits_of(predictor, self.images[n].astype(np.float32), plan) for n in chosen]
        return {
            "name": [self.names[n] for n in chosen],
            "truth": self.classes[chosen].tolist(),
            "logits": np.round(logits, 4).tolist(),
        }

    def judge(
        self, predictions: Sequence[Predictions], rng: np.random.Generator
    ) -> tuple[ClassificationPlan, list[Figure]]:
        """Calibrate on out-of-fold predictions, then measure them."""
        plan = self.recipe.plan
        if not predictions:
            return plan, []
        truth, logits = pooled(predictions)
        plan = replace(plan, temperature=best_temperature(plan, logits, truth))
        return plan, classification_figures(plan, predictions, rng)

    def export(self, members: Sequence[nn.Module], path: Path) -> None:
        """Write the mean of the networks' logits as ONNX, for one image of the plan's size."""
        export_classifiers(members, self.recipe.plan, path)


def _answers(logits: Tensor) -> Mapping[str, Tensor]:
    return {"logits": logits.float()}


def purpose_of(dataset: Dataset, cases: int) -> Purpose:
    """Say what can be said of a bundle for any data: what it was shown, and no more."""
    classes = ", ".join(dataset.classes)
    return purpose_for(
        dataset,
        cases,
        title=f"Classification of images like those of {dataset.name}: {classes}",
        answer=f"one of {classes} for images",
        classes={str(n): name for n, name in enumerate(dataset.classes)},
    )
