"""Region losses against arithmetic by hand, and against MONAI."""

import math

import pytest

torch = pytest.importorskip("torch")

from medloop.learning.region_losses import (  # noqa: E402
    Counted,
    dice,
    dice_and_entropy,
    entropy,
    focal,
    focal_tversky,
    generalized_dice,
    merged,
    over_levels,
    tversky,
)

pytestmark = pytest.mark.train
ALL = Counted(background=True)
LOSSES = [dice, tversky, focal_tversky, generalized_dice, entropy, focal, dice_and_entropy]


def some_logits(*shape: int, seed: int = 0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def some_labels(*shape: int, classes: int = 3, seed: int = 1):
    return torch.randint(classes, shape, generator=torch.Generator().manual_seed(seed))


def of_shares(*shares: float):
    """Logits of one sample whose softmax is `shares` of class 1 in each of its pixels."""
    one = torch.tensor(shares).log()
    none = torch.log1p(-torch.tensor(shares))
    return torch.stack([none, one])[None, :, None]


def test_dice_is_worked_out_by_hand():
    truth = torch.tensor([[[1, 1, 0, 0]]])
    by_hand = 1 - 2 * (0.8 + 0.6) / ((0.8 + 0.6 + 0.4 + 0.2) + 2)
    assert dice(of_shares(0.8, 0.6, 0.4, 0.2), truth).item() == pytest.approx(by_hand, rel=1e-4)


def test_tversky_is_worked_out_by_hand():
    truth = torch.tensor([[[1, 1, 0, 0]]])
    index = 1.4 / (1.4 + 0.3 * (0.4 + 0.2) + 0.7 * (0.2 + 0.4))
    logits = of_shares(0.8, 0.6, 0.4, 0.2)
    assert tversky(logits, truth).item() == pytest.approx(1 - index, rel=1e-4)
    assert focal_tversky(logits, truth).item() == pytest.approx((1 - index) ** 0.75, rel=1e-4)


def test_the_focal_loss_is_worked_out_by_hand():
    truth = torch.tensor([[[1, 0]]])
    by_hand = -(0.2**2 * math.log(0.8) + 0.4**2 * math.log(0.6)) / 2
    assert focal(of_shares(0.8, 0.4), truth).item() == pytest.approx(by_hand, rel=1e-5)


def test_dice_over_the_batch_counts_voxels_of_all_samples_together():
    logits = torch.cat([of_shares(0.9, 0.5), of_shares(0.2, 0.1)])
    truth = torch.tensor([[[1, 1]], [[0, 1]]])
    together = 1 - 2 * (0.9 + 0.5 + 0.1) / (1.7 + 3)
    apart = (1 - 2 * 1.4 / (1.4 + 2) + 1 - 2 * 0.1 / (0.3 + 1)) / 2
    over_batch = Counted(over_batch=True)
    assert dice(logits, truth, over_batch).item() == pytest.approx(together, rel=1e-4)
    assert dice(logits, truth).item() == pytest.approx(apart, rel=1e-4)


@pytest.mark.parametrize("weights", [(), (1.0, 2.0, 5.0)])
def test_the_entropy_is_torchs(weights):
    logits, labels = some_logits(2, 3, 5, 6), some_labels(2, 5, 6)
    labels[0, :2] = 9
    counted = Counted(weights=weights, ignore=9)
    given = torch.tensor(weights) if weights else None
    theirs = torch.nn.functional.cross_entropy(logits, labels, given, ignore_index=9)
    torch.testing.assert_close(entropy(logits, labels, counted), theirs)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(5, 6), (4, 5, 6)])
@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("over_batch", [False, True])
def test_overlaps_are_monais(size, background, over_batch):
    monai = pytest.importorskip("monai.losses", reason="MONAI, the reference, is absent")
    logits, labels = some_logits(2, 3, *size), some_labels(2, *size)
    counted = Counted(background=background, over_batch=over_batch)
    how = {
        "include_background": background,
        "to_onehot_y": True,
        "softmax": True,
        "batch": over_batch,
    }
    truth = labels[:, None]
    theirs = monai.DiceLoss(**how, smooth_nr=0, smooth_dr=0)(logits, truth)
    torch.testing.assert_close(dice(logits, labels, counted), theirs, rtol=1e-4, atol=1e-5)
    theirs = monai.GeneralizedDiceLoss(**how)(logits, truth)
    ours = generalized_dice(logits, labels, counted)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    theirs = monai.TverskyLoss(**how, alpha=0.3, beta=0.7)(logits, truth)
    torch.testing.assert_close(tversky(logits, labels, counted), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_focal_loss_is_monais_which_also_averages_over_classes():
    monai = pytest.importorskip("monai.losses", reason="MONAI, the reference, is absent")
    logits, labels = some_logits(2, 3, 4, 5, 6), some_labels(2, 4, 5, 6)
    theirs = monai.FocalLoss(to_onehot_y=True, use_softmax=True, gamma=2.0)
    torch.testing.assert_close(focal(logits, labels), 3 * theirs(logits, labels[:, None]))


@pytest.mark.parametrize("loss", LOSSES)
def test_ignored_voxels_change_nothing_and_get_no_gradient(loss):
    labels = some_labels(2, 4, 6)
    labels[:, :, 4:] = 7
    counted = Counted(ignore=7)
    logits = some_logits(2, 3, 4, 6).requires_grad_()
    cost = loss(logits, labels, counted)
    torch.testing.assert_close(cost, loss(logits[..., :4], labels[..., :4]))
    cost.backward()
    assert logits.grad[..., 4:].abs().max() == 0
    assert logits.grad[..., :4].abs().min() > 0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", [(3, 4), (2, 3, 4)])
def test_gradients_are_those_of_finite_differences(loss, size):
    logits, labels = some_logits(2, 3, *size).requires_grad_(), some_labels(2, *size)
    counted = Counted(weights=(1.0, 2.0, 3.0))
    slope = torch.autograd.grad(loss(logits, labels, counted), logits)[0]
    way = some_logits(*logits.shape, seed=2)
    step = 1e-2 * way
    with torch.no_grad():
        rise = loss(logits + step, labels, counted) - loss(logits - step, labels, counted)
    torch.testing.assert_close((slope * way).sum(), rise / 2e-2, rtol=0.02, atol=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_right_answer_costs_nothing_and_a_wrong_one_much(loss):
    labels = some_labels(2, 8, 8)
    right = 30 * torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    assert loss(right, labels) < 1e-3
    assert loss(-right, labels) > 0.5


@pytest.mark.parametrize("loss", LOSSES)
def test_shares_of_one_are_labels(loss):
    logits, labels = some_logits(2, 3, 4, 5), some_labels(2, 4, 5)
    shares = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    torch.testing.assert_close(loss(logits, shares), loss(logits, labels))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_without_foreground_has_a_finite_loss_and_gradient(loss):
    logits = some_logits(2, 3, 4, 5).requires_grad_()
    cost = loss(logits, torch.zeros(2, 4, 5, dtype=torch.long))
    cost.backward()
    assert torch.isfinite(cost)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("loss", [dice, tversky, focal_tversky, generalized_dice])
def test_only_the_ratio_of_weights_matters_and_a_heavy_class_decides(loss):
    labels = some_labels(2, 8, 8)
    shares = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    misses_two = 9 * shares * torch.tensor([1.0, 1.0, 0.0])[None, :, None, None]
    ones, tens = Counted(weights=(1, 1, 9)), Counted(weights=(10, 10, 90))
    torch.testing.assert_close(loss(misses_two, labels, ones), loss(misses_two, labels, tens))
    assert loss(misses_two, labels, ones) > loss(misses_two, labels)


def test_dice_and_entropy_are_added():
    logits, labels = some_logits(2, 3, 4, 5), some_labels(2, 4, 5)
    both = dice(logits, labels) + entropy(logits, labels)
    torch.testing.assert_close(dice_and_entropy(logits, labels), both)


def test_each_coarser_level_weighs_half_the_last():
    costs = iter([torch.tensor(1.0), torch.tensor(10.0), torch.tensor(100.0)])
    levels = [torch.zeros(1, 2, n, n) for n in (8, 4, 2)]
    whole = over_levels(lambda *_: next(costs), levels, torch.zeros(1, 8, 8))
    assert whole.item() == pytest.approx((1 + 10 / 2 + 100 / 4) / 1.75)


def test_coarser_levels_are_asked_for_coarser_labels():
    labels = torch.zeros(1, 2, 8, 8, dtype=torch.long)
    labels[:, :, 4:] = 2
    seen = []

    def remember(logits, truth):
        seen.append(truth)
        return torch.zeros(())

    over_levels(remember, [torch.zeros(1, 3, 2, 8, 8), torch.zeros(1, 3, 2, 4, 4)], labels)
    assert torch.equal(seen[0], labels)
    assert torch.equal(seen[1], labels[:, :, ::2, ::2])


def test_under_autocast_overlaps_are_taken_in_full_precision():
    logits, labels = some_logits(1, 3, 40, 40), some_labels(1, 40, 40)
    with torch.autocast("cpu", torch.bfloat16):
        half = dice_and_entropy(logits.bfloat16(), labels)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, dice_and_entropy(logits, labels), rtol=0.01, atol=0)


def test_a_class_nobody_drew_shares_its_probability_with_the_background():
    logits = some_logits(2, 4, 3, 5)
    known = torch.tensor([[True, True, False, True], [True, True, True, True]])
    shares = torch.softmax(merged(logits, known), dim=1)
    before = torch.softmax(logits, dim=1)
    torch.testing.assert_close(shares[0, 0], before[0, 0] + before[0, 2])
    assert (shares[0, 2] == 0).all()
    torch.testing.assert_close(shares[0, [1, 3]], before[0, [1, 3]])
    torch.testing.assert_close(shares[1], before[1])


def test_a_network_is_free_to_find_what_nobody_drew():
    truth = torch.zeros(1, 2, 2, dtype=torch.int64)
    known = torch.tensor([[True, True, False]])
    nothing, found = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    nothing[:, 0] = found[:, 2] = 5.0
    found.requires_grad_()
    same = [dice_and_entropy(merged(each, known), truth) for each in (nothing, found)]
    torch.testing.assert_close(*same)
    same[1].backward()
    assert torch.isfinite(found.grad).all()
    assert (found.grad[:, 2].abs() < 0.01).all()
    assert dice_and_entropy(found, truth) > same[1] + 1
