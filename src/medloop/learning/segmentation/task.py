"""Learning to segment: what the training command needs of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from medloop.evaluation.bootstrap import Figure, interval_95
from medloop.evaluation.overlap import overlaps
from medloop.evaluation.surface import surface_figures_by_label
from medloop.learning.card import PURPOSES, Purpose
from medloop.learning.data.description import CaseSource, Dataset
from medloop.learning.data.labels import read_mask
from medloop.learning.data.pixels import read_image
from medloop.learning.export import LogMean, export_segmenters
from medloop.learning.figures import Predictions
from medloop.learning.loop import Batches
from medloop.learning.opening import axes, names_of, purpose_for, require_folds
from medloop.learning.region_losses import Counted, dice_and_entropy, merged, over_levels
from medloop.learning.segmentation.batches import PatchBatches
from medloop.learning.segmentation.fingerprint import class_labels, drawn_in
from medloop.learning.segmentation.planning import in_words
from medloop.learning.segmentation.prepared import PreparedCase
from medloop.learning.segmentation.recipe import ALL, SegmentationRecipe
from medloop.learning.segmentation.surroundings import Surroundings
from medloop.learning.torch_predictor import TorchPredictor
from medloop.models.bundle import WEIGHTS
from medloop.models.networks.build import build
from medloop.models.predict import Networks, Predictor
from medloop.models.segment import labels_of, prepare, probabilities, scale
from medloop.models.segmentation_plan import SegmentationPlan

_COUNTED = Counted(ignore=-1, over_batch=True)


@dataclass(frozen=True, slots=True, eq=False)
class SegmentationTask:
    """Classes of voxels that exclude each other, by the plan's network."""

    recipe: SegmentationRecipe
    dataset: Dataset
    sources: tuple[CaseSource, ...]
    fold_of: Int[ndarray, " n"]
    prepared: tuple[PreparedCase, ...]
    unit: str = "case"
    caveat: str = ""
    main: str = " Dice"

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
        mirrored = None if recipe.mirror == ALL else axes(recipe.mirror)
        spatial = replace(recipe.ranges.spatial, flip_axes=mirrored)
        made = PatchBatches(
            tuple(self.prepared[n] for n in chosen),
            recipe.plan,
            replace(recipe.ranges, spatial=spatial),
            recipe.batch,
            recipe.steps,
            recipe.foreground,
            Surroundings(recipe.filled, recipe.hidden),
            self.dataset.is_partial,
            self._outside(),
        )
        return made, recipe.steps

    def _outside(self) -> float:
        """Scaled value beyond an image's border: what was left out is left out there, too."""
        if self.dataset.blank is None:
            return 0.0
        blank = np.full((1, 1), self.dataset.blank, np.float32)
        return float(scale(blank, self.recipe.plan.intensities[0])[0, 0])

    def loss(self, model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of one batch, over all supervised levels."""
        x, labels, *known = batch
        answer = model(x)
        levels = answer if isinstance(answer, tuple) else (answer,)
        asked = [merged(each, known[0]) if known else each.float() for each in levels]
        return over_levels(_loss, asked, labels)

    def together(self, members: Sequence[nn.Module]) -> nn.Module:
        """Return what answers with the logarithm of the networks' mean probabilities."""
        return LogMean(members)

    def predict(self, network: nn.Module, chosen: Int[ndarray, " n"]) -> Predictions:
        """Measure held-out cases on their own grids."""
        return self.answer({WEIGHTS: TorchPredictor(network, _answers)}, chosen)

    def answer(self, networks: Networks, chosen: Int[ndarray, " n"]) -> Predictions:
        """Measure cases by a network that is ready to run."""
        rows = [self._measured(networks[WEIGHTS], self.sources[n]) for n in chosen]
        measures = {key: [row[key] for row in rows] for key in rows[0]} if rows else {}
        return {"name": [self.names[n] for n in chosen], **measures}

    def _measured(
        self, predictor: Predictor, source: CaseSource
    ) -> Mapping[str, list[float | None]]:
        plan = self.recipe.plan
        image = read_image(source)
        prepared = prepare(image.array, image.grid, plan)
        found = labels_of(probabilities(predictor, prepared, plan), prepared)
        truth = class_labels(self.dataset, read_mask(source, image))
        found = np.where(truth < 0, 0, found)
        spacing = image.grid.spacing_mm if image.grid else (1.0, 1.0)
        rows = measure_labels(np.maximum(truth, 0), found, spacing, len(plan.classes))
        drawn = drawn_in(self.dataset, truth)
        return {
            key: [v if is_drawn else None for v, is_drawn in zip(row, drawn, strict=True)]
            for key, row in rows.items()
        }

    def judge(
        self, predictions: Sequence[Predictions], rng: np.random.Generator
    ) -> tuple[SegmentationPlan, list[Figure]]:
        """Average each measure over the held-out cases; nothing needs calibration."""
        plan = self.recipe.plan
        return plan, segmentation_figures(plan.classes, predictions, rng)

    def export(self, members: Sequence[nn.Module], path: Path) -> None:
        """Write the mean of the networks' probabilities as ONNX, for windows of the patch."""
        export_segmenters(members, self.recipe.plan, path)


def _answers(logits: Tensor) -> Mapping[str, Tensor]:
    return {"probability": torch.softmax(logits.float(), dim=1)}


def purpose_of(dataset: Dataset, cases: int) -> Purpose:
    """Say what can be said of a bundle for any data: what it was shown, and no more."""
    classes = ", ".join(dataset.classes)
    return purpose_for(
        dataset,
        cases,
        title=f"Segmentation of {classes} in {', '.join(dataset.channels)}",
        answer=f"labels of {classes} in images",
        classes={name: f"label {n}" for n, name in enumerate(dataset.classes, start=1)},
    )


def measure_labels(
    truth: Int[ndarray, "*s"],
    found: Int[ndarray, "*s"],
    spacing_mm: tuple[float, ...],
    classes: int,
) -> Mapping[str, list[float | None]]:
    """Measure each class; None where it is in neither, or has no surface to compare."""
    labels = range(1, classes + 1)
    common = overlaps(truth, found, labels=labels, spacing_mm=spacing_mm)
    surfaces = surface_figures_by_label(truth, found, labels=labels, spacing_mm=spacing_mm)
    return {
        "dice": [_known(each.dice) for each in common],
        "hd95_mm": [_known(surfaces[label].hausdorff_95_mm) for label in labels],
        "msd_mm": [_known(surfaces[label].mean_mm) for label in labels],
        "surface_dice_1mm": [_known(surfaces[label].dice[1.0]) for label in labels],
        "difference_mm3": [_known(each.difference_mm3) for each in common],
    }


def segmentation_figures(
    classes: Sequence[str], predictions: Sequence[Predictions], rng: np.random.Generator
) -> list[Figure]:
    """Mean of each measure over the cases that have it, with its interval."""
    titles = {
        "dice": "Dice",
        "hd95_mm": "HD95 (mm)",
        "msd_mm": "mean surface distance (mm)",
        "surface_dice_1mm": "surface Dice at 1 mm",
        "difference_mm3": "volume difference (mm3)",
    }
    figures = []
    for key, title in titles.items():
        for c, name in enumerate(classes):
            values = [case[c] for part in predictions for case in part.get(key, ())]
            known = np.array([v for v in values if v is not None], float)
            if len(known):
                figures.append(_mean(f"{name} {title}", known, rng))
    return figures


def _mean(name: str, values: Float[ndarray, " n"], rng: np.random.Generator) -> Figure:
    def mean(which: Int[ndarray, " m"]) -> float:
        return float(values[which].mean())

    value, low, high = interval_95(mean, cases=len(values), rng=rng, draws=1000)
    return Figure(name, value, low, high, len(values))


def _loss(logits: Tensor, truth: Tensor) -> Tensor:
    return dice_and_entropy(logits, truth, _COUNTED)


def _known(value: float) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None
