"""``medloop train``: folds, final network, bundle; each part is kept and never redone."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray
from torch import nn

from medloop.core.errors import InputError, ServiceError, SettingError
from medloop.learning.budget import Length, kept_length, length_for, time_step
from medloop.learning.checkpoint import save_whole
from medloop.learning.classification.opening import open_classification
from medloop.learning.curves import Point, Recorder, curve_path, draw_curves, require_board
from medloop.learning.detection.opening import Planned as PlannedDetection
from medloop.learning.detection.opening import open_detection
from medloop.learning.keep import claim
from medloop.learning.loop import PRECISIONS, Progress, Report, Run, Schedule, Watch, fit
from medloop.learning.lung.opening import Planned as PlannedNodules
from medloop.learning.lung.opening import open_nodules
from medloop.learning.memory import enough_memory
from medloop.learning.order import (
    FINAL,
    LearningTask,
    Milestone,
    Order,
    adapter_path,
    finished,
    is_trained,
    loaded_member,
    members_of,
    order_for,
    together,
    trained_folds,
)
from medloop.learning.ranks import joined
from medloop.learning.recipes import SHIPS, Recipe
from medloop.learning.second import Second, open_second
from medloop.learning.segmentation.opening import Planned, open_segmentation
from medloop.learning.shipping import make_bundle
from medloop.learning.start import begin, finish, settle_norms
from medloop.learning.tasks import GradingTask, open_task
from medloop.learning.twins import add_twins
from medloop.learning.watch import apart, mean_loss
from medloop.learning.whole import write_text

_ADVICE = "batch, patch, size or width (--set), and train"

__all__ = ["Milestone", "Order", "order_for", "train"]
Say = Callable[[Milestone], None]
Count = Callable[[int, int], None]  # photographs, cases or updates done, of all
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Ears:
    """Who hears of one network's epochs and updates."""

    report: Report
    pulse: Count


def train(
    order: Order,
    *,
    report: Say = lambda _milestone: None,
    count: Count = lambda _done, _all: None,
    pulse: Count = lambda _done, _all: None,
    tell: Tell = lambda _line: None,
) -> Path | None:
    """Cross-validate, train the final network and write a bundle to ``order.out``.

    Out-of-fold predictions accumulate in ``out/folds``, so folds may be run on different days;
    checkpoints, curves and finished networks stay in ``out/work``, beside the settings they
    were made with. `count` hears of cases that are prepared, or of photographs whose lesions
    are read for the second reader of grades; `pulse` of updates of all networks; `tell` of what
    was decided on the way. Returns the bundle, or None where the networks it ships are not all
    trained yet.

    Raises
    ------
    InputError
        If a setting or the data is wrong, or `out` holds other work.
    DivergedError
        If a loss is no longer a number.
    ServiceError
        If something cannot be written, or memory runs out.
    """
    device = _device(order.device)
    parts = _parts(order)
    if order.tensorboard:
        require_board()
    with joined(device) as ranks:
        order = replace(order, device=ranks.device, ranks=ranks)
        if order.lesions is not None and ranks.world > 1:
            raise InputError("--lesions is for one process: train without it, then resume")
        with ranks.in_turn():
            if ranks.is_first:
                claim(
                    order.out,
                    order.recipe,
                    seed=order.seed,
                    parts=parts,
                    resume=order.resume,
                    start=order.start.claims(),
                )
            task = _open(order, count)
            fold_of = _split(order, task)
            order, task = _budgeted(order, task, tell)
        second = _second(order, task, count)
        every = [member for part in parts for member in members_of(order, part)]
        ears = {
            member: _ears(member, number, len(every), report, pulse)
            for number, member in enumerate(every)
        }
        for part in parts:
            if part == FINAL:
                _networks(order, task, part, np.arange(len(fold_of)), ears)
            else:
                _cross_validate(order, task, second, part, ears)
        if order.recipe.ship != "folds" and not is_trained(order, FINAL):
            return None
        if ranks.is_first:
            make_bundle(order, task, second, len(fold_of))
            if order.int8:
                add_twins(order, task, second, tell=tell)
        return order.out


def _ears(member: str, number: int, members: int, report: Say, pulse: Count) -> _Ears:
    return _Ears(
        lambda progress: report(Milestone(member, progress, members - number - 1)),
        lambda done, every: pulse(number * every + done, members * every),
    )


def _open(order: Order, count: Count) -> LearningTask:
    if isinstance(order.recipe, Recipe):
        return open_task(order.recipe, order.data)
    if order.planned is None:
        raise InputError(f"recipe {order.recipe.name} needs data that were planned for")
    if isinstance(order.planned, PlannedNodules):
        return open_nodules(order.planned, order.out / "work", report=count)
    if order.ranks.is_first:
        write_text(order.out / "fingerprint.json", order.planned.fingerprint.to_json())
    if isinstance(order.planned, Planned):
        return open_segmentation(order.planned, order.out / "work", report=count)
    if isinstance(order.planned, PlannedDetection):
        return open_detection(order.planned, order.out / "work", report=count)
    return open_classification(order.planned, order.out / "work", report=count)


def _budgeted(order: Order, task: LearningTask, tell: Tell) -> tuple[Order, LearningTask]:
    """Time a few steps where the recipe has a number of minutes, and give it its length."""
    recipe = order.recipe
    if not recipe.minutes:
        return order, task
    fold_of = task.folds(recipe.of_folds)
    batches, steps = task.batches(np.flatnonzero(fold_of != 0))

    def decide() -> Length:
        network = task.network()
        begin(network, order.start, recipe.plan, order.seed)
        run = Run(order.seed, order.device, precision=recipe.precision)
        with enough_memory("timing a step", _ADVICE):
            step_s = time_step(network, batches, task.loss, Schedule(1, steps), run)
        step_s /= order.ranks.world  # which share the steps of an epoch
        return length_for(recipe.minutes, step_s, steps, watches=recipe.patience > 0)

    length = kept_length(order.out / "work" / "budget.json", decide)
    if order.ranks.is_first:
        tell(length.in_words(recipe.minutes))
    changed: Any = replace(recipe, epochs=length.epochs, steps=length.steps or recipe.steps)
    budgeted: Any = replace(task, recipe=changed)  # each task holds its own kind of recipe
    return replace(order, recipe=changed), budgeted


def _device(wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ServiceError("device cuda: PyTorch finds no CUDA device here")
    return wanted


def _parts(order: Order) -> tuple[str, ...]:
    """Name the parts to train networks for, ``fold0`` ... and ``final``."""
    recipe = order.recipe
    if recipe.precision not in PRECISIONS:
        raise SettingError(
            f"setting precision={recipe.precision!r} is none of {', '.join(PRECISIONS)}"
        )
    try:
        folds = tuple(
            dict.fromkeys(int(part) for part in recipe.folds.split(",") if part.strip())
        )
    except ValueError as why:
        raise SettingError(f"setting folds={recipe.folds!r} is no list such as 0,1") from why
    if any(fold not in range(recipe.of_folds) for fold in folds):
        there_are = f"of_folds={recipe.of_folds} makes 0 ... {recipe.of_folds - 1}"
        raise SettingError(f"setting folds={recipe.folds!r}: {there_are}")
    if recipe.ship not in SHIPS:
        raise SettingError(f"setting ship={recipe.ship!r} is none of {', '.join(SHIPS)}")
    if order.start.tuning.adapt == "lora":
        _require_one(order)
    parts = tuple(f"fold{fold}" for fold in folds)
    if recipe.ship == "folds" and not parts and not trained_folds(order):
        raise SettingError("setting ship='folds' with no fold to train and none trained")
    if recipe.final:
        return (*parts, FINAL)
    if not parts:
        raise SettingError("settings folds='' and final=false leave nothing to train")
    return parts


def _require_one(order: Order) -> None:
    """Refuse what ships several networks."""
    if order.recipe.ship != "final":
        raise SettingError(f"setting ship={order.recipe.ship!r}: adapters are of one network")
    if (count := len(members_of(order, FINAL))) > 1:
        raise SettingError(f"setting networks={count}: adapters are of one network")


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
    order: Order,
    task: LearningTask,
    second: Second | None,
    part: str,
    ears: Mapping[str, _Ears],
) -> None:
    path = order.out / "folds" / f"{part}.json"
    reads = "" if second is None else second.evidence_id(part)
    is_done = order.resume and path.is_file() and _evidence_of(path) == reads
    if order.ranks.agreed(is_done):
        return
    fold_of = task.folds(order.recipe.of_folds)
    is_out = fold_of == int(part.removeprefix("fold"))
    if not is_out.any() or is_out.all():
        raise InputError(
            f"{part} of {len(fold_of)} {task.unit}s has nothing to hold out or learn"
        )
    networks = _networks(order, task, part, np.flatnonzero(~is_out), ears)
    if not order.ranks.is_first:
        return
    held_out = np.flatnonzero(is_out)
    with enough_memory(f"{part}, measuring", "patch or size"):
        predictions = task.predict(together(task, networks), held_out)
    if second is not None:
        predictions = second.beside(part, predictions, is_out)
    write_text(path, json.dumps(predictions) + "\n")


def _evidence_of(path: Path) -> str:
    """Name the weights that read the lesions for these predictions; empty if none did."""
    return str(json.loads(path.read_text(encoding="utf-8")).get("evidence", ""))


def _networks(
    order: Order,
    task: LearningTask,
    part: str,
    chosen: Int[ndarray, " n"],
    ears: Mapping[str, _Ears],
) -> list[nn.Module]:
    """Train the networks of a part, each from a seed that no other training's shares."""
    members = members_of(order, part)
    seeds = range(order.seed * len(members), (order.seed + 1) * len(members))
    return [
        _network(replace(order, seed=seed), task, member, chosen, ears[member])
        for member, seed in zip(members, seeds, strict=True)
    ]


def _network(
    order: Order, task: LearningTask, member: str, chosen: Int[ndarray, " n"], ears: _Ears
) -> nn.Module:
    """Train one network, or load it if it is finished."""
    path = finished(order, member)
    if order.ranks.agreed(path.is_file() and order.resume):
        return loaded_member(order, task, member)
    torch.manual_seed(order.seed)  # a network's first weights do not depend on those before it
    network = task.network()
    recipe, work = order.recipe, order.out / "work"
    begun = begin(network, order.start, recipe.plan, order.seed)
    watched: Int[ndarray, " m"] | None = None
    if recipe.patience:
        chosen, watched = apart(chosen, task.folds(recipe.of_folds))
    batches, steps = task.batches(chosen)
    settle_norms(network, begun, batches, order.seed)
    schedule = Schedule(
        recipe.epochs,
        steps,
        rate=recipe.rate,
        head_rate=recipe.head_rate,
        averaging=recipe.averaging,
        accumulate=recipe.accumulate,
        depth_decay=order.start.tuning.depth_decay,
        fresh=begun.fresh,
    )
    board = work / "tensorboard" / member if order.tensorboard else None
    recorder = Recorder(curve_path(work, member), board) if order.ranks.is_first else None
    checkpoint = work / f"{member}.checkpoint"
    run = Run(
        order.seed,
        order.device,
        checkpoint,
        order.resume,
        precision=recipe.precision,
        watch=None if watched is None else _watch(order, task, watched, steps),
        ranks=order.ranks,
        record=lambda progress: recorder(_point(progress)) if recorder else None,
        pulse=ears.pulse,
    )
    with enough_memory(member, _ADVICE):
        trained = fit(network, batches, task.loss, schedule, run, ears.report)
    trained.cpu()
    finish(trained, begun, adapter_path(order, member) if order.ranks.is_first else None)
    if recorder is not None:
        save_whole(trained.state_dict(), path)
        checkpoint.unlink(missing_ok=True)
        recorder.close()
        draw_curves(order.out)
    return trained


def _watch(order: Order, task: LearningTask, watched: Int[ndarray, " m"], steps: int) -> Watch:
    """Watch the loss on cases that are not learnt from, a quarter of an epoch's batches."""
    batches, filled = task.batches(watched)
    count, precision = max(1, min(filled, steps // 4)), order.recipe.precision
    measure = mean_loss(task.loss, batches, count, order.ranks, precision)
    return Watch(measure, order.recipe.patience)


def _point(progress: Progress) -> Point:
    return Point(
        progress.epoch, progress.loss, progress.pace, progress.seconds, progress.validation
    )
