"""Networks. Shape suffixes: B batch, C channel, H row, W column.

The trunk is EfficientNet-Lite (Tan & Le 2019; Lite variants: no squeeze-excite, ReLU6) with
each batch norm folded into its convolution, so published ImageNet weights load and quantize
well.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# (repeats, kernel, stride, expansion, out channels) of each stage at width 1.0
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# factor on all widths, and on all depths in tenths
_SCALES = {"lite0": (1.0, 10), "lite1": (1.0, 11), "lite2": (1.1, 12)}
_STEM, _HEAD = 32, 1280  # Lite variants leave both unscaled
_NORM_EPSILON = 1e-3
_POOL_FLOOR = 1e-6  # keeps the slope of the pooling finite where a channel is silent


def _round_width(channels: int, width: float) -> int:
    """Scale a channel count to the nearest multiple of 8, never below 90 %."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: an odd remainder goes right and below.

    Holds for inputs whose sides the stride divides, which all plans ensure.
    """

    def __init__(self, c_in: int, c_out: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__(c_in, c_out, kernel, stride=stride)
        total = kernel - stride
        self.edges = (total // 2, total - total // 2) * 2

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Pad and convolve."""
        x = F.pad(x_BCHW, self.edges) if any(self.edges) else x_BCHW
        return super().forward(x)


class _FixedDepthwise(torch.autograd.Function):
    """Strided depthwise convolution whose kernel is not trained.

    The general backward pass spends most of a CPU training step on these kernels; with them
    fixed, the gradient of the input is one more (fast) depthwise convolution, over the gradient
    spread out by the stride.
    """

    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor, kernel: Tensor, bias: Tensor, stride: int) -> Tensor:  # noqa: ANN401 (torch gives no type)
        ctx.stride, ctx.size = stride, x_BCHW.shape[2:]
        ctx.save_for_backward(kernel)
        return F.conv2d(x_BCHW, kernel, bias, stride=stride, groups=kernel.shape[0])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401
        (kernel,) = ctx.saved_tensors
        grad, size = grads[0], kernel.shape[-1]
        height, width = ctx.size
        spread = torch.empty(
            (*grad.shape[:2], height - size + 1, width - size + 1),
            dtype=grad.dtype,
            device=grad.device,
            memory_format=torch.channels_last,
        ).zero_()
        spread[:, :, :: ctx.stride, :: ctx.stride] = grad
        out = F.conv2d(spread, kernel.flip(2, 3), padding=size - 1, groups=kernel.shape[0])
        return out, None, None, None


class Depthwise(nn.Module):
    """Depthwise convolution, "same" padding; kernel and bias stay as they were loaded."""

    def __init__(self, channels: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.zeros(channels, 1, kernel, kernel), requires_grad=False
        )
        self.bias = nn.Parameter(torch.zeros(channels), requires_grad=False)
        self.stride = stride
        total = kernel - stride
        self.edges = (total // 2, total - total // 2) * 2

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Pad and convolve, channel by channel."""
        kernel, bias = self.weight.to(x_BCHW.dtype), self.bias.to(x_BCHW.dtype)
        if self.stride == 1:
            return F.conv2d(x_BCHW, kernel, bias, padding=self.edges[0], groups=kernel.shape[0])
        x = F.pad(x_BCHW, self.edges)
        if torch.is_grad_enabled() and x.requires_grad:
            out: Tensor = _FixedDepthwise.apply(  # type: ignore[no-untyped-call]
                x, kernel, bias, self.stride
            )
            return out
        return F.conv2d(x, kernel, bias, stride=self.stride, groups=kernel.shape[0])


class Block(nn.Module):
    """Inverted residual: expand, depthwise, project (MobileNetV2)."""

    def __init__(
        self, c_in: int, c_out: int, *, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        inner = c_in * expansion
        self.expand = SameConv2d(c_in, inner, 1) if expansion != 1 else None
        self.depthwise = Depthwise(inner, kernel, stride=stride)
        self.project = SameConv2d(inner, c_out, 1)
        self.is_residual = stride == 1 and c_in == c_out
        self.stride = stride

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Transform, and add the input where shapes allow."""
        y = x_BCHW if self.expand is None else F.relu6(self.expand(x_BCHW), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x_BCHW + y if self.is_residual else y


class EfficientNetLite(nn.Module):
    """The trunk; `pyramid` gives features at strides 2, 4, 8, 16 and 32."""

    def __init__(self, scale: str = "lite0") -> None:
        super().__init__()
        width, depth = _SCALES[scale]
        self.stem = SameConv2d(3, _STEM, 3, stride=2)
        blocks: list[Block] = []
        channels = _STEM
        for n, (repeats, kernel, stride, expansion, unscaled) in enumerate(_STAGES):
            c_out = _round_width(unscaled, width)
            fixed = n in (0, len(_STAGES) - 1)
            for k in range(repeats if fixed else -(-repeats * depth // 10)):
                blocks.append(
                    Block(
                        channels,
                        c_out,
                        kernel=kernel,
                        stride=stride if k == 0 else 1,
                        expansion=expansion,
                    )
                )
                channels = c_out
        self.blocks = nn.ModuleList(blocks)
        self.head = SameConv2d(channels, _HEAD, 1)
        self.pyramid_channels = tuple(
            [
                b.project.out_channels
                for a, b in zip(blocks[1:], blocks, strict=False)
                if a.stride == 2
            ]
            + [channels]
        )

    def pyramid(self, x_BCHW: Tensor) -> list[Tensor]:
        """Features before each halving, finest (stride 2) first, deepest (stride 32) last."""
        levels: list[Tensor] = []
        x = F.relu6(self.stem(x_BCHW))
        for block in self.blocks:
            if block.stride == 2:
                levels.append(x)
            x = block(x)
        return [*levels, x]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Head features at stride 32, (B, 1280, H/32, W/32)."""
        return F.relu6(self.head(self.pyramid(x_BCHW)[-1]))

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Load weights laid out as ``_blocks.N._expand_conv`` ..., folding each batch norm."""
        _fold(self.stem, state, "_conv_stem", "_bn0")
        if hasattr(self, "head"):
            _fold(self.head, state, "_conv_head", "_bn1")
        for n, block in enumerate(self.blocks):
            if not isinstance(block, Block):  # a ModuleList forgets what it holds
                raise TypeError(f"block {n} is {type(block).__name__}")
            at = f"_blocks.{n}."
            if block.expand is not None:
                _fold(block.expand, state, at + "_expand_conv", at + "_bn0")
            _fold(block.depthwise, state, at + "_depthwise_conv", at + "_bn1")
            _fold(block.project, state, at + "_project_conv", at + "_bn2")


@torch.no_grad()
def _fold(
    target: SameConv2d | Depthwise, state: Mapping[str, Tensor], conv: str, norm: str
) -> None:
    scale = state[norm + ".weight"] / (state[norm + ".running_var"] + _NORM_EPSILON).sqrt()
    target.weight.copy_(state[conv + ".weight"] * scale[:, None, None, None])
    if target.bias is not None:
        target.bias.copy_(state[norm + ".bias"] - state[norm + ".running_mean"] * scale)


class GradingNet(nn.Module):
    """Ordinal grades of one picture, each with an exact class activation map.

    Each grade is read off cumulative logits, P(grade > k), linear in the pooled head features
    (Frank & Hall 2001). Pooling is the generalized mean with power 3 (Radenovic 2018): a lesion
    that fills one place of many still counts. A place's part in the pooled feature is its cube
    over the squared mean, so the same weights applied to these parts map the logit exactly
    (after CAM, Zhou 2016).
    """

    def __init__(
        self, grades: tuple[int, ...], *, scale: str = "lite0", dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.trunk = EfficientNetLite(scale)
        self.dropout = nn.Dropout(dropout)
        self.steps = tuple(n - 1 for n in grades)
        self.classifier = nn.Linear(_HEAD, sum(self.steps))
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Cumulative logits of all scales side by side, (B, sum of steps)."""
        pooled = self.pool(self.trunk(x_BCHW))
        out: Tensor = self.classifier(self.dropout(pooled))
        return out

    @staticmethod
    def pool(features_BCHW: Tensor) -> Tensor:
        """Generalized mean over places, (B, C)."""
        cubes = features_BCHW.float() ** 3 + _POOL_FLOOR
        return torch.pow(cubes.mean(dim=(2, 3)), 1 / 3)

    def activation(self, features_BCHW: Tensor) -> Tensor:
        """Each place's part in every cumulative logit, (B, steps, H/32, W/32).

        The mean over places, plus the bias, is the logit.
        """
        cubes = features_BCHW.float() ** 3 + _POOL_FLOOR
        parts = cubes / self.pool(features_BCHW)[:, :, None, None] ** 2
        return F.conv2d(parts, self.classifier.weight[:, :, None, None])


def _convolutions(c_in: int, c_out: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, batch norm and ReLU each."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(inplace=True),
        nn.Conv2d(c_out, c_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(inplace=True),
    )


class LiteUNet(nn.Module):
    """U-Net (Ronneberger 2015) whose contracting path is EfficientNet-Lite.

    A full-resolution level of plain convolutions is added, since a microaneurysm is a few
    pixels. Inputs are multiples of 32 a side; one logit a class and pixel (classes may
    overlap).
    """

    def __init__(
        self,
        classes: int,
        *,
        scale: str = "lite0",
        widths: tuple[int, ...] = (24, 32, 48, 80, 112),
    ) -> None:
        super().__init__()
        self.trunk = EfficientNetLite(scale)
        del self.trunk.head
        skips = self.trunk.pyramid_channels
        self.fine = _convolutions(3, widths[0])
        below = (*widths[1:], skips[-1])
        beside = (widths[0], *skips[:-1])
        self.up = nn.ModuleList(
            _convolutions(b + s, w) for b, s, w in zip(below, beside, widths, strict=True)
        )
        self.classify = nn.Conv2d(widths[0], classes, 1)
        if self.classify.bias is not None:  # it never is; torch types it so
            nn.init.constant_(self.classify.bias, -4.0)  # lesions are rare

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits (B, classes, H, W)."""
        levels = [self.fine(x_BCHW), *self.trunk.pyramid(x_BCHW)]
        x = levels[-1]
        for n in reversed(range(len(self.up))):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.up[n](torch.cat([x, levels[n]], dim=1))
        out: Tensor = self.classify(x)
        return out
