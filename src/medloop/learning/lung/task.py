"""Learning to tell nodules from vessels: what the training command needs of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from medloop.evaluation.bootstrap import Figure
from medloop.imaging.hounsfield import Quantiles, quantiles
from medloop.learning.card import PURPOSES, Purpose
from medloop.learning.export import export_nodule_nets
from medloop.learning.figures import Predictions
from medloop.learning.folds import stratified_folds
from medloop.learning.loop import Batches
from medloop.learning.lung.batches import NoduleBatches, Patches, patch_as_slices
from medloop.learning.lung.cases import LungCase
from medloop.learning.lung.figures import nodule_figures, settled
from medloop.learning.lung.readings import ScanReadings
from medloop.learning.lung.recipe import NoduleRecipe
from medloop.learning.lung.shapes import shapes_of
from medloop.learning.lung.suspicion import fit_suspicion, rated, suspicion_figure
from medloop.learning.tasks import imagenet
from medloop.learning.torch_predictor import TorchPredictor
from medloop.models.bundle import SCREEN, WEIGHTS
from medloop.models.networks.nodules import NoduleNet
from medloop.models.nodule_plan import NodulePlan
from medloop.models.nodules import Spots, cubes_at, lung_values, review
from medloop.models.predict import Networks, Predictor

_BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class NoduleTask:
    """Places on chest CT, by two networks."""

    recipe: NoduleRecipe
    cases: tuple[LungCase, ...]
    spots: tuple[Spots, ...]
    outlines: tuple[ScanReadings, ...] = ()
    patches: Patches | None = None  # to learn from
    held_out: Patches | None = None  # measured only
    unit: str = "patient"
    caveat: str = (
        "; false marks are counted on whole scans only, and few were there: read the intervals;"
        " nodules that fewer than three readers marked count nothing (LUNA16); the threshold"
        " and the temperature are chosen on the same predictions, and enter no figure"
    )
    main: str = "sensitivity at 1 false marks a scan"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the cases, in order."""
        return tuple(case.source.name for case in self.cases)

    @property
    def purpose(self) -> Purpose:
        """What the bundle is for."""
        return PURPOSES[self.recipe.name]

    @property
    def input_summary(self) -> Mapping[str, object]:
        """What the card says of the networks' input, and of the patches, without their path."""
        learnt = 0 if self.patches is None else len(self.patches.labels)
        return {
            "cube": list(self.recipe.plan.cube),
            "patches": Path(self.recipe.patches).name if learnt else "none",
            "patches_learnt_from": learnt,
        }

    def folds(self, count: int) -> Int[ndarray, " n"]:
        """Return the fold of each case: a patient's share one, whole scans are dealt evenly."""
        patients = sorted({case.source.patient for case in self.cases})
        groups = np.array([patients.index(case.source.patient) for case in self.cases])
        strata = [(int(case.source.is_whole),) for case in self.cases]
        return stratified_folds(groups, strata, folds=count, seed=0)

    def network(self) -> nn.Module:
        """Make both networks, the first one's trunk from ImageNet."""
        network = NoduleNet(self.recipe.plan.architecture)
        network.screen.load_imagenet(imagenet("lite0"))
        return network

    def batches(self, chosen: Int[ndarray, " n"]) -> tuple[Batches, int]:
        """Return one epoch's batches over the chosen cases, and their number."""
        taken = {self.cases[n].source.patient for n in chosen}
        held_out = [c.source.patient for c in self.cases if c.source.patient not in taken]
        made = NoduleBatches(
            [self.cases[n] for n in chosen],
            [self.spots[n] for n in chosen],
            shapes_of(self.outlines, without=held_out, most=self.recipe.shapes),
            self.patches,
            self.recipe,
            self.recipe.steps,
        )
        return made, self.recipe.steps

    def loss(self, model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Binary cross-entropy of both networks."""
        x, y, slices, slices_y = batch
        deep, flat = model(x, slices)
        return binary_cross_entropy_with_logits(
            deep[:, 0].float(), y
        ) + binary_cross_entropy_with_logits(flat[:, 0].float(), slices_y)

    def predict(self, network: nn.Module, chosen: Int[ndarray, " n"]) -> Predictions:
        """Answer held-out cases, and the patches that are only measured."""
        if not isinstance(network, NoduleNet):
            raise TypeError(f"{type(network).__name__} is no NoduleNet")
        both = {
            SCREEN: TorchPredictor(network.screen, _logits),
            WEIGHTS: TorchPredictor(network.review, _logits),
        }
        return self.answer(both, chosen)

    def answer(self, networks: Networks, chosen: Int[ndarray, " n"]) -> Predictions:
        """Answer cases, and the patches that are only measured, by networks ready to run."""
        screen, second = networks[SCREEN], networks[WEIGHTS]
        rows = []
        for n in chosen:
            case, spots, plan = self.cases[n], self.spots[n], self.recipe.plan
            cubes = cubes_at(case.hu, case.spacing_mm, spots.centers, plan)
            answer = review(screen, second, cubes, plan)
            seen = np.isfinite(answer.logits)
            rows.append(
                {
                    "name": case.source.name,
                    "patient": case.source.patient,
                    "is_whole": case.source.is_whole,
                    "middle_mm": _rounded((np.array(case.hu.shape) - 1) / 2 * case.spacing_mm),
                    "marks": [_mark(case, m) for m in range(len(case.marks))],
                    "places_mm": _rounded(spots.centers[seen] * case.spacing_mm),
                    "logits": _rounded(answer.logits[seen]),
                    "screened": _rounded(answer.screened[seen]),
                }
            )
        return {
            "name": [row["name"] for row in rows],
            "cases": rows,
            "patches": self._patches(screen),
        }

    def _patches(self, screen: Predictor) -> Mapping[str, list[float]]:
        if self.held_out is None:
            return {}
        images, logits = self.held_out.images, []
        for start in range(0, len(images), _BATCH):
            part = [
                patch_as_slices(i, self.recipe.plan) for i in images[start : start + _BATCH]
            ]
            logits.append(screen.run(np.stack(part))["logits"][:, 0])
        return {
            "labels": self.held_out.labels.tolist(),
            "logits": _rounded(np.concatenate(logits)),
        }

    def judge(
        self, predictions: Sequence[Predictions], rng: np.random.Generator
    ) -> tuple[NodulePlan, list[Figure]]:
        """Calibrate on out-of-fold predictions, then measure them."""
        known = rated(self.outlines)
        plan = settled(self.recipe.plan, predictions)
        plan = replace(plan, suspicion=fit_suspicion(known), reference=self._reference())
        figures = nodule_figures(predictions, rng) if predictions else []
        opinion = suspicion_figure(known, rng)
        return plan, [*figures, *([opinion] if opinion else [])]

    def _reference(self) -> Quantiles | None:
        """Describe the HU of the lungs in all scans, each scan as much as another."""
        scans = [case for case in self.cases if case.source.is_whole]
        parts = [quantiles(lung_values(case.hu, case.lungs)) for case in scans]
        if not parts:
            return None
        values = np.mean([part.values for part in parts], axis=0)
        return Quantiles(parts[0].shares, tuple(round(float(v), 1) for v in values))

    def export(self, members: Sequence[nn.Module], path: Path) -> None:
        """Write the mean of the networks as ONNX: what reviews, and beside it what screens."""
        export_nodule_nets(
            [m for m in members if isinstance(m, NoduleNet)], self.recipe.plan, path
        )


def _logits(logits: Tensor) -> Mapping[str, Tensor]:
    return {"logits": logits.float()}


def _mark(case: LungCase, n: int) -> Mapping[str, object]:
    mark = case.marks[n]
    center = _rounded(np.array(mark.center) * case.spacing_mm)
    return {**asdict(mark), "center": None, "center_mm": center}


def _rounded(values: Float[ndarray, " *s"] | Float32[ndarray, " *s"]) -> list[float]:
    listed: list[float] = np.round(np.asarray(values, float), 4).tolist()
    return listed
