"""Layers of 2 or 3 dims. Shape suffixes: B batch, C channel, S the spatial axes, 2 or 3."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from medloop.models.architecture import Norm

# torch types each dims' layer for itself
_Layers = Mapping[int, Callable[..., Any]]
_CONV: Final[_Layers] = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED: Final[_Layers] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_BATCH: Final[_Layers] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_INSTANCE: Final[_Layers] = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
_DROPOUT: Final[_Layers] = {2: nn.Dropout2d, 3: nn.Dropout3d}
_POOL: Final[_Layers] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}
_CONVOLVES = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def convolution(
    c_in: int,
    c_out: int,
    kernel: Sequence[int],
    *,
    stride: Sequence[int] | None = None,
    bias: bool = False,
) -> nn.Module:
    """Convolution whose output is the input's size over the stride."""
    padding = tuple(size // 2 for size in kernel)
    stride = tuple(stride or (1,) * len(kernel))
    kind = _CONV[len(kernel)]
    layer: nn.Module = kind(
        c_in, c_out, tuple(kernel), stride=stride, padding=padding, bias=bias
    )
    return layer


def transposed(c_in: int, c_out: int, stride: Sequence[int]) -> nn.Module:
    """Transposed convolution, kernel = stride: each value becomes a patch of its own."""
    layer: nn.Module = _TRANSPOSED[len(stride)](
        c_in, c_out, tuple(stride), stride=tuple(stride)
    )
    return layer


def normalization(channels: int, dims: int, norm: Norm) -> nn.Module:
    """Batch or instance norm with a learned scale and shift."""
    kinds = _BATCH if norm is Norm.BATCH else _INSTANCE
    layer: nn.Module = kinds[dims](channels, affine=True)
    return layer


def activation(leak: float) -> nn.Module:
    """ReLU, leaking if asked to."""
    return nn.LeakyReLU(leak, inplace=True) if leak else nn.ReLU(inplace=True)


def dropout(share: float, dims: int) -> nn.Module:
    """Dropout of whole channels; nothing at all for a share of 0."""
    layer: nn.Module = _DROPOUT[dims](share) if share else nn.Identity()
    return layer


def pooling(stride: Sequence[int]) -> nn.Module:
    """Mean over each `stride`-sized patch."""
    layer: nn.Module = _POOL[len(stride)](tuple(stride))
    return layer


class AttentionGate(nn.Module):
    """Weigh each place of `x` by how much it agrees with `guide` (Oktay 2018, additive).

    Both have the same spatial size, (B, C, S) and (B, G, S).
    """

    def __init__(self, channels: int, guide: int, *, dims: int, norm: Norm) -> None:
        super().__init__()
        inner, one = max(channels // 2, 1), (1,) * dims
        self.see = nn.Sequential(
            convolution(channels, inner, one), normalization(inner, dims, norm)
        )
        self.guide = nn.Sequential(
            convolution(guide, inner, one), normalization(inner, dims, norm)
        )
        self.weigh = convolution(inner, 1, one, bias=True)

    def forward(self, x_BCS: Tensor, guide_BGS: Tensor) -> Tensor:
        """Return `x` weighted, (B, C, S)."""
        return x_BCS * self.weights(x_BCS, guide_BGS)

    def weights(self, x_BCS: Tensor, guide_BGS: Tensor) -> Tensor:
        """Weights between 0 and 1, (B, 1, S)."""
        agreement = torch.relu(self.see(x_BCS) + self.guide(guide_BGS))
        return torch.sigmoid(self.weigh(agreement))


def initialize(model: nn.Module, *, leak: float = 0.0) -> None:
    """Draw convolutions' weights by He 2015 (fan in, for this leak), biases 0."""
    for layer in model.modules():
        if isinstance(layer, _CONVOLVES):
            nn.init.kaiming_normal_(layer.weight, a=leak)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def patches(c_in: int, width: int, size: Sequence[int]) -> nn.Module:
    """One vector a patch: a convolution whose kernel is its stride."""
    layer: nn.Module = _CONV[len(size)](c_in, width, tuple(size), stride=tuple(size))
    return layer
