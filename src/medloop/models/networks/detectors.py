"""Networks that find objects. Shape suffixes: B batch, C channel, S the 2 or 3 spatial axes."""

import math

import torch
from torch import Tensor, nn

from medloop.models.architecture import Architecture
from medloop.models.networks.layers import (
    activation,
    convolution,
    initialize,
    normalization,
)
from medloop.models.networks.unets import Rise, plain_stage

_RARE = 0.01  # of the cells have an object, at first (Lin 2017)


class CenterUNet(nn.Module):
    """For each cell: is an object's center here, how far off, and how large (CenterNet).

    After Zhou 2019 (arXiv 1904.07850), without anchors. A cell is ``strides[1]`` voxels.
    """

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        levels = len(a.widths)
        self.encoder = nn.ModuleList(plain_stage(a, n) for n in range(levels))
        self.decoder = nn.ModuleList(Rise(a, n) for n in range(levels - 2, 0, -1))
        self.heat = _head(a, a.classes)
        self.box = _head(a, 2 * a.dims)
        initialize(self, leak=a.leak)
        with torch.no_grad():
            self.heat[-1].bias.fill_(-math.log((1 - _RARE) / _RARE))  # type: ignore[operator] # a convolution with bias
            self.box[-1].weight.mul_(0.1)  # type: ignore[operator] # boxes begin at the typical size

    def forward(self, x_BCS: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of centers (B, classes, S) and boxes (B, 2 dims, S), S in cells.

        A box is the way from the cell's middle to the object's, in cells along each axis, then
        the logarithm of its size over the typical one.
        """
        skips, x = [], x_BCS
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
        for n, rise in enumerate(self.decoder):
            x = rise(x, skips[-2 - n])
        return self.heat(x), self.box(x)


def _head(a: Architecture, out: int) -> nn.Sequential:
    width = a.widths[1]
    return nn.Sequential(
        convolution(width, width, a.kernels[1]),
        normalization(width, a.dims, a.norm),
        activation(a.leak),
        convolution(width, out, (1,) * a.dims, bias=True),
    )
