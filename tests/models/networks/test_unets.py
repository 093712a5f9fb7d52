"""U-Nets against MONAI's, and their parts by hand."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from medloop.models.architecture import Kind, Norm, Up, unet  # noqa: E402 (after the skip)
from medloop.models.networks.layers import AttentionGate  # noqa: E402
from medloop.models.networks.unets import Repeat, ResidualBlock, UNet  # noqa: E402

pytestmark = pytest.mark.train


@pytest.mark.slow
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (4.0, 1.0, 1.0)])
def test_a_plain_unet_computes_what_monais_does(spacing):
    nets = pytest.importorskip("monai.networks.nets", reason="MONAI, the reference, is absent")
    planned = unet(3, 2, 3, widths=(4, 6, 8, 10), spacing=spacing)
    # going up, MONAI takes the kernel of the coarser level, nnU-Net and we that of the finer
    planned = replace(planned, kernels=((3, 3, 3),) * 4)
    ours = UNet(replace(planned, norm=Norm.INSTANCE, leak=0.01)).eval()
    theirs = nets.DynUNet(
        3,
        2,
        3,
        kernel_size=planned.kernels,
        strides=planned.strides,
        upsample_kernel_size=planned.strides[1:],
        filters=planned.widths,
        norm_name=("INSTANCE", {"affine": True}),
    ).eval()
    by_shape = [part for name, part in theirs.named_parameters() if "skip_layers" not in name]
    parts = {
        "encoder": [theirs.input_block, *theirs.downsamples, theirs.bottleneck],
        "decoder": list(theirs.upsamples),
        "heads": [theirs.output_block],
    }
    moved = 0
    with torch.no_grad():
        for name, blocks in parts.items():
            source = [part for block in blocks for part in _ordered(block)]
            targets = [
                (key, part)
                for key, part in getattr(ours, name).named_parameters()
                if not key.endswith("up.bias")  # MONAI's transposed convolutions have none
            ]
            for (_, target), part in zip(targets, source, strict=True):
                target.copy_(part)
                moved += 1
        for key, part in ours.named_parameters():
            if key.endswith("up.bias"):
                part.zero_()
        x = torch.randn(2, 2, 8, 16, 16)
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    assert moved == len(by_shape)


def _ordered(block):
    """MONAI's parameters in the order in which they are used."""
    names = ("transp_conv", "conv_block", "conv1", "norm1", "conv2", "norm2", "conv")
    if not any(hasattr(block, name) for name in names):
        return list(block.parameters())
    return [
        part
        for name in names
        if hasattr(block, name)
        for part in _ordered(getattr(block, name))
    ]


def test_coarser_levels_answer_while_training():
    model = UNet(unet(2, 1, 3, widths=(4, 4, 4, 4))).train()
    x = torch.zeros(2, 1, 16, 24)
    assert model(x).shape == (2, 3, 16, 24)
    model = UNet(replace(unet(2, 1, 3, widths=(4, 4, 4, 4)), deep_supervision=2)).train()
    assert [tuple(level.shape[2:]) for level in model(x)] == [(16, 24), (8, 12), (4, 6)]
    assert model.eval()(x).shape == (2, 3, 16, 24)


def test_the_finest_of_several_answers_is_the_one_given_without_them():
    planned = replace(
        unet(2, 1, 3, widths=(4, 4, 4)), deep_supervision=1, norm=Norm.INSTANCE
    )  # which does the same in training
    model, x = UNet(planned), torch.randn(1, 1, 16, 16)
    torch.testing.assert_close(model.train()(x)[0], model.eval()(x))


def test_values_are_repeated_by_their_axis_stride():
    x = torch.tensor([[[[1.0, 2.0]]]])
    assert Repeat((1, 3))(x).tolist() == [[[[1, 1, 1, 2, 2, 2]]]]
    assert Repeat((2, 1))(x).tolist() == [[[[1, 2], [1, 2]]]]


def test_a_gate_is_worked_out_by_hand():
    gate = AttentionGate(2, 1, dims=2, norm=Norm.BATCH).eval()  # norms see mean 0, variance 1
    with torch.no_grad():
        gate.see[0].weight.copy_(torch.tensor([1.0, -1.0]).reshape(1, 2, 1, 1))
        gate.guide[0].weight.fill_(2.0)
        gate.weigh.weight.fill_(0.5)
        gate.weigh.bias.fill_(-1.0)
        x = torch.tensor([3.0, 1.0]).reshape(1, 2, 1, 1)
        seen = gate(x, torch.tensor([2.0]).reshape(1, 1, 1, 1)).flatten()
    weight = torch.sigmoid(torch.tensor(0.5 * (3 - 1 + 2 * 2) - 1))
    torch.testing.assert_close(seen, weight * x.flatten(), rtol=1e-4, atol=0)


def test_a_closed_gate_hides_the_skip():
    model = UNet(unet(2, 1, 2, widths=(4, 4), kind=Kind.ATTENTION_UNET)).eval()
    rise = model.decoder[0]
    with torch.no_grad():
        rise.gate.weigh.bias.fill_(-1e4)
        coarse = torch.randn(1, 4, 4, 4)
        a, b = (rise(coarse, torch.randn(1, 4, 8, 8)) for _ in range(2))
    torch.testing.assert_close(a, b)


def test_a_residual_block_that_adds_nothing_passes_its_input():
    planned = unet(2, 1, 2, widths=(4, 6), kind=Kind.RESIDUAL_UNET)
    block = ResidualBlock(planned, 1, c_in=6, is_first=False).eval()
    torch.nn.init.zeros_(block.second[1].weight)
    x = torch.randn(1, 6, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(block(x), torch.relu(x))


def test_up_by_nearest_and_by_transposed_convolutions_have_the_same_shape():
    planned = unet(3, 1, 2, widths=(4, 6, 8), spacing=(5.0, 1.0, 1.0))
    x = torch.zeros(1, 1, 3, 8, 8)
    shapes = {UNet(replace(planned, up=up)).eval()(x).shape for up in Up}
    assert shapes == {(1, 2, 3, 8, 8)}
