"""Several processes learn as one with the same batches would."""

import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from medloop.learning.loop import Schedule, fit  # noqa: E402
from medloop.learning.ranks import Ranks, joined  # noqa: E402
from tests.learning.test_loop import EXACT, a_network, batches, plain  # noqa: E402
from tests.learning.two_processes import EPOCHS, STEPS  # noqa: E402

pytestmark = pytest.mark.train
ROOT = Path(__file__).parents[2]


def of_both_processes():
    """Make batches that take turns between the streams of process 0 and 1, epoch by epoch."""
    epochs = iter(range(EPOCHS))

    def drawn(_rng):
        epoch = next(epochs)
        seeds = [Ranks(rank, 2).seed(EXACT.seed, epoch) for rank in (0, 1)]
        streams = [islice(batches(np.random.default_rng(s)), STEPS // 2) for s in seeds]
        for pair in zip(*streams, strict=True):
            yield from pair

    return drawn


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_learn_as_one_that_accumulates_the_batches_of_both(tmp_path):
    started = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    program = ("--nproc-per-node", "2", "-m", "tests.learning.two_processes", str(tmp_path))
    done = subprocess.run(
        [*started, *program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank{n}.pt", weights_only=True) for n in (0, 1))
    assert first["world"] == 2
    assert first["losses"] == second["losses"]
    assert not (tmp_path / "checkpoint1").exists()
    seen = []
    schedule = Schedule(EPOCHS, STEPS, accumulate=2)
    alone = fit(a_network(), of_both_processes(), plain, schedule, EXACT, seen.append)
    assert first["losses"] == pytest.approx([p.loss for p in seen], abs=1e-5)
    for name, part in alone.named_parameters():
        assert torch.allclose(part, first["weights"][name], atol=1e-5), name
        assert torch.equal(first["weights"][name], second["weights"][name])


def test_a_process_alone_needs_no_others_and_is_the_first():
    with joined("cpu") as ranks:
        assert ranks == Ranks()
        assert ranks.is_first
        assert ranks.agreed(answer=False) is False


def test_each_process_draws_batches_of_its_own():
    streams = {np.random.default_rng(Ranks(n, 4).seed(7, 0)).integers(2**62) for n in range(4)}
    assert len(streams) == 4
    assert Ranks(0, 4).seed(7, 3) == (7, 3)


def test_a_lone_rank_changes_nothing():
    fitted = [
        fit(a_network(), batches, plain, Schedule(1, 4), run)
        for run in (EXACT, replace(EXACT, ranks=Ranks(0, 1)))
    ]
    pairs = zip(*(net.parameters() for net in fitted), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
