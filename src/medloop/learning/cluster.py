"""One training on a Ray cluster: Ray places the processes, the loop is the same."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch

from medloop.core.errors import InputError, ServiceError
from medloop.learning.order import Order
from medloop.learning.train import Say, Tell, train


def train_on_ray(order: Order, workers: int, *, report: Say, tell: Tell) -> Path | None:
    """Train in `workers` processes; data and `out` are folders that all their machines see.

    Ray finds its cluster by itself (``RAY_ADDRESS``), or starts one on this machine. Each
    process has a GPU where the device is one.

    Raises
    ------
    InputError
        If there are to be no processes.
    ServiceError
        If Ray is not installed, or a process fails; Ray's log says where.
    """
    if workers < 1:
        raise InputError(f"--ray {workers}: one process or more")
    if find_spec("ray") is None:
        raise ServiceError("--ray needs Ray, which is not installed: pip install 'ray[train]'")
    from ray.train import RunConfig, ScalingConfig  # noqa: PLC0415 (heavy, and not always there)
    from ray.train.base_trainer import TrainingFailedError  # noqa: PLC0415
    from ray.train.torch import TorchTrainer  # noqa: PLC0415

    is_cuda = order.device == "cuda" or (order.device == "auto" and torch.cuda.is_available())
    order = replace(order, device="cuda" if is_cuda else "cpu")

    def work() -> None:
        if torch.distributed.get_rank() == 0:
            train(order, report=report, tell=tell)
        else:
            train(order)

    storage = (order.out.parent / f".{order.out.name}.ray").resolve()
    trainer = TorchTrainer(
        work,
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=is_cuda),
        run_config=RunConfig(name="medloop", storage_path=str(storage)),
    )
    try:
        trainer.fit()
    except TrainingFailedError as why:
        raise ServiceError(f"a process on Ray failed: {_cause(why)}") from why
    return order.out if (order.out / "plan.json").is_file() else None


def _cause(error: BaseException) -> str:
    """Say the last line of what a process said."""
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
