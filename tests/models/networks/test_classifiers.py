"""ViT's attention against torch's, gates of the DenseNet by hand."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 (after the skip)

from medloop.models.architecture import densenet, vit  # noqa: E402
from medloop.models.networks.build import build  # noqa: E402
from medloop.models.networks.vit import Attention  # noqa: E402

pytestmark = pytest.mark.train


def test_attention_is_torchs():
    ours, theirs = Attention(12, heads=3), nn.MultiheadAttention(12, 3, batch_first=True)
    projections = (ours.query, ours.key, ours.value)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in projections]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in projections]))
        theirs.out_proj.weight.copy_(ours.out.weight)
        theirs.out_proj.bias.copy_(ours.out.bias)
        x = torch.randn(2, 7, 12)
        torch.testing.assert_close(ours(x), theirs(x, x, x)[0], rtol=1e-4, atol=1e-5)


def test_a_vit_knows_where_a_patch_lies_and_without_places_does_not():
    model = build(vit(1, 2, size=(16, 16), patch=(4, 4), width=64, layers=1)).eval()
    nn.init.normal_(model.places)
    x = torch.randn(1, 1, 16, 16)
    moved = x.roll(4, dims=3)
    with torch.no_grad():
        assert (model(x) - model(moved)).abs().max() > 1e-4
        model.places.zero_()
        torch.testing.assert_close(model(x), model(moved), rtol=1e-4, atol=1e-5)


def a_densenet(**changes):
    pytest.importorskip("monai", reason="MONAI is absent")
    small = replace(densenet(2, 1, 2, blocks=(1, 2, 1)), growth=4, widths=(8,))
    return build(replace(small, **changes)).eval()


@pytest.mark.slow
def test_gates_add_the_two_blocks_before_the_last_to_what_is_classified():
    # 8 + 4 = 12, halved 6 + 2 x 4 = 14, halved 7 + 4 = 11
    assert a_densenet(gated=False).classifier.in_features == 11
    assert a_densenet().classifier.in_features == 11 + 12 + 14


@pytest.mark.slow
def test_open_gates_average_over_places():
    model, tapped = a_densenet(), {}
    model.features.denseblock1.register_forward_hook(lambda *a: tapped.update(first=a[2]))
    with torch.no_grad():
        for gate in model.gates:
            gate.weigh.weight.zero_()  # the same weight everywhere
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.weight[1, 11:23] = 1.0  # what comes from the first block
        logits = model(torch.randn(1, 1, 32, 32))
    expected = tapped["first"].mean(dim=(2, 3)).sum()
    torch.testing.assert_close(logits[0, 1], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_gate_that_sees_one_place_pools_that_place():
    model, tapped = a_densenet(), {}
    model.features.denseblock1.register_forward_hook(lambda *a: tapped.update(first=a[2]))
    at_one_place = torch.full((1, 1, 8, 8), -1e4)
    at_one_place[0, 0, 2, 5] = 1e4
    model.gates[0].weigh.register_forward_hook(lambda *_: at_one_place)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.weight[0, 11:23] = 1.0
        logits = model(torch.randn(1, 1, 32, 32))
    expected = tapped["first"][0, :, 2, 5].sum()
    torch.testing.assert_close(logits[0, 0], expected, rtol=1e-4, atol=1e-5)
