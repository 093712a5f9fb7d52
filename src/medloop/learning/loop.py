"""The training loop: one function, seeded, resumable, with averaged weights."""

import copy
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from medloop.core.errors import MedloopError, ServiceError
from medloop.learning.tuning import depths

Batch = tuple[Tensor, ...]
Batches = Callable[[np.random.Generator], Iterator[Batch]]
Loss = Callable[[nn.Module, Batch], Tensor]


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


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Run:
    """Where and how one fit runs."""

    seed: int
    device: str = "cpu"
    checkpoint: Path | None = None
    resume: bool = False


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
    """
    torch.manual_seed(run.seed)
    device = torch.device(run.device)
    model.to(device=device, memory_format=layout(model))  # type: ignore[call-overload] # torch types no memory_format
    average = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(_groups(model, schedule), betas=(0.9, 0.99))
    rates = [group["lr"] for group in optimizer.param_groups]
    start, step = 0, 0
    if run.resume and run.checkpoint is not None and run.checkpoint.is_file():
        start, step = _restore(run.checkpoint, model, average, optimizer)
    for epoch in range(start, schedule.epochs):
        began, total, count = time.perf_counter(), 0.0, 0
        model.train()
        torch.manual_seed(run.seed * 1_000_003 + epoch)
        rng = np.random.default_rng((run.seed, epoch))
        for batch in _ahead(batches(rng)):
            pace = _pace(step / (schedule.epochs * schedule.steps), schedule.warmup)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * pace
            placed = tuple(part.to(device) for part in batch)
            with mixed_precision(device):
                value = loss(model, placed)
            if not math.isfinite(value.item()):
                raise DivergedError(
                    f"loss is {value.item()} in epoch {epoch + 1} of {schedule.epochs}: a lower"
                    " rate may help"
                )
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
            optimizer.step()
            step += 1
            _average(average, model, min(schedule.averaging, step / (step + 10)))
            total, count = total + value.item(), count + 1
        if run.checkpoint is not None:
            _save(run.checkpoint, epoch + 1, step, (model, average, optimizer))
        seconds = time.perf_counter() - began
        report(Progress(epoch + 1, schedule.epochs, total / max(count, 1), seconds))
    average.eval()
    return average


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Draw batches in a thread of their own, two in advance, while the network learns."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(2)
    stop = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.2)
                return

    def draw() -> None:
        try:
            for batch in batches:
                put(batch)
                if stop.is_set():
                    return
            put(None)
        except BaseException as why:  # noqa: BLE001 (raised again where the batch is awaited)
            put(why)

    thread = threading.Thread(target=draw, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


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


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """BF16 where the device computes it, FP32 elsewhere."""
    if device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported():  # noqa: SLF001 (no public query)
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


def _save(
    path: Path, epoch: int, step: int, parts: tuple[nn.Module, nn.Module, torch.optim.Optimizer]
) -> None:
    model, average, optimizer = parts
    state = {
        "epoch": epoch,
        "step": step,
        "model": model.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    save_whole(state, path)


def _restore(
    path: Path, model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, int]:
    saved = torch.load(path, weights_only=True, map_location="cpu")
    model.load_state_dict(saved["model"])
    average.load_state_dict(saved["average"])
    optimizer.load_state_dict(saved["optimizer"])
    return int(saved["epoch"]), int(saved["step"])


def save_whole(state: Mapping[str, object], path: Path) -> None:
    """Save tensors to a whole file or none; `ServiceError` says that it cannot be."""
    beside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, beside)
        beside.replace(path)
    except (OSError, RuntimeError) as why:  # torch reports a full disk as RuntimeError
        raise ServiceError(f"{path} cannot be written: {type(why).__name__}") from why
