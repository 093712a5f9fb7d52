"""The second reader of grades: trees that read what a lesion network outlines.

Each fold's trees read the maps of the lesion network of the same fold, which has seen none of
the held-out photographs either: both trainings divide copies of a photograph alike.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32
from numpy import ndarray
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import ExtraTreesRegressor

from medloop.core.errors import InputError
from medloop.learning.datasets import Example
from medloop.learning.export import LesionEnsemble, export_onnx
from medloop.learning.figures import Predictions
from medloop.learning.placed import with_field
from medloop.learning.tasks import GradingTask
from medloop.models.bundle import Bundle, load_bundle, sha256_of
from medloop.models.evidence import evidence, find, fovea_of, outline
from medloop.models.nets import LiteUNet
from medloop.models.plan import Plan, Task
from medloop.models.predict import Predictor, open_predictor, open_weights

Count = Callable[[int, int], None]  # photographs done, of all
_TREES, _LEAF, _SHARE = 200, 3, 0.3  # trees; least cases a leaf; share of numbers a split tries


@dataclass(frozen=True, slots=True, eq=False)
class Second:
    """Grows a part's trees from the lesion network of the same part, and keeps what it read."""

    run: Path  # a finished training of `retina_lesions`
    bundle: Bundle  # made by that training
    task: GradingTask
    work: Path
    seed: int
    count: Count

    def evidence_id(self, part: str) -> str:
        """Name the weights that read a part's lesions; `InputError` if they are not trained."""
        return sha256_of(self._weights(part))[:16]

    def beside(self, part: str, alone: Predictions, is_out: Bool[ndarray, " n"]) -> Predictions:
        """Join a fold's held-out predictions with those of trees grown on the other folds."""
        plan = self.bundle.photograph_plan
        path = self.work / f"{part}.lesions.onnx"
        export_onnx(LesionEnsemble([self._network(part)]), path, outputs=("probability",))
        numbers = self._numbers(part, self.evidence_id(part), open_weights(path), plan)
        grades = self.task.pictures.grades
        shown = [grade for grade, out in zip(grades, is_out, strict=True) if not out]
        trees = grow(numbers[~is_out], shown, self.task.recipe.plan, self.seed)
        told = self.task.beside(alone, trees.predict(numbers[is_out]))
        return {**told, "evidence": self.evidence_id(part)}

    def export(self, plan: Plan, path: Path) -> Plan:
        """Grow trees on all photographs, as the lesion bundle reads them, and write them."""
        outliner = open_predictor(self.bundle)
        read = self.bundle.photograph_plan
        numbers = self._numbers("all", self.bundle.sha256[:16], outliner, read)
        trees = grow(numbers, self.task.pictures.grades, plan, self.seed)
        beside = path.with_name(path.name + ".part")
        export_forest(trees, beside)
        beside.replace(path)
        return replace(plan, reads=self.bundle.name, reads_sha256=self.bundle.sha256)

    def _numbers(
        self, part: str, name: str, outliner: Predictor, plan: Plan
    ) -> Float32[ndarray, "n k"]:
        kept = self.work / f"{part}.{name}.evidence.npz"
        return read_all(self.task.examples, outliner, plan, kept, self.count)

    def _weights(self, part: str) -> Path:
        path = self.run / "work" / f"{part}.pt"
        if not path.is_file():
            raise InputError(f"{path} is missing: train {part} of retina_lesions first")
        return path

    def _network(self, part: str) -> LiteUNet:
        recipe = json.loads((self.run / "work" / "recipe.json").read_text(encoding="utf-8"))
        widths, classes = tuple(recipe["widths"]), len(self.bundle.photograph_plan.classes)
        network = LiteUNet(classes, scale=recipe["trunk"], widths=widths)
        state = torch.load(self._weights(part), weights_only=True, map_location="cpu")
        network.load_state_dict(state)
        return network


def open_second(run: Path, task: GradingTask, out: Path, seed: int, count: Count) -> Second:
    """Open a finished training of `retina_lesions`.

    Raises
    ------
    InputError
        If it is none, or its data were divided otherwise than these.
    """
    split = run / "folds" / "split.json"
    if not (split.is_file() and (run / "work" / "recipe.json").is_file()):
        raise InputError(f"{run} is no training of retina_lesions")
    bundle = load_bundle(run)
    if bundle.plan.task is not Task.LESIONS:
        raise InputError(f"{run} is no training of retina_lesions but of {bundle.name}")
    _require_same_division(task, json.loads(split.read_text(encoding="utf-8")))
    return Second(run, bundle, task, out / "work", seed, count)


def _require_same_division(task: GradingTask, split: Mapping[str, int]) -> None:
    """Check that photographs outlined there are in the same fold here."""
    folds = task.division.sister_folds(task.recipe.of_folds)
    for name, fold in split.items():
        if folds.get(name) != fold:
            raise InputError(
                f"{name} is in fold {fold} of the lesions, in {folds.get(name)} of the grades:"
                " train both on one folder that holds grading and lesions"
            )


def read_all(
    examples: Sequence[Example],
    outliner: Predictor,
    plan: Plan,
    kept: Path,
    report: Count = lambda _done, _all: None,
) -> Float32[ndarray, "n k"]:
    """Read the lesions of every photograph; what `kept` holds is not done again."""
    if kept.is_file():
        with np.load(kept) as there:
            if there["names"].tolist() == [e.name for e in examples]:
                return np.asarray(there["numbers"])
    rows = []
    for n, example in enumerate(examples):
        rgb, field = with_field(example)
        outlined = outline(outliner, rgb, field, plan)
        rows.append(evidence(outlined, fovea_of(find(outlined, rgb, field))))
        report(n + 1, len(examples))
    numbers = np.stack(rows)
    beside = kept.with_name(kept.name + ".part.npz")
    np.savez(beside, names=np.array([e.name for e in examples]), numbers=numbers)
    beside.replace(kept)
    return numbers


def grow(
    numbers: Float32[ndarray, "n k"], grades: Sequence[tuple[int, ...]], plan: Plan, seed: int
) -> ExtraTreesRegressor:
    """Grow trees (Geurts 2006) that give P(grade > k) of every scale."""
    truth = np.array(grades)
    above = [
        truth[:, n, None] > np.arange(scale.grades - 1) for n, scale in enumerate(plan.scales)
    ]
    trees = ExtraTreesRegressor(
        _TREES, min_samples_leaf=_LEAF, max_features=_SHARE, random_state=seed
    )
    return trees.fit(numbers, np.concatenate(above, axis=1).astype(np.float32))


def export_forest(trees: ExtraTreesRegressor, path: Path) -> None:
    """Write trees as ONNX: ``evidence`` (n, k) to ``above`` (n, s)."""
    proto = to_onnx(
        trees,
        initial_types=[("evidence", FloatTensorType([None, trees.n_features_in_]))],
        final_types=[("above", FloatTensorType([None, trees.n_outputs_]))],
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    path.write_bytes(proto.SerializeToString(deterministic=True))
