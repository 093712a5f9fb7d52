"""U-Nets of 2 or 3 dims. Shape suffixes: B batch, C channel, S the spatial axes, 2 or 3.

One decoder under three encoders: plain convolutions, residual blocks, and plain ones whose
skips pass attention gates. Levels may have strides and kernels of their own along each axis.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medloop.models.architecture import Architecture, Kind, Up
from medloop.models.networks.layers import (
    AttentionGate,
    activation,
    convolution,
    dropout,
    initialize,
    normalization,
    pooling,
    transposed,
)


class UNet(nn.Module):
    """Logits for each voxel of an input whose sides are multiples of `multiple`."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        levels = len(a.widths)
        stage = _residual_stage if a.kind is Kind.RESIDUAL_UNET else plain_stage
        self.encoder = nn.ModuleList(stage(a, n) for n in range(levels))
        upward = range(levels - 2, -1, -1)  # the deepest first, as they are computed
        self.decoder = nn.ModuleList(Rise(a, n) for n in upward)
        self.heads = nn.ModuleList(
            convolution(a.widths[n], a.classes, (1,) * a.dims, bias=True)
            for n in upward
            if n <= a.deep_supervision
        )
        initialize(self, leak=a.leak)

    def forward(self, x_BCS: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Logits (B, classes, S).

        While training under deep supervision those of coarser levels follow, finest first.
        """
        skips, x = [], x_BCS
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
        levels = []
        for n, rise in enumerate(self.decoder):
            x = rise(x, skips[-2 - n])
            levels.append(x)
        if not self.training or len(self.heads) == 1:
            out: Tensor = self.heads[-1](x)
            return out
        heard = zip(reversed(self.heads), reversed(levels), strict=False)
        return tuple(head(level) for head, level in heard)


class Rise(nn.Module):
    """Up to level `n`: enlarge, look at the encoder's features through a gate, merge."""

    def __init__(self, a: Architecture, n: int) -> None:
        super().__init__()
        width, is_gated = a.widths[n], a.kind is Kind.ATTENTION_UNET
        self.up = _up(a, n)
        self.gate = AttentionGate(width, width, dims=a.dims, norm=a.norm) if is_gated else None
        self.merge = _convolutions(a, n, c_in=2 * width, count=a.decoder_blocks)

    def forward(self, x_BCS: Tensor, skip_BCS: Tensor) -> Tensor:
        """Take the coarser level's features and the encoder's of this one."""
        x = self.up(x_BCS)
        skip = skip_BCS if self.gate is None else self.gate(skip_BCS, x)
        out: Tensor = self.merge(torch.cat([x, skip], dim=1))
        return out


def plain_stage(a: Architecture, n: int) -> nn.Module:
    """Convolve at level `n` of an encoder, after going down to it."""
    c_in = a.widths[n - 1] if n else a.channels
    return _convolutions(a, n, c_in=c_in, count=a.blocks[n], stride=a.strides[n])


def _convolutions(
    a: Architecture, n: int, *, c_in: int, count: int, stride: tuple[int, ...] | None = None
) -> nn.Sequential:
    """`count` times convolution, norm, activation; the first strided."""
    width, parts = a.widths[n], []
    for k in range(count):
        parts += [
            convolution(
                width if k else c_in, width, a.kernels[n], stride=None if k else stride
            ),
            dropout(a.dropout, a.dims),
            normalization(width, a.dims, a.norm),
            activation(a.leak),
        ]
    return nn.Sequential(*(part for part in parts if not isinstance(part, nn.Identity)))


def _residual_stage(a: Architecture, n: int) -> nn.Module:
    parts: list[nn.Module] = []
    if n == 0:
        parts += _convolutions(a, 0, c_in=a.channels, count=1)
    for k in range(a.blocks[n]):
        c_in = a.widths[max(n - 1, 0)] if k == 0 else a.widths[n]
        parts.append(ResidualBlock(a, n, c_in=c_in, is_first=k == 0))
    return nn.Sequential(*parts)


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut; the mean, then 1 x 1, where shapes change.

    The shortcut averages before it projects (ResNet-D, He 2019).
    """

    def __init__(self, a: Architecture, n: int, *, c_in: int, is_first: bool) -> None:
        super().__init__()
        width, stride = a.widths[n], a.strides[n] if is_first else (1,) * a.dims
        self.first = _convolutions(a, n, c_in=c_in, count=1, stride=stride)
        self.second = nn.Sequential(
            convolution(width, width, a.kernels[n]), normalization(width, a.dims, a.norm)
        )
        shortcut: list[nn.Module] = []
        if max(stride) > 1:
            shortcut.append(pooling(stride))
        if c_in != width:
            shortcut.append(convolution(c_in, width, (1,) * a.dims))
            shortcut.append(normalization(width, a.dims, a.norm))
        self.shortcut = nn.Sequential(*shortcut)
        self.activate = activation(a.leak)

    def forward(self, x_BCS: Tensor) -> Tensor:
        """Transform, and add the shortcut."""
        out: Tensor = self.activate(self.second(self.first(x_BCS)) + self.shortcut(x_BCS))
        return out


def _up(a: Architecture, n: int) -> nn.Module:
    """From the width and resolution of level `n` + 1 to those of level `n`."""
    stride = a.strides[n + 1]
    if a.up is Up.TRANSPOSED:
        return transposed(a.widths[n + 1], a.widths[n], stride)
    squeeze = convolution(a.widths[n + 1], a.widths[n], (1,) * a.dims, bias=True)
    return nn.Sequential(squeeze, Repeat(stride))


class Repeat(nn.Module):
    """Each value repeated `stride` times along each axis."""

    def __init__(self, stride: tuple[int, ...]) -> None:
        super().__init__()
        self.factors = [float(factor) for factor in stride]

    def forward(self, x_BCS: Tensor) -> Tensor:
        """Enlarge by nearest neighbor."""
        return F.interpolate(x_BCS, scale_factor=self.factors, mode="nearest")
