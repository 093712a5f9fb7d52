"""The training loop: one function, seeded, resumable, with averaged weights."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from medloop.core.errors import MedloopError
from medloop.learning.ahead import Batch, ahead, in_groups
from medloop.learning.checkpoint import Learner, Mark, restore, save_checkpoint
from medloop.learning.ranks import Ranks
from medloop.learning.tuning import depths

Batches = Callable[[np.random.Generator], Iterator[Batch]]
Loss = Callable[[nn.Module, Batch], Tensor]


PRECISIONS = ("auto", "fp32", "bf16")
_APART = 7919  # between the seeds of two processes


class DivergedError(MedloopError):
    """The loss is no longer a number; the last checkpoint is intact."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to learn: AdamW, linear warm-up, then cosine to zero."""

    epochs: int
    steps: int  # batches an epoch
    rate: float = 5e-4
    head_rate: float = 2e-3  # for layers that start from random weights
    weight_decay: float = 0.02
    warmup: float = 0.05  # share of all steps
    averaging: float = 0.99  # decay of the moving average of the weights
    accumulate: int = 1  # batches an update
    clip: float = 1.0  # norm of the gradient
    depth_decay: float = 1.0  # of rates, a layer from the output down
    fresh: frozenset[str] | None = None  # parameters without weights; None: outside the trunk


@dataclass(frozen=True, slots=True)
class Progress:
    """One finished epoch."""

    epoch: int
    epochs: int
    loss: float
    seconds: float
    pace: float = 0.0  # share of the full rate in its last update
    validation: float | None = None


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """Ends a fit when `measure` of the averaged network, lower is better, no longer falls.

    `patience` epochs without a new lowest value are the end; the best weights are returned.
    """

    measure: Callable[[nn.Module], float]
    patience: int


@dataclass(frozen=True, slots=True)
class Run:
    """Where and how one fit runs.

    Attributes
    ----------
    record
        Hears of each epoch before its checkpoint is written, so that nothing is missing after
        a resume; an epoch that is done anew is heard of again.
    pulse
        Hears of updates done, of how many.
    """

    seed: int
    device: str = "cpu"
    checkpoint: Path | None = None
    resume: bool = False
    precision: str = "auto"
    watch: Watch | None = None
    ranks: Ranks = field(default_factory=Ranks)
    record: Report = lambda _progress: None
    pulse: Callable[[int, int], None] = lambda _done, _all: None


def fit(
    model: nn.Module,
    batches: Batches,
    loss: Loss,
    schedule: Schedule,
    run: Run,
    report: Report = lambda _progress: None,
) -> nn.Module:
    """Train `model` and return a copy that holds the moving average of its weights.

    `batches` gives one epoch's batches from a random generator. Every epoch ends in a
    checkpoint; a run that is resumed ends in the weights of the uninterrupted run.

    Raises
    ------
    DivergedError
        If the loss becomes infinite or NaN.
    ServiceError
        If a checkpoint cannot be written; the last one is intact.
    """
    torch.manual_seed(run.seed)
    device, ranks = torch.device(run.device), run.ranks
    learner, mark = _begin(model, schedule, run)
    average, optimizer, step = learner.average, learner.optimizer, mark.step
    updates = schedule.epochs * -(-_own_steps(schedule, ranks) // schedule.accumulate)
    for epoch in range(mark.epoch, schedule.epochs):
        if run.watch and epoch - mark.best.epoch >= run.watch.patience:
            break
        began, losses, pace = time.perf_counter(), [], 0.0
        model.train()
        torch.manual_seed(run.seed * 1_000_003 + epoch + _APART * ranks.rank)
        drawn = ahead(_own(batches, schedule, run, epoch))
        for group in in_groups(drawn, schedule.accumulate):
            pace = _pace(step / updates, schedule.warmup)
            for parameters in optimizer.param_groups:
                parameters["lr"] = parameters["rate"] * pace
            optimizer.zero_grad(set_to_none=True)
            for batch in group:
                with mixed_precision(device, run.precision):
                    value = loss(model, tuple(part.to(device) for part in batch))
                losses.append(_finite(ranks.mean(value), epoch, schedule))
                (value / len(group)).backward()
            ranks.average_gradients(model)
            nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
            optimizer.step()
            step += 1
            _average(average, model, min(schedule.averaging, step / (step + 10)))
            run.pulse(step, updates)
        ranks.average_statistics(model, average)
        measured = None if run.watch is None else run.watch.measure(average)
        mark = Mark(epoch + 1, step, mark.best.or_now(measured, epoch + 1, average))
        mean, seconds = sum(losses) / max(len(losses), 1), time.perf_counter() - began
        done = Progress(epoch + 1, schedule.epochs, mean, seconds, pace, measured)
        run.record(done)
        if run.checkpoint is not None and ranks.is_first:
            save_checkpoint(run.checkpoint, mark, learner)
        report(done)
    if mark.best.weights is not None:
        average.load_state_dict(mark.best.weights)
    return average.eval()


def _begin(model: nn.Module, schedule: Schedule, run: Run) -> tuple[Learner, Mark]:
    """Place the network, copy it for the average, and go on from a checkpoint if asked."""
    model.to(device=run.device)
    for part in model.children() if _is_mixed(model) else (model,):
        part.to(memory_format=layout(part))  # type: ignore[call-overload] # torch types no memory_format
    groups = _groups(model, schedule)
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99))
    learner, mark = Learner(model, copy.deepcopy(model), optimizer), Mark()
    if run.resume and run.checkpoint is not None and run.checkpoint.is_file():
        mark = restore(run.checkpoint, learner)
    for group, asked in zip(optimizer.param_groups, groups, strict=True):
        group["rate"] = asked["lr"]  # the highest; "lr" follows the schedule
    return learner, mark


def _own_steps(schedule: Schedule, ranks: Ranks) -> int:
    return -(-schedule.steps // ranks.world)


def _own(batches: Batches, schedule: Schedule, run: Run, epoch: int) -> Iterator[Batch]:
    """Draw this process' share of an epoch, from a stream of its own."""
    drawn = batches(np.random.default_rng(run.ranks.seed(run.seed, epoch)))
    return drawn if run.ranks.world == 1 else islice(drawn, _own_steps(schedule, run.ranks))


def _finite(loss: float, epoch: int, schedule: Schedule) -> float:
    if not math.isfinite(loss):
        raise DivergedError(
            f"loss is {loss} in epoch {epoch + 1} of {schedule.epochs}: a lower rate may help"
        )
    return loss


def _groups(model: nn.Module, schedule: Schedule) -> list[dict[str, object]]:
    """Learnt weights slow, new layers fast; no decay on biases and norms."""
    groups: dict[tuple[bool, bool, int], list[nn.Parameter]] = {}
    far = depths(model) if schedule.depth_decay < 1 else {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = (_is_learnt(name, schedule), parameter.ndim > 1, far.get(name, 0))
            groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": (schedule.rate if learnt else schedule.head_rate)
            * schedule.depth_decay**depth,
            "weight_decay": schedule.weight_decay if decays else 0.0,
        }
        for (learnt, decays, depth), parameters in groups.items()
    ]


def _is_learnt(name: str, schedule: Schedule) -> bool:
    return name.startswith("trunk.") if schedule.fresh is None else name not in schedule.fresh


def _pace(done: float, warmup: float) -> float:
    """Share of the full rate at `done` (0..1) of all steps."""
    if done < warmup:
        return (done + 1e-3) / warmup
    return 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


def layout(model: nn.Module) -> torch.memory_format:
    """Return the order of axes in memory in which a network of its dims runs fastest."""
    is_solid = any(parameter.ndim == 5 for parameter in model.parameters())
    return torch.channels_last_3d if is_solid else torch.channels_last


def _is_mixed(model: nn.Module) -> bool:
    """Whether networks of both dims stand side by side."""
    return {4, 5} <= {parameter.ndim for parameter in model.parameters()}


def mixed_precision(
    device: torch.device, precision: str = "auto"
) -> AbstractContextManager[object]:
    """BF16 or FP32 as asked; ``auto``: BF16 where the device computes it, FP32 elsewhere."""
    if precision == "auto":
        is_fast = device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001 (no public query)
        precision = "bf16" if is_fast else "fp32"
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@torch.no_grad()
def _average(average: nn.Module, model: nn.Module, decay: float) -> None:
    for slow, fast in zip(
        average.state_dict().values(), model.state_dict().values(), strict=True
    ):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - decay)
        else:
            slow.copy_(fast)
