"""Memory: what a step of training takes, what there is, and a clear end where it runs out."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from medloop.core.errors import ServiceError
from medloop.models.architecture import Architecture
from medloop.models.networks.build import build

_GB = 1e9
_COPIES = 5  # weights, gradients, AdamW's two moments, the moving average
_WORKSPACE = 1.6  # of what is kept for the gradient: what convolutions take beside it
_BASE_GB = 0.6  # Python, torch and batches drawn in advance
_USABLE = 0.8  # of what the machine has
_CGROUP = Path("/sys/fs/cgroup/memory.max")  # of a container
_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")


def step_gb(network: Architecture, sides: tuple[int, ...], batch: int) -> float:
    """Estimate what training on `batch` inputs of `sides` voxels takes at its height, in GB.

    A forward pass without numbers counts the bytes that are kept for the gradient.
    """
    weights, kept = _bytes(network, sides)
    return _BASE_GB + (_COPIES * weights + _WORKSPACE * batch * kept) / _GB


@lru_cache(maxsize=64)
def _bytes(network: Architecture, sides: tuple[int, ...]) -> tuple[int, int]:
    """Count the bytes of the weights, and those kept for the gradient of two inputs, halved."""
    with torch.device("meta"):
        made = build(network).train()
        x = torch.empty(2, network.channels, *sides)  # batch norm wants two
    own = {id(part.untyped_storage()) for part in made.parameters()}
    storages: dict[int, torch.UntypedStorage] = {}

    def note(part: Tensor) -> Tensor:
        storage = part.untyped_storage()
        storages.setdefault(id(storage), storage)
        return part

    with torch.autograd.graph.saved_tensors_hooks(note, lambda part: part):
        made(x)
    kept = sum(storage.nbytes() for key, storage in storages.items() if key not in own)
    return sum(part.nbytes for part in made.parameters()), kept // 2


def machine_gb() -> float:
    """Return the usable part of the machine's memory, or its GPU's where it has one, in GB."""
    if torch.cuda.is_available():
        return _USABLE * torch.cuda.get_device_properties(0).total_memory / _GB
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _CGROUP.read_text(encoding="ascii").strip() if _CGROUP.is_file() else ""
    return _USABLE * min(there, int(limit) if limit.isdigit() else there) / _GB


@contextmanager
def enough_memory(part: str, advice: str) -> Iterator[None]:
    """Turn an allocation that fails into one line that says what to lower.

    Raises
    ------
    ServiceError
        If memory runs out inside the block.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as why:
        if isinstance(why, RuntimeError) and not any(sign in str(why) for sign in _SIGNS):
            raise
        raise ServiceError(
            f"{part}: out of memory: lower {advice} into another folder; what is finished here"
            " is kept"
        ) from why
