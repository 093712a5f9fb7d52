"""A program for ``torchrun``: fit a small network in each process, and keep its weights."""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from medloop.learning.loop import Schedule, fit
from medloop.learning.ranks import joined
from tests.learning.test_loop import EXACT, a_network, batches, plain

EPOCHS, STEPS = 3, 4


def main(out: Path) -> None:
    losses = []
    with joined("cpu") as ranks:
        run = replace(EXACT, ranks=ranks, checkpoint=out / f"checkpoint{ranks.rank}")
        schedule = Schedule(EPOCHS, STEPS)
        trained = fit(
            a_network(), batches, plain, schedule, run, lambda p: losses.append(p.loss)
        )
        kept = {"world": ranks.world, "weights": trained.state_dict(), "losses": losses}
        torch.save(kept, out / f"rank{ranks.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
