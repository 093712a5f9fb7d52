"""Networks against independent references."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 (after the skip)
from torch.nn import functional as F  # noqa: E402, N812

from medloop.models.nets import Block, Depthwise, EfficientNetLite, GradingNet, LiteUNet  # noqa: E402

pytestmark = pytest.mark.train


def a_published_block(c_in: int, c_out: int, *, kernel: int, stride: int) -> dict:
    """Draw weights of one block as they are published, batch norms apart."""
    draw = torch.Generator().manual_seed(0)
    inner = 6 * c_in

    def normal(*shape):
        return 0.3 * torch.randn(*shape, generator=draw)

    state = {
        "_expand_conv.weight": normal(inner, c_in, 1, 1),
        "_depthwise_conv.weight": normal(inner, 1, kernel, kernel),
        "_project_conv.weight": normal(c_out, inner, 1, 1),
    }
    for n, channels in enumerate((inner, inner, c_out)):
        state[f"_bn{n}.weight"] = 1 + normal(channels)
        state[f"_bn{n}.bias"] = normal(channels)
        state[f"_bn{n}.running_mean"] = normal(channels)
        state[f"_bn{n}.running_var"] = 0.5 + torch.rand(channels, generator=draw)
    return state


def a_normed(x, state, n):
    part = [state[f"_bn{n}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
    return F.batch_norm(x, *part, eps=1e-3)


def the_published_block(x, state, *, stride: int):
    """Compute the block as TensorFlow defines it: convolution, norm, ReLU6, one by one."""
    kernel = state["_depthwise_conv.weight"].shape[-1]
    y = F.relu6(a_normed(F.conv2d(x, state["_expand_conv.weight"]), state, 0))
    rows, columns = y.shape[2:]
    need = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in (columns, rows)]
    y = F.pad(y, [p for n in need for p in (n // 2, n - n // 2)])
    y = F.conv2d(y, state["_depthwise_conv.weight"], stride=stride, groups=y.shape[1])
    y = F.relu6(a_normed(y, state, 1))
    y = a_normed(F.conv2d(y, state["_project_conv.weight"]), state, 2)
    return x + y if stride == 1 and x.shape == y.shape else y


@pytest.mark.parametrize(
    ("c_in", "c_out", "kernel", "stride"), [(8, 8, 5, 1), (8, 12, 3, 2), (8, 8, 5, 2)]
)
def test_a_folded_block_computes_the_published_one(c_in, c_out, kernel, stride):
    state = a_published_block(c_in, c_out, kernel=kernel, stride=stride)
    trunk = nn.Module.__new__(EfficientNetLite)
    nn.Module.__init__(trunk)
    trunk.stem = Depthwise(1, 3)
    trunk.blocks = nn.ModuleList(
        [Block(c_in, c_out, kernel=kernel, stride=stride, expansion=6)]
    )
    published = {f"_blocks.0.{name}": value for name, value in state.items()}
    published |= {"_conv_stem.weight": torch.ones(1, 1, 3, 3)}
    published |= {f"_bn0.{k}": torch.ones(1) for k in ("weight", "bias", "running_mean")}
    trunk.load_published(published | {"_bn0.running_var": torch.ones(1)})
    x = torch.randn(2, c_in, 16, 12, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = trunk.blocks[0](x)
    torch.testing.assert_close(
        ours, the_published_block(x, state, stride=stride), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_the_fixed_depthwise_gradient_is_autograds(kernel, stride):
    layer = Depthwise(6, kernel, stride=stride)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape))
        layer.bias.copy_(torch.randn(6))
    x = torch.randn(2, 6, 16, 12)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y = layer(ours)
    padded = F.pad(theirs, layer.edges)
    reference = F.conv2d(padded, layer.weight, layer.bias, stride=stride, groups=6)
    torch.testing.assert_close(y, reference)
    weight = torch.randn(y.shape)
    (y * weight).sum().backward()
    (reference * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_the_pyramid_halves_at_every_level():
    trunk = EfficientNetLite()
    with torch.no_grad():
        levels = trunk.pyramid(torch.zeros(1, 3, 64, 96))
    assert [tuple(level.shape[2:]) for level in levels] == [
        (32, 48),
        (16, 24),
        (8, 12),
        (4, 6),
        (2, 3),
    ]
    assert tuple(level.shape[1] for level in levels) == trunk.pyramid_channels


@pytest.mark.slow
def test_the_activation_map_averages_to_the_logit():
    net = GradingNet((5, 3)).eval()
    with torch.no_grad():
        features = torch.rand(2, 1280, 3, 4)
        logits = net.classifier(net.pool(features)) - net.classifier.bias
        maps = net.activation(features)
    torch.testing.assert_close(maps.mean(dim=(2, 3)), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_outlines_have_the_inputs_size():
    net = LiteUNet(5, widths=(4, 4, 4, 4, 4)).eval()
    with torch.no_grad():
        assert net(torch.zeros(1, 3, 64, 96)).shape == (1, 5, 64, 96)
