"""The loop: the same seed gives the same weights, whatever interrupts it."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from medloop.learning.loop import DivergedError, Run, Schedule, fit  # noqa: E402

pytestmark = pytest.mark.train
SCHEDULE = Schedule(epochs=3, steps=4)


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
