"""Which parameters move, and how fast, on networks small enough to count by hand."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 (after the skip)

from medloop.learning.tuning import depths, freeze, moved, parameter_groups  # noqa: E402

pytestmark = pytest.mark.train


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(2, 3)  # 9
        self.blocks = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])  # 12 each
        self.classifier = nn.Linear(3, 1)  # 4


def test_all_parameters_and_those_that_move_are_counted():
    model = Small()
    freeze(model, ["stem.*", "blocks.0.*"])
    assert (moved(model).moving, moved(model).every) == (16, 37)
    assert moved(model).share == pytest.approx(16 / 37)


def test_what_is_frozen_is_named():
    assert freeze(Small(), ["blocks.?.bias"]) == ("blocks.0.bias", "blocks.1.bias")


def test_a_pattern_that_matches_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="'encoder"):
        freeze(Small(), ["encoder.*"])


def test_layers_are_counted_from_the_output():
    far = depths(Small())
    assert {
        name.removesuffix(".weight"): n for name, n in far.items() if "bias" not in name
    } == {
        "classifier": 0,
        "blocks.1": 1,
        "blocks.0": 2,
        "stem": 3,
    }


def test_lists_inside_a_part_are_layers_too():
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = Small()
            self.head = nn.Linear(1, 1)

    far = depths(Around())
    assert far["trunk.stem.bias"] > far["trunk.blocks.0.bias"] > far["trunk.blocks.1.bias"]
    assert far["head.weight"] == 0


def test_each_layer_learns_slower_than_the_one_above():
    groups = parameter_groups(Small(), 0.1, 0.5)
    assert [group["lr"] for group in groups] == pytest.approx([0.1, 0.05, 0.025, 0.0125])
    assert [sum(p.numel() for p in group["params"]) for group in groups] == [4, 12, 12, 9]


def test_what_is_fixed_is_in_no_group_but_keeps_its_depth():
    model = Small()
    freeze(model, ["blocks.1.*"])
    groups = parameter_groups(model, 0.1, 0.5)
    assert [group["lr"] for group in groups] == pytest.approx([0.1, 0.025, 0.0125])


def test_a_step_moves_each_layer_by_its_rate():
    model = Small()
    before = {name: part.detach().clone() for name, part in model.named_parameters()}
    for part in model.parameters():
        part.grad = torch.ones_like(part)
    torch.optim.SGD(parameter_groups(model, 0.1, 0.5)).step()
    after = dict(model.named_parameters())
    for name, rate in {"classifier.bias": 0.1, "blocks.0.bias": 0.025}.items():
        torch.testing.assert_close(
            before[name] - after[name], torch.full_like(after[name], rate)
        )


@pytest.mark.parametrize("decay", [0.0, -1.0, 1.5])
def test_rates_may_not_rise_with_depth_or_vanish(decay):
    with pytest.raises(ValueError, match="decay_per_depth"):
        parameter_groups(Small(), 0.1, decay)
