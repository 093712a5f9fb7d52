"""Where a training stands, kept as a whole file or not at all."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from medloop.core.errors import ServiceError


@dataclass(frozen=True, slots=True, eq=False)
class Learner:
    """What a fit changes: the network, the moving average of its weights, the optimizer."""

    model: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """The averaged weights whose measure was lowest so far, after how many epochs."""

    value: float = math.inf
    epoch: int = 0
    weights: Mapping[str, Tensor] | None = None

    def or_now(self, value: float | None, epoch: int, average: nn.Module) -> "Best":
        """Keep these, or copy those of `average` if their measure is lower."""
        if value is None or not value < self.value:
            return self
        copied = {name: part.detach().clone() for name, part in average.state_dict().items()}
        return Best(value, epoch, copied)


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """How far a fit has come: epochs and updates done, and the best weights if it watches."""

    epoch: int = 0
    step: int = 0
    best: Best = Best()


def save_checkpoint(path: Path, mark: Mark, learner: Learner) -> None:
    """Replace the checkpoint; `ServiceError` says that it cannot be, and the last one stays."""
    state: dict[str, object] = {
        "epoch": mark.epoch,
        "step": mark.step,
        "model": learner.model.state_dict(),
        "average": learner.average.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
    }
    if mark.best.weights is not None:
        state["best"] = {
            "value": mark.best.value,
            "epoch": mark.best.epoch,
            "weights": dict(mark.best.weights),
        }
    save_whole(state, path)


def restore(path: Path, learner: Learner) -> Mark:
    """Bring a learner to where a checkpoint left it."""
    saved = torch.load(path, weights_only=True, map_location="cpu")
    learner.model.load_state_dict(saved["model"])
    learner.average.load_state_dict(saved["average"])
    learner.optimizer.load_state_dict(saved["optimizer"])
    best = Best(**saved["best"]) if "best" in saved else Best()
    return Mark(int(saved["epoch"]), int(saved["step"]), best)


def save_whole(state: Mapping[str, object], path: Path) -> None:
    """Save tensors to a whole file or none; `ServiceError` says that it cannot be."""
    beside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, beside)
        beside.replace(path)
    except (OSError, RuntimeError) as why:  # torch reports a full disk as RuntimeError
        with suppress(OSError):
            beside.unlink()
        said = why.strerror if isinstance(why, OSError) else "is the disk full?"
        raise ServiceError(f"{path} cannot be written: {said}") from why
