"""Learning to find objects: what the training command needs of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from medloop.evaluation.bootstrap import Figure
from medloop.learning.card import PURPOSES, Purpose
from medloop.learning.data.description import CaseSource, Dataset
from medloop.learning.detection.batches import BoxBatches, PreparedCase
from medloop.learning.detection.figures import (
    best_threshold,
    detection_figures,
    main_figure,
)
from medloop.learning.detection.planning import in_words
from medloop.learning.detection.recipe import DetectionRecipe
from medloop.learning.detection.targets import detection_loss
from medloop.learning.export import export_finders
from medloop.learning.figures import Predictions
from medloop.learning.loop import Batches
from medloop.learning.opening import names_of, purpose_for, require_folds
from medloop.learning.torch_predictor import TorchPredictor
from medloop.models.bundle import WEIGHTS
from medloop.models.detect import Marks, find
from medloop.models.detection_plan import DetectionPlan
from medloop.models.networks.build import build
from medloop.models.predict import Networks


@dataclass(frozen=True, slots=True, eq=False)
class DetectionTask:
    """Boxes around objects, by the plan's network."""

    recipe: DetectionRecipe
    dataset: Dataset
    sources: tuple[CaseSource, ...]
    fold_of: Int[ndarray, " n"]
    prepared: tuple[PreparedCase, ...]
    unit: str = "case"
    caveat: str = (
        "; the threshold is chosen on the same predictions: it enters the last two figures of a"
        " class, no other"
    )

    @property
    def main(self) -> str:
        """How the name of the figure ends that tells most."""
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
        """Make the network with random weights."""
        return build(self.recipe.plan.architecture)

    def batches(self, chosen: Int[ndarray, " n"]) -> tuple[Batches, int]:
        """Return one epoch's batches over the chosen cases, and their number."""
        recipe = self.recipe
        made = BoxBatches(
            tuple(self.prepared[n] for n in chosen),
            recipe.plan,
            recipe.ranges,
            recipe.batch,
            recipe.steps,
            recipe.foreground,
        )
        return made, recipe.steps

    def loss(self, model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of one batch."""
        x, *wanted = batch
        logits, box = model(x)
        return detection_loss(logits, box, tuple(wanted), box_weight=self.recipe.box_weight)

    def predict(self, network: nn.Module, chosen: Int[ndarray, " n"]) -> Predictions:
        """Find objects in held-out cases; boxes are in mm or pixels from the first corner."""
        return self.answer({WEIGHTS: TorchPredictor(network, _answers)}, chosen)

    def answer(self, networks: Networks, chosen: Int[ndarray, " n"]) -> Predictions:
        """Find objects by a network that is ready to run."""
        predictor, plan = networks[WEIGHTS], self.recipe.plan
        cases = [self.prepared[n] for n in chosen]
        found = [find(predictor, np.asarray(case.image), plan) for case in cases]
        return {
            "name": [self.names[n] for n in chosen],
            "truth": [_told(case.edges, case.classes, plan) for case in cases],
            "marks": [
                [
                    {**row, "score": round(float(score), 4)}
                    for row, score in zip(_told_marks(marks, plan), marks.score, strict=True)
                ]
                for marks in found
            ],
        }

    def judge(
        self, predictions: Sequence[Predictions], rng: np.random.Generator
    ) -> tuple[DetectionPlan, list[Figure]]:
        """Choose the threshold on out-of-fold marks, then measure them."""
        plan = self.recipe.plan
        if not predictions:
            return plan, []
        plan = replace(plan, threshold=round(best_threshold(plan, predictions), 4))
        return plan, detection_figures(plan, predictions, rng)

    def export(self, members: Sequence[nn.Module], path: Path) -> None:
        """Write the mean of the networks' answers as ONNX, for windows of the patch."""
        export_finders(members, self.recipe.plan, path)


def _answers(logits: Tensor, box: Tensor) -> Mapping[str, Tensor]:
    return {"heat": torch.sigmoid(logits.float()), "box": box.float()}


def purpose_of(dataset: Dataset, cases: int) -> Purpose:
    """Say what can be said of a bundle for any data: what it was shown, and no more."""
    classes = ", ".join(dataset.classes)
    return purpose_for(
        dataset,
        cases,
        title=f"Detection of {classes} in {', '.join(dataset.channels)}",
        answer=f"boxes around {classes} in images",
        classes={name: f"class {n}" for n, name in enumerate(dataset.classes, start=1)},
    )


def _told_marks(marks: Marks, plan: DetectionPlan) -> list[dict[str, Any]]:
    return _told(marks.edges, marks.classes, plan)


def _told(
    edges: Float[ndarray, "n 2 d"], classes: Int[ndarray, " n"], plan: DetectionPlan
) -> list[dict[str, Any]]:
    """Lower corners, then upper ones."""
    lengths = np.round((edges + 0.5) * np.array(plan.spacing), 3).reshape(
        -1, 2 * len(plan.spacing)
    )
    return [
        {"class": int(c), "box": row} for c, row in zip(classes, lengths.tolist(), strict=True)
    ]
