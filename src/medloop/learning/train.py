"""``medloop train``: folds, final network, bundle; each part is kept and never redone."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray
from torch import nn

import medloop
from medloop.core.errors import InputError, ServiceError
from medloop.learning.card import PURPOSES, card_text
from medloop.learning.loop import Progress, Run, Schedule, fit
from medloop.learning.recipes import Recipe, recipe_named
from medloop.learning.tasks import LearningTask, open_task
from medloop.models.bundle import CARD, PLAN, WEIGHTS, seal

Say = Callable[[str, Progress], None]


@dataclass(frozen=True, slots=True)
class Order:
    """One call of ``medloop train``."""

    recipe: Recipe
    data: Path
    out: Path
    seed: int
    device: str
    resume: bool


def train(
    recipe_name: str,
    data: Path,
    out: Path,
    *,
    settings: Mapping[str, str],
    seed: int = 0,
    resume: bool = False,
    device: str = "auto",
    report: Say = lambda part, progress: None,
) -> Path:
    """Cross-validate, train the final network and write a bundle to `out`.

    Out-of-fold predictions accumulate in ``out/folds``, so folds may be run on different days;
    checkpoints and finished networks stay in ``out/work`` until the bundle is complete elsewhere.

    Raises
    ------
    InputError
        If the recipe, a setting or the data is wrong, or `out` holds other work and `resume` is off.
    """
    recipe = recipe_named(recipe_name, settings)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    order = Order(recipe, data, out, seed, device, resume)
    task = open_task(recipe, data)
    fold_of = _split(order, task)
    for fold in _folds(recipe):
        _cross_validate(order, task, fold, fold_of, report)
    if recipe.final:
        _network(order, task, "final", np.arange(len(fold_of)), report)
    _bundle(order, task, fold_of)
    return out


def _folds(recipe: Recipe) -> tuple[int, ...]:
    try:
        folds = tuple(int(part) for part in recipe.folds.split(",") if part.strip())
    except ValueError as why:
        raise InputError(f"folds={recipe.folds!r} is no list such as 0,1") from why
    if any(fold not in range(recipe.of_folds) for fold in folds):
        raise InputError(f"folds={recipe.folds!r} outside 0 ... {recipe.of_folds - 1}")
    return folds


def _split(order: Order, task: LearningTask) -> Int[ndarray, " n"]:
    """Divide by photograph group and keep the division beside the bundle."""
    fold_of = task.division.folds(order.recipe.of_folds)
    path = order.out / "folds" / "split.json"
    split = {e.name: int(fold) for e, fold in zip(task.examples, fold_of, strict=True)}
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != split:
            raise InputError(f"{path} divides other data; train into another folder")
    else:
        _write(path, json.dumps(split, indent=0, sort_keys=True) + "\n")
    return fold_of


def _cross_validate(
    order: Order, task: LearningTask, fold: int, fold_of: Int[ndarray, " n"], report: Say
) -> None:
    path = order.out / "folds" / f"fold{fold}.json"
    if path.is_file() and order.resume:
        return
    network = _network(order, task, f"fold{fold}", np.flatnonzero(fold_of != fold), report)
    held_out = np.flatnonzero(fold_of == fold)
    _write(path, json.dumps(task.predict(network, held_out, order.device)) + "\n")


def _network(
    order: Order, task: LearningTask, part: str, chosen: Int[ndarray, " n"], report: Say
) -> nn.Module:
    """Train one network, or load it if it is finished."""
    work = order.out / "work"
    finished = work / f"{part}.pt"
    network = task.network()
    if finished.is_file() and order.resume:
        network.load_state_dict(torch.load(finished, weights_only=True, map_location="cpu"))
        return network.eval()
    recipe = order.recipe
    batches, steps = task.batches(chosen)
    schedule = Schedule(
        recipe.epochs,
        steps,
        rate=recipe.rate,
        head_rate=recipe.head_rate,
        averaging=recipe.averaging,
    )
    run = Run(order.seed, order.device, work / f"{part}.checkpoint", order.resume)
    trained = fit(network, batches, task.loss, schedule, run, lambda p: report(part, p))
    trained.cpu()
    torch.save(trained.state_dict(), work / f"{part}.saving")
    os.replace(work / f"{part}.saving", finished)
    (work / f"{part}.checkpoint").unlink(missing_ok=True)
    return trained


def _bundle(order: Order, task: LearningTask, fold_of: Int[ndarray, " n"]) -> None:
    """Calibrate on out-of-fold predictions, export, and write the card."""
    recipe, out = order.recipe, order.out
    members = _members(order, task)
    done = sorted((out / "folds").glob("fold*.json"))
    predictions = [json.loads(path.read_text(encoding="utf-8")) for path in done]
    plan = task.calibrate(recipe.plan, predictions)
    figures = task.figures(plan, predictions, np.random.default_rng(order.seed))
    task.export(members, out / f"{WEIGHTS}.part")
    os.replace(out / f"{WEIGHTS}.part", out / WEIGHTS)
    _write(out / PLAN, plan.to_json())
    text = card_text(
        name=recipe.name,
        version=medloop.__version__,
        purpose=PURPOSES[recipe.name],
        training=_training(order, len(fold_of), len(members)),
        figures=figures,
        figures_how=(
            f"out of fold on {len(done)} of {recipe.of_folds} folds by photograph (copies share"
            " a fold), networks of the same recipe trained on the other folds; 95 % intervals by"
            " bootstrap over photographs; thresholds and temperatures chosen on the same"
            " predictions do not enter areas, kappa or accuracy"
        ),
    )
    _write(out / CARD, text)
    seal(out)


def _members(order: Order, task: LearningTask) -> Sequence[nn.Module]:
    work = order.out / "work"
    final = [work / "final.pt"] if order.recipe.ship in ("final", "both") else []
    folds = sorted(work.glob("fold*.pt")) if order.recipe.ship in ("folds", "both") else []
    members = []
    for path in (*final, *folds):
        if not path.is_file():
            raise InputError(f"{path} is missing: train it, or set ship to what there is")
        network = task.network()
        network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        members.append(network.eval())
    if not members:
        raise InputError(f"nothing to ship: no finished network in {work}")
    return members


def _training(order: Order, cases: int, members: int) -> Mapping[str, Any]:
    recipe = asdict(order.recipe)
    plan = recipe.pop("plan")
    recipe["input_field_px"] = plan["field_px"]
    return {
        "command": f"medloop train {order.recipe.name} --data DIR -o BUNDLE --seed {order.seed}",
        "cases": cases,
        "networks": members,
        "seed": order.seed,
        "device": order.device,
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "recipe": recipe,
    }


def _write(path: Path, text: str) -> None:
    """Write whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".part")
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    except OSError as why:
        raise ServiceError(f"{path} cannot be written: {why.strerror}") from why
