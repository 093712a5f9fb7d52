"""The loop: the same seed gives the same weights, whatever interrupts it."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from medloop.core.errors import ServiceError  # noqa: E402
from medloop.learning.loop import (  # noqa: E402
    DivergedError,
    Run,
    Schedule,
    Watch,
    fit,
    mixed_precision,
)

pytestmark = pytest.mark.train
SCHEDULE = Schedule(epochs=3, steps=4)
EXACT = Run(1, precision="fp32")


class Small(nn.Module):
    """A network with what makes resuming hard: dropout, batch norm, and a fixed part."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1))
        self.trunk[2].requires_grad_(requires_grad=False)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.dropout(self.trunk(x).mean(dim=(2, 3))))


def a_network():
    torch.manual_seed(3)
    return Small()


def batches(rng):
    for _ in range(SCHEDULE.steps):
        x = torch.from_numpy(rng.standard_normal((4, 3, 8, 8)).astype("float32"))
        yield x, x.mean(dim=(1, 2, 3)).repeat(2, 1).T


def loss(model, batch):
    x, y = batch
    return ((model(x) - y) ** 2).mean()


def stop_after(epoch):
    def report(progress):
        if progress.epoch == epoch:
            raise KeyboardInterrupt

    return report


def are_equal(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a[0] == b[0] and torch.equal(a[1], b[1]) for a, b in pairs)


def test_two_runs_of_one_seed_are_equal_and_of_two_seeds_are_not():
    first = fit(a_network(), batches, loss, SCHEDULE, Run(1))
    assert are_equal(first, fit(a_network(), batches, loss, SCHEDULE, Run(1)))
    assert not are_equal(first, fit(a_network(), batches, loss, SCHEDULE, Run(2)))


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_run_killed_after_an_epoch_and_resumed_equals_the_uninterrupted(tmp_path, epoch):
    whole = fit(a_network(), batches, loss, SCHEDULE, Run(1))
    run = Run(1, checkpoint=tmp_path / "checkpoint")
    with pytest.raises(KeyboardInterrupt):
        fit(a_network(), batches, loss, SCHEDULE, run, stop_after(epoch))
    seen = []
    resumed = fit(a_network(), batches, loss, SCHEDULE, replace(run, resume=True), seen.append)
    assert [progress.epoch for progress in seen] == list(range(epoch + 1, 4))
    assert are_equal(whole, resumed)


def test_fixed_parts_stay_as_they_were():
    fixed = a_network().trunk[2].weight
    trained = fit(a_network(), batches, loss, SCHEDULE, Run(1))
    assert torch.equal(trained.trunk[2].weight, fixed)


def test_a_loss_that_is_no_number_ends_clearly(tmp_path):
    def broken(model, batch):
        return loss(model, batch) * float("nan")

    run = Run(1, checkpoint=tmp_path / "checkpoint")
    with pytest.raises(DivergedError, match="loss is nan in epoch 1 of 3"):
        fit(a_network(), batches, broken, SCHEDULE, run)


def test_learning_lowers_the_loss():
    seen = []
    fit(a_network(), batches, loss, Schedule(12, 4), Run(1), seen.append)
    assert seen[-1].loss < seen[0].loss


def plain(model, batch):
    """A loss without dropout or batch norm, so that a large batch is the mean of small ones."""
    x, y = batch
    return ((model.head(model.trunk[0](x).mean(dim=(2, 3))) - y) ** 2).mean()


def in_pairs(rng):
    """Join each two batches into one."""
    drawn = list(batches(rng))
    for one, other in zip(drawn[::2], drawn[1::2], strict=True):
        yield tuple(torch.cat(parts) for parts in zip(one, other, strict=True))


def test_two_accumulated_batches_are_one_of_twice_the_size():
    small = fit(a_network(), batches, plain, Schedule(3, 4, accumulate=2), EXACT)
    large = fit(a_network(), in_pairs, plain, Schedule(3, 2), EXACT)
    for ours, theirs in zip(small.parameters(), large.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    assert not are_equal(small, fit(a_network(), batches, plain, Schedule(3, 4), EXACT))


def test_a_group_that_is_not_full_is_an_update_too():
    beats = []
    run = Run(1, pulse=lambda done, every: beats.append((done, every)))
    fit(a_network(), batches, loss, Schedule(2, 4, accumulate=3), run)
    assert beats == [(1, 4), (2, 4), (3, 4), (4, 4)]


class Readings:
    """A measure that gives one reading an epoch, and keeps the weights it was shown."""

    def __init__(self, *values):
        self.values = values
        self.shown = []

    def __call__(self, network):
        self.shown.append(network.head.weight.detach().clone())
        return self.values[len(self.shown) - 1]


def test_a_fit_ends_when_the_measure_no_longer_falls_and_returns_the_best_weights():
    measure, seen = Readings(0.5, 0.3, 0.4, 0.3, 0.1), []
    run = Run(1, watch=Watch(measure, patience=2))
    best = fit(a_network(), batches, loss, Schedule(9, 4), run, seen.append)
    assert [progress.validation for progress in seen] == [0.5, 0.3, 0.4, 0.3]
    assert torch.equal(best.head.weight, measure.shown[1])


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_a_watched_fit_that_was_killed_ends_alike(tmp_path, epoch):
    values = (0.5, 0.3, 0.4, 0.3, 0.1)
    schedule = Schedule(9, 4)
    whole = fit(a_network(), batches, loss, schedule, Run(1, watch=Watch(Readings(*values), 2)))
    run = Run(1, checkpoint=tmp_path / "checkpoint")
    before = replace(run, watch=Watch(Readings(*values), 2))
    with pytest.raises(KeyboardInterrupt):
        fit(a_network(), batches, loss, schedule, before, stop_after(epoch))
    seen = []
    after = replace(run, watch=Watch(Readings(*values[epoch:]), 2), resume=True)
    resumed = fit(a_network(), batches, loss, schedule, after, seen.append)
    assert [progress.epoch for progress in seen] == list(range(epoch + 1, 5))
    assert are_equal(whole, resumed)


def test_precision_is_that_asked_for():
    a, b = torch.ones(2, 2), torch.ones(2, 2)
    with mixed_precision(torch.device("cpu"), "bf16"):
        assert (a @ b).dtype == torch.bfloat16
    with mixed_precision(torch.device("cpu"), "fp32"):
        assert (a @ b).dtype == torch.float32


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(tmp_path):
    run = Run(1, checkpoint=tmp_path / "checkpoint")

    def block(progress):
        if progress.epoch == 1:
            (tmp_path / "checkpoint.part").mkdir()  # nothing can be written there now

    with pytest.raises(ServiceError, match="checkpoint cannot be written"):
        fit(a_network(), batches, loss, SCHEDULE, run, block)
    (tmp_path / "checkpoint.part").rmdir()
    resumed = fit(a_network(), batches, loss, SCHEDULE, replace(run, resume=True))
    assert are_equal(fit(a_network(), batches, loss, SCHEDULE, Run(1)), resumed)
