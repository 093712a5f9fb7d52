"""``medloop train``: folds, final network, bundle; each part is kept and never redone."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray
from torch import nn

import medloop
from medloop.core.errors import InputError, ServiceError
from medloop.learning.base import save_network
from medloop.learning.card import card_text
from medloop.learning.classification.opening import Planned as PlannedClassification
from medloop.learning.classification.opening import open_classification
from medloop.learning.classification.task import ClassificationTask
from medloop.learning.keep import FREE, AnyRecipe, claim, write_text
from medloop.learning.loop import Progress, Report, Run, Schedule, fit, save_whole
from medloop.learning.lora import annotate_adapters
from medloop.learning.recipes import SHIPS, Recipe
from medloop.learning.second import Second, open_second
from medloop.learning.segmentation.opening import Planned, open_segmentation
from medloop.learning.segmentation.task import SegmentationTask
from medloop.learning.start import Start, asked, begin, finish, told
from medloop.learning.tasks import GradingTask, LesionTask, open_task
from medloop.models.bundle import ADAPTER, CARD, FOREST, NETWORK, PLAN, WEIGHTS, seal
from medloop.models.plan import Plan

_FINAL = "final"

LearningTask = GradingTask | LesionTask | SegmentationTask | ClassificationTask


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
    planned: Planned | PlannedClassification | None = None  # the data the recipe is for
    start: Start = field(default_factory=Start)  # other weights; what of them moves


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


Say = Callable[[Milestone], None]
Count = Callable[[int, int], None]  # photographs done, of all


def train(
    order: Order,
    *,
    report: Say = lambda _milestone: None,
    count: Count = lambda _done, _all: None,
) -> Path | None:
    """Cross-validate, train the final network and write a bundle to ``order.out``.

    Out-of-fold predictions accumulate in ``out/folds``, so folds may be run on different days;
    checkpoints and finished networks stay in ``out/work``, beside the settings they were made
    with. `count` hears of photographs whose lesions are read for the second reader of grades.
    Returns the bundle, or None where the networks it ships are not all trained yet.

    Raises
    ------
    InputError
        If a setting or the data is wrong, or `out` holds other work.
    DivergedError
        If a loss is no longer a number.
    ServiceError
        If something cannot be written.
    """
    order = replace(order, device=_device(order.device))
    parts = _parts(order)
    start = order.start.claims()
    claim(
        order.out,
        order.recipe,
        seed=order.seed,
        parts=parts,
        resume=order.resume,
        start=start,
    )
    task = _open(order, count)
    fold_of = _split(order, task)
    second = _second(order, task, count)
    for number, part in enumerate(parts):

        def say(progress: Progress, part: str = part, number: int = number) -> None:
            report(Milestone(part, progress, len(parts) - number - 1))

        if part == _FINAL:
            _network(order, task, part, np.arange(len(fold_of)), say)
        else:
            _cross_validate(order, task, second, part, say)
    if order.recipe.ship != "folds" and not _finished(order, _FINAL).is_file():
        return None
    _bundle(order, task, second, len(fold_of))
    return order.out


def _open(order: Order, count: Count) -> LearningTask:
    if isinstance(order.recipe, Recipe):
        return open_task(order.recipe, order.data)
    if order.planned is None:
        raise InputError(f"recipe {order.recipe.name} needs data that were planned for")
    write_text(order.out / "fingerprint.json", order.planned.fingerprint.to_json())
    if isinstance(order.planned, Planned):
        return open_segmentation(order.planned, order.out / "work", report=count)
    return open_classification(order.planned, order.out / "work", report=count)


def _device(wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ServiceError("device cuda: PyTorch finds no CUDA device here")
    return wanted


def _parts(order: Order) -> tuple[str, ...]:
    """Name the networks to train, ``fold0`` ... and ``final``."""
    recipe = order.recipe
    try:
        folds = tuple(
            dict.fromkeys(int(part) for part in recipe.folds.split(",") if part.strip())
        )
    except ValueError as why:
        raise InputError(f"setting folds={recipe.folds!r} is no list such as 0,1") from why
    if any(fold not in range(recipe.of_folds) for fold in folds):
        raise InputError(f"setting folds={recipe.folds!r} outside 0 ... {recipe.of_folds - 1}")
    if recipe.ship not in SHIPS:
        raise InputError(f"setting ship={recipe.ship!r} is none of {', '.join(SHIPS)}")
    if recipe.ship != "final" and order.start.tuning.adapt == "lora":
        raise InputError(f"setting ship={recipe.ship!r}: adapters are of one network")
    parts = tuple(f"fold{fold}" for fold in folds)
    if recipe.ship == "folds" and not parts and not _fold_networks(order):
        raise InputError("setting ship='folds' with no fold to train and none trained")
    if recipe.final:
        return (*parts, _FINAL)
    if not parts:
        raise InputError("settings folds='' and final=false leave nothing to train")
    return parts


def _split(order: Order, task: LearningTask) -> Int[ndarray, " n"]:
    """Divide by photograph group and keep the division beside the bundle."""
    fold_of = task.folds(order.recipe.of_folds)
    path = order.out / "folds" / "split.json"
    split = {name: int(fold) for name, fold in zip(task.names, fold_of, strict=True)}
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != split:
            raise InputError(f"{path} divides other data; train into another folder")
    else:
        write_text(path, json.dumps(split, indent=0, sort_keys=True) + "\n")
    return fold_of


def _second(order: Order, task: LearningTask, count: Count) -> Second | None:
    if order.lesions is None:
        return None
    if not isinstance(task, GradingTask):
        raise InputError(f"{order.recipe.name} takes no second reader: leave out --lesions")
    return open_second(order.lesions, task, order.out, order.seed, count)


def _cross_validate(
    order: Order, task: LearningTask, second: Second | None, part: str, report: Report
) -> None:
    path = order.out / "folds" / f"{part}.json"
    reads = "" if second is None else second.evidence_id(part)
    if order.resume and path.is_file() and _evidence_of(path) == reads:
        return
    fold_of = task.folds(order.recipe.of_folds)
    is_out = fold_of == int(part.removeprefix("fold"))
    if not is_out.any() or is_out.all():
        raise InputError(
            f"{part} of {len(fold_of)} {task.unit}s has nothing to hold out or learn"
        )
    network = _network(order, task, part, np.flatnonzero(~is_out), report)
    held_out = np.flatnonzero(is_out)
    predictions = task.predict(network, held_out)
    if second is not None:
        predictions = second.beside(part, predictions, is_out)
    write_text(path, json.dumps(predictions) + "\n")


def _evidence_of(path: Path) -> str:
    """Name the weights that read the lesions for these predictions; empty if none did."""
    return str(json.loads(path.read_text(encoding="utf-8")).get("evidence", ""))


def _network(
    order: Order, task: LearningTask, part: str, chosen: Int[ndarray, " n"], report: Report
) -> nn.Module:
    """Train one network, or load it if it is finished."""
    finished = _finished(order, part)
    if finished.is_file() and order.resume:
        return _loaded(task, finished)
    torch.manual_seed(order.seed)  # a network's first weights do not depend on those before it
    network = task.network()
    recipe = order.recipe
    begun = begin(network, order.start, recipe.plan, order.seed)
    batches, steps = task.batches(chosen)
    schedule = Schedule(
        recipe.epochs,
        steps,
        rate=recipe.rate,
        head_rate=recipe.head_rate,
        averaging=recipe.averaging,
        depth_decay=order.start.tuning.depth_decay,
        fresh=begun.fresh,
    )
    checkpoint = order.out / "work" / f"{part}.checkpoint"
    run = Run(order.seed, order.device, checkpoint, order.resume)
    trained = fit(network, batches, task.loss, schedule, run, report)
    trained.cpu()
    finish(trained, begun, _adapters(order, part))
    save_whole(trained.state_dict(), finished)
    checkpoint.unlink(missing_ok=True)
    return trained


def _finished(order: Order, part: str) -> Path:
    return order.out / "work" / f"{part}.pt"


def _adapters(order: Order, part: str) -> Path:
    return order.out / "work" / f"{part}.{ADAPTER}"


def _fold_networks(order: Order) -> list[Path]:
    return sorted((order.out / "work").glob("fold*.pt"))


def _loaded(task: LearningTask, path: Path) -> nn.Module:
    network = task.network()
    network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    return network.eval()


def _bundle(order: Order, task: LearningTask, second: Second | None, cases: int) -> None:
    """Calibrate on out-of-fold predictions, export, and write the card."""
    recipe, out = order.recipe, order.out
    members = _members(order, task)
    done = sorted((out / "folds").glob("fold*.json"))
    predictions = [json.loads(path.read_text(encoding="utf-8")) for path in done]
    plan, figures = task.judge(predictions, np.random.default_rng(order.seed))
    task.export(members, out / f"{WEIGHTS}.part")
    (out / f"{WEIGHTS}.part").replace(out / WEIGHTS)
    if second is not None and isinstance(plan, Plan):
        plan = second.export(plan, out / FOREST)
    write_text(out / PLAN, plan.to_json())
    save_network(members[0], out / NETWORK)
    text = card_text(
        name=recipe.name,
        version=medloop.__version__,
        purpose=task.purpose,
        training=_training(order, task, cases, len(members)),
        figures=figures,
        figures_how=(
            f"out of fold on {len(done)} of {recipe.of_folds} folds by {task.unit} (copies"
            " share a fold), networks of the same recipe trained on the other folds; 95 %"
            f" intervals by bootstrap over {task.unit}s{task.caveat}"
        ),
    )
    write_text(out / CARD, text)
    if order.start.tuning.adapt == "lora":
        notes = {CARD: text, PLAN: plan.to_json()}
        annotate_adapters(_adapters(order, _FINAL), out / ADAPTER, notes)
    seal(out)


def _members(order: Order, task: LearningTask) -> Sequence[nn.Module]:
    final = [_finished(order, _FINAL)] if order.recipe.ship != "folds" else []
    folds = _fold_networks(order) if order.recipe.ship != "final" else []
    return [_loaded(task, path) for path in (*final, *folds)]


def _shipped_by(order: Order) -> str:
    """Name the settings that decide which networks are shipped, where they are unusual."""
    if order.recipe.ship == "final":
        return ""
    folds = ",".join(path.stem.removeprefix("fold") for path in _fold_networks(order))
    final = " --set final=false" if order.recipe.ship == "folds" else ""
    return f" --set ship={order.recipe.ship} --set folds={folds}{final}"


def _stated(table: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is None, which TOML cannot say."""
    return {
        key: _stated(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }


def _training(order: Order, task: LearningTask, cases: int, members: int) -> Mapping[str, Any]:
    recipe = _stated(asdict(order.recipe))
    recipe.pop("plan")
    for wish in FREE:  # what this call asked for, not what made the weights
        recipe.pop(wish)
    recipe |= task.input_summary
    begun = begin(task.network(), order.start, order.recipe.plan, order.seed)
    return {
        "command": (
            f"medloop train {order.recipe.name} --data DIR -o BUNDLE --seed {order.seed}"
            + (" --lesions RUN" if order.lesions else "")
            + asked(order.start)
            + _shipped_by(order)
        ),
        "cases": cases,
        "networks": members,
        "seed": order.seed,
        "device": order.device,
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "recipe": recipe,
        **told(begun),
    }
