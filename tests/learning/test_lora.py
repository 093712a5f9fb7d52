"""Adapters: nothing at first, then an addition that merges exactly."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors", reason="safetensors, the format of adapters, is absent")

from torch import nn  # noqa: E402 (after the skip)

from medloop.core.errors import InputError  # noqa: E402
from medloop.learning.lora import Lora, adapt, load_adapters, merge, save_adapters  # noqa: E402
from medloop.learning.tuning import depths, moved  # noqa: E402

pytestmark = pytest.mark.train
BASE = "ab" * 32


class Reader(nn.Module):
    """A bit of everything: convolutions of 2 and 3 dims, a norm, attention, linear layers."""

    def __init__(self):
        super().__init__()
        self.solid = nn.Conv3d(1, 4, 3, padding=1)
        self.flat = nn.Conv2d(4, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.each = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.classifier = nn.Linear(8, 2)

    def forward(self, x):
        x = self.solid(x).mean(2)
        x = self.each(self.norm(self.flat(x))).flatten(2).transpose(1, 2)
        return self.classifier(self.attention(x, x, x, need_weights=False)[0].mean(1))


def a_reader(seed: int = 0) -> Reader:
    torch.manual_seed(seed)
    return Reader()


def some_input():
    return torch.randn(3, 1, 4, 6, 6, generator=torch.Generator().manual_seed(1))


def a_rng() -> np.random.Generator:
    return np.random.default_rng(0)


def trained(model: nn.Module, steps: int = 5) -> nn.Module:
    """Let what may move learn to tell one sample from two others."""
    moving = [part for part in model.parameters() if part.requires_grad]
    optimizer = torch.optim.Adam(moving, lr=0.02)
    for _ in range(steps):
        loss = nn.functional.cross_entropy(model(some_input()), torch.tensor([0, 1, 1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def outputs(model: nn.Module):
    with torch.no_grad():
        return model.eval()(some_input())


def test_fresh_adapters_change_no_output():
    model = a_reader()
    before = outputs(model)
    adapt(model, Lora(rank=2), a_rng())
    torch.testing.assert_close(outputs(model), before, rtol=0, atol=0)


def test_linear_attention_and_convolution_layers_are_adapted():
    assert adapt(a_reader(), Lora(rank=2), a_rng()) == (
        "solid.weight",
        "flat.weight",
        "attention.in_proj_weight",
        "attention.out_proj.weight",
    )


def test_patterns_choose_the_layers():
    names = adapt(a_reader(), Lora(layers=("attention*",)), a_rng())
    assert names == ("attention.in_proj_weight", "attention.out_proj.weight")


def test_what_moves_is_the_rank_times_the_sides():
    model = a_reader()
    adapt(model, Lora(rank=2, layers=("flat",)), a_rng())
    classifier = 8 * 2 + 2
    assert moved(model).moving == 2 * (8 + 4 * 9) + classifier


def test_training_moves_only_adapters_and_what_is_trained_whole():
    model = a_reader()
    plain = {name: part.clone() for name, part in model.named_parameters()}
    adapt(model, Lora(rank=2), a_rng())
    trained(model)
    for name, part in model.named_parameters():
        original = name.replace("parametrizations.", "").replace(".original", "")
        if original in plain:
            assert torch.equal(part, plain[original]) == (not name.startswith("classifier"))
    ups = [part for name, part in model.named_parameters() if name.endswith(".up")]
    assert all(up.abs().max() > 0 for up in ups)


def test_the_addition_is_worked_out_by_hand():
    layer = nn.Linear(2, 2, bias=False)
    model = nn.Sequential(layer)
    adapt(model, Lora(rank=1, alpha=3.0, whole=()), a_rng())
    addition = layer.parametrizations.weight[0]
    with torch.no_grad():
        layer.parametrizations.weight.original.zero_()
        addition.up.copy_(torch.tensor([[1.0], [2.0]]))
        addition.down.copy_(torch.tensor([[5.0, 7.0]]))
    assert layer.weight.tolist() == [[15.0, 21.0], [30.0, 42.0]]


def test_merged_weights_give_the_same_output_and_are_plain():
    model = a_reader()
    names = list(model.state_dict())
    adapt(model, Lora(rank=2), a_rng())
    before = outputs(trained(model))
    assert sorted(merge(model).state_dict()) == sorted(names)
    torch.testing.assert_close(outputs(model), before, rtol=0, atol=1e-5)


def test_saved_adapters_on_the_same_base_give_the_same_output(tmp_path):
    lora, base = Lora(rank=2, alpha=5.0), a_reader()
    tuned = copy.deepcopy(base)
    adapt(tuned, lora, a_rng())
    trained(tuned)
    save_adapters(tuned, tmp_path / "adapters.safetensors", lora=lora, base_sha256=BASE)
    assert load_adapters(base, tmp_path / "adapters.safetensors", base_sha256=BASE) == lora
    torch.testing.assert_close(outputs(base), outputs(tuned), rtol=0, atol=0)
    torch.testing.assert_close(outputs(merge(base)), outputs(tuned), rtol=0, atol=1e-5)


def test_the_file_holds_what_moved_and_no_base_weight(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    model, lora = a_reader(), Lora(rank=2, layers=("flat",))
    adapt(model, lora, a_rng())
    save_adapters(model, tmp_path / "a.safetensors", lora=lora, base_sha256=BASE)
    held = safetensors.load_file(tmp_path / "a.safetensors")
    assert sorted(held) == [
        "classifier.bias",
        "classifier.weight",
        "flat.parametrizations.weight.0.down",
        "flat.parametrizations.weight.0.up",
        "norm.num_batches_tracked",
        "norm.running_mean",
        "norm.running_var",
    ]


def test_saving_twice_gives_the_same_bytes(tmp_path):
    files = []
    for name in ("a", "b"):
        model = a_reader()
        adapt(model, Lora(rank=2), a_rng())
        save_adapters(model, tmp_path / name, lora=Lora(rank=2), base_sha256=BASE)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


def test_adapters_for_other_weights_are_refused(tmp_path):
    model = a_reader()
    adapt(model, Lora(rank=2), a_rng())
    save_adapters(model, tmp_path / "a", lora=Lora(rank=2), base_sha256=BASE)
    with pytest.raises(InputError, match=r"abababababab\.\.\., not cdcdcdcdcdcd"):
        load_adapters(a_reader(), tmp_path / "a", base_sha256="cd" * 32)


@pytest.mark.parametrize(
    "other", [nn.Sequential(nn.Linear(3, 3)), nn.Sequential(nn.ReLU())], ids=["layers", "none"]
)
def test_adapters_for_another_network_are_refused(tmp_path, other):
    model = a_reader()
    adapt(model, Lora(rank=2), a_rng())
    save_adapters(model, tmp_path / "a", lora=Lora(rank=2), base_sha256=BASE)
    with pytest.raises(InputError, match="another network"):
        load_adapters(copy.deepcopy(other), tmp_path / "a", base_sha256=BASE)


def test_a_layer_of_another_size_is_refused(tmp_path):
    model, wider = nn.Sequential(nn.Linear(3, 3)), nn.Sequential(nn.Linear(4, 3))
    adapt(model, Lora(rank=2), a_rng())
    save_adapters(model, tmp_path / "a", lora=Lora(rank=2), base_sha256=BASE)
    with pytest.raises(InputError, match="another network"):
        load_adapters(wider, tmp_path / "a", base_sha256=BASE)


@pytest.mark.parametrize("content", [b"", b"no adapters", b"\xff" * 100])
def test_a_file_that_holds_no_adapters_is_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match="holds no adapters"):
        load_adapters(a_reader(), tmp_path / "a", base_sha256=BASE)


def test_a_file_that_is_absent_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no adapters"):
        load_adapters(a_reader(), tmp_path / "a", base_sha256=BASE)


def test_adapting_twice_is_a_mistake():
    model = a_reader()
    adapt(model, Lora(), a_rng())
    with pytest.raises(ValueError, match="merge them first"):
        adapt(model, Lora(), a_rng())


def test_patterns_that_choose_no_layer_are_a_mistake():
    with pytest.raises(ValueError, match="no layer to adapt"):
        adapt(a_reader(), Lora(layers=("encoder*",)), a_rng())


def test_adapters_are_as_deep_as_their_layers():
    model = a_reader()
    before = depths(model)
    adapt(model, Lora(rank=2), a_rng())
    after = depths(model)
    assert after["flat.parametrizations.weight.0.up"] == before["flat.weight"]
    assert after["classifier.weight"] == before["classifier.weight"] == 0
