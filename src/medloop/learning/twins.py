"""``medloop train --int8``: INT8 twins of a trained bundle's networks, gated out of fold.

Each fold's network is exported alone, quantized on cases that it learned from, and asked about
those that it has never seen, once in FP32 and once in INT8. If the pooled main figure falls by
0.5 points at most, the bundle's own networks are quantized the same way. Else the operations
that move the answers furthest compute in FP32 again: an eighth of each network, a quarter, then
half. If that is not enough the bundle gets no twin, and its card says why.
"""

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from jaxtyping import Bool, Int
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.evaluation.bootstrap import Figure
from medloop.learning.figures import Predictions
from medloop.learning.gate import (
    MOST_CASES,
    SHARES,
    Gate,
    Recorder,
    Rounding,
    with_verdict,
)
from medloop.learning.integers import aligned, quantized, save_beside, unpacked
from medloop.learning.order import LearningTask, Order, loaded, trained_folds
from medloop.learning.quantize import Quantizer
from medloop.learning.second import Second
from medloop.models.bundle import CARD, INT8, WEIGHTS, seal
from medloop.models.engines import Precision, Predictor
from medloop.models.predict import open_weights

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """A fold's exported network: where it is, what it has not seen, and its rounding."""

    part: str
    folder: Path
    is_out: Bool[ndarray, " n"]
    roundings: Mapping[str, Rounding]  # by file


def add_twins(
    order: Order,
    task: LearningTask,
    second: Second | None,
    *,
    tell: Tell = lambda _line: None,
    into: Quantizer = quantized,
) -> Gate:
    """Give the bundle in ``order.out`` INT8 twins if its main figure holds; say so in its card.

    Raises
    ------
    InputError
        If no fold was trained.
    ServiceError
        If NNCF is not installed.
    """
    parts = trained_folds(order)
    if not parts:
        raise InputError("--int8 is measured out of fold, and no fold was trained")
    with tempfile.TemporaryDirectory() as scratch:
        folds = []
        for part in parts:
            tell(f"{part}: calibrating INT8")
            folds.append(_calibrated(order, task, part, Path(scratch) / part, into))
        fp32 = _figures(order, task, [_answered(task, second, fold, None) for fold in folds])
        share, gate, int8 = _gate(order, task, second, (folds, fp32), tell)
        kept = _seal(order, task, share, into) if gate.passed else {}
    about = {
        "how": "out of fold, the network of each fold quantized as the bundle's",
        "folds": ",".join(part.removeprefix("fold") for part in parts),
        "measured_on": int(sum(fold.is_out.sum() for fold in folds)),
        "calibrated_on": min(MOST_CASES, len(task.names)),
        "kept_in_fp32": kept,
        "figures": [
            {"name": one.name, "fp32": _round(one.value), "int8": _round(other.value)}
            for one, other in zip(fp32, int8, strict=True)
        ],
    }
    _note(order.out, gate, about)
    return gate


def _calibrated(
    order: Order, task: LearningTask, part: str, folder: Path, into: Quantizer
) -> _Fold:
    """Export a fold's network and quantize it on cases it learned from."""
    is_out = task.folds(order.recipe.of_folds) == int(part.removeprefix("fold"))
    folder.mkdir()
    task.export(loaded(order, task, part), folder / WEIGHTS)
    return _Fold(part, folder, is_out, _rounded(task, folder, np.flatnonzero(~is_out), into))


def _rounded(
    task: LearningTask, folder: Path, known: Int[ndarray, " m"], into: Quantizer
) -> Mapping[str, Rounding]:
    """Quantize each network of a folder by what it is asked about some of the known cases."""
    files = [name for name in INT8 if (folder / name).is_file()]
    asked = {name: Recorder(open_weights(folder / name)) for name in files}
    task.answer(asked, known[:: math.ceil(len(known) / MOST_CASES)])
    out = {}
    for name, recorder in asked.items():
        reference = unpacked(folder / name)
        whole = aligned(into(reference, recorder.kept), folder / name)
        out[name] = Rounding(reference, whole, recorder.kept)
    return out


def _answered(
    task: LearningTask, second: Second | None, fold: _Fold, share: float | None
) -> Predictions:
    """Answer a fold's held-out cases: in FP32, or in INT8 but for a share of operations."""
    networks: dict[str, Predictor] = {}
    for name, rounding in fold.roundings.items():
        path, precision = fold.folder / name, Precision.FP32
        if share is not None:
            path, precision = fold.folder / INT8[name], Precision.INT8
            onnx.save(rounding.with_spared(share), str(path))
        networks[name] = open_weights(path, precision=precision)
    told = task.answer(networks, np.flatnonzero(fold.is_out))
    return told if second is None else second.beside(fold.part, told, fold.is_out)


def _figures(
    order: Order, task: LearningTask, predictions: list[Predictions]
) -> Sequence[Figure]:
    """Measure pooled answers, as a card does."""
    _, figures = task.judge(predictions, np.random.default_rng(order.seed))
    return figures


def main_of(figures: Sequence[Figure], ending: str) -> tuple[str, float]:
    """Return the mean of the figures whose names end so, and what to call it.

    Raises
    ------
    InputError
        If there is none, or it is not finite.
    """
    values = [figure.value for figure in figures if figure.name.endswith(ending)]
    if not values or not math.isfinite(float(np.mean(values))):
        raise InputError(f"the held-out cases give no {ending.strip()}")
    name = ending.strip()
    return (f"mean {name}" if len(values) > 1 else name), float(np.mean(values))


def _gate(
    order: Order,
    task: LearningTask,
    second: Second | None,
    measured: tuple[list[_Fold], Sequence[Figure]],
    tell: Tell,
) -> tuple[float, Gate, Sequence[Figure]]:
    """Return the smallest share of operations in FP32 that passes, or the largest tried."""
    folds, exact = measured
    name, fp32 = main_of(exact, task.main)
    every = sum(len(r.operations()) for fold in folds for r in fold.roundings.values())
    share, gate, figures = 0.0, Gate(name, fp32, -math.inf, (), every), exact
    for tried in SHARES:
        share = float(tried)
        told = [_answered(task, second, fold, share) for fold in folds]
        figures = _figures(order, task, told)
        _, int8 = main_of(figures, task.main)
        gate = Gate(name, fp32, int8, _spared(folds, share), every)
        tell(gate.reason)
        if gate.passed:
            break
    return share, gate, figures


def _spared(folds: list[_Fold], share: float) -> tuple[str, ...]:
    """Name what stays in FP32 in the folds' networks."""
    return tuple(
        f"{fold.part}: {each}"
        for fold in folds
        for rounding in fold.roundings.values()
        for each in rounding.spared(share)
    )


def _round(value: float) -> float:
    return round(float(value), 4)


def _seal(
    order: Order, task: LearningTask, share: float, into: Quantizer
) -> dict[str, list[str]]:
    """Quantize the bundle's own networks beside them; return what stays in FP32, by file."""
    every = np.arange(len(task.names))
    kept = {}
    for name, rounding in _rounded(task, order.out, every, into).items():
        twin = order.out / INT8[name]
        part = twin.with_name(f".{twin.name}.part")
        save_beside(rounding.with_spared(share), order.out / name, part)
        part.replace(twin)
        kept[name] = list(rounding.spared(share))
    return kept


def _note(out: Path, gate: Gate, about: Mapping[str, Any]) -> None:
    """Write what was found into the card, and seal the bundle."""
    import tomllib  # noqa: PLC0415 (beside its writer)

    import tomli_w  # noqa: PLC0415 (only for cards)

    card = tomllib.loads((out / CARD).read_text(encoding="utf-8"))
    card["training"]["command"] += " --int8"
    (out / CARD).write_text(tomli_w.dumps(with_verdict(card, gate, about)), encoding="utf-8")
    seal(out)
