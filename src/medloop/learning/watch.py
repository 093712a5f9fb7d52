"""Early stopping: which training cases are watched, and what is measured on them."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray
from torch import Tensor, nn

from medloop.core.errors import SettingError
from medloop.learning.loop import Batches, Loss, mixed_precision
from medloop.learning.ranks import Ranks

_SEED: Final = 20_001  # the same batches every epoch, in every run


def apart(
    chosen: Int[ndarray, " n"], fold_of: Int[ndarray, " m"]
) -> tuple[Int[ndarray, " a"], Int[ndarray, " b"]]:
    """Divide training cases into those learnt from and those watched: the next fold's.

    Folds never divide a patient, so neither does this; the fold that is held out is in neither.

    Raises
    ------
    SettingError
        If the cases are of one fold.
    """
    count = int(fold_of.max()) + 1
    present = sorted(set(fold_of[chosen].tolist()))
    if len(present) < 2:
        raise SettingError(
            "setting patience needs of_folds=3 or more: one to watch, one to learn"
        )
    absent = [fold for fold in range(count) if fold not in present]
    start = absent[0] + 1 if absent else 0
    watched = min(present, key=lambda fold: (fold - start) % count)
    is_watched = fold_of[chosen] == watched
    return chosen[~is_watched], chosen[is_watched]


def mean_loss(
    loss: Loss, batches: Batches, steps: int, ranks: Ranks, precision: str
) -> Callable[[nn.Module], float]:
    """Make a measure: the mean loss of `steps` batches, always the same ones."""
    device = torch.device(ranks.device)

    def drawn() -> Iterator[tuple[Tensor, ...]]:
        for batch in islice(batches(np.random.default_rng(_SEED)), steps):
            yield tuple(part.to(device) for part in batch)

    @torch.no_grad()
    def measure(network: nn.Module) -> float:
        network.eval()
        with mixed_precision(device, precision):
            values = [loss(network, batch).double() for batch in drawn()]
        return ranks.mean(torch.stack(values).mean())

    return measure
