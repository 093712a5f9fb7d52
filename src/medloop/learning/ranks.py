"""One training in several processes: who each is, and what they agree on.

``torchrun`` or Ray start the processes; each draws batches of its own, gradients are averaged
before every update, and only the first writes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from medloop.core.errors import ServiceError

_PATIENCE = timedelta(days=1)  # the first also measures and exports while the others wait


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which process it is, number `rank` of `world`, and the device it computes on."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @property
    def is_first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def seed(self, *parts: int) -> tuple[int, ...]:
        """Seed a stream of this process' own; the first's is that of a process alone."""
        return parts if self.is_first else (*parts, self.rank)

    def mean(self, value: Tensor) -> float:
        """Average a number over the processes; a NaN in one is a NaN in all."""
        if self.world == 1:
            return value.item()
        total = value.detach().double().clone()
        self._sum(total)
        return total.item() / self.world

    def average_gradients(self, model: nn.Module) -> None:
        """Average the gradients of what moves, as if one process had seen all batches."""
        if self.world == 1:
            return
        moving = [part for part in model.parameters() if part.requires_grad]
        for part in moving:
            if part.grad is None:
                part.grad = torch.zeros_like(part)
        self._average([part.grad for part in moving if part.grad is not None])

    def average_statistics(self, *models: nn.Module) -> None:
        """Average what batch norms have seen, so that every process holds the same."""
        if self.world == 1:
            return
        kept = [part for model in models for part in model.buffers()]
        self._average([part for part in kept if part.is_floating_point()])

    def agreed(self, answer: bool) -> bool:  # noqa: FBT001 (a value to pass on, no option)
        """Return the first process' answer to a question about files."""
        if self.world == 1:
            return answer
        flag = torch.tensor(int(answer), device=self.device)
        with _others_alive(self):
            distributed.broadcast(flag, src=0)
        return bool(flag.item())

    def wait(self) -> None:
        """Go on when every process is here."""
        self.agreed(answer=True)

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Let the first process through the block alone, then the others."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    def _average(self, parts: list[Tensor]) -> None:
        if not parts:
            return
        flat = torch.cat([part.detach().reshape(-1).float() for part in parts])
        self._sum(flat)
        flat /= self.world
        shares = flat.split([part.numel() for part in parts])
        with torch.no_grad():
            for part, share in zip(parts, shares, strict=True):
                part.copy_(share.view(part.shape))

    def _sum(self, value: Tensor) -> None:
        with _others_alive(self):
            distributed.all_reduce(value)


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Join the processes that ``torchrun`` or Ray started beside this one, if any.

    Raises
    ------
    ServiceError
        If the others cannot be reached.
    """
    is_begun = distributed.is_available() and distributed.is_initialized()
    if not is_begun and not distributed.is_torchelastic_launched():
        yield Ranks(device=device)
        return
    is_cuda = device.startswith("cuda")
    if is_cuda:
        device = f"cuda:{distributed.get_node_local_rank(0) % torch.cuda.device_count()}"
        torch.cuda.set_device(device)
    if not is_begun:
        try:
            distributed.init_process_group("nccl" if is_cuda else "gloo", timeout=_PATIENCE)
        except (RuntimeError, ValueError) as why:
            raise ServiceError(
                "the other processes of this training cannot be reached"
            ) from why
    yield Ranks(distributed.get_rank(), distributed.get_world_size(), device)
    if not is_begun:
        distributed.destroy_process_group()


@contextmanager
def _others_alive(ranks: Ranks) -> Iterator[None]:
    try:
        yield
    except RuntimeError as why:  # what every backend raises when a connection is lost
        raise ServiceError(
            f"process {ranks.rank + 1} of {ranks.world}: another process of this training"
            " has ended"
        ) from why
