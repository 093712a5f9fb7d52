"""Two networks that tell nodules from vessels: one reads slices, one the cube around a place.

Shape suffixes: B batch, C channel, H row, W column, S the spatial axes.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medloop.models.architecture import Architecture
from medloop.models.nets import EfficientNetLite
from medloop.models.networks.classifiers import DenseNet
from medloop.models.networks.layers import convolution

_FEATURES = 1280
_ENLARGED = 96  # rows and columns the first network sees: small vessels take some pixels


class SliceNet(nn.Module):
    """EfficientNet-Lite0 on three slices through a place, as the three colors."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = EfficientNetLite("lite0")
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(_FEATURES, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits (B, 1) of (B, 3, H, W)."""
        x = F.interpolate(x_BCHW, size=(_ENLARGED, _ENLARGED), mode="bilinear")
        out: Tensor = self.classifier(self.dropout(self.trunk(x).mean(dim=(2, 3))))
        return out

    def load_imagenet(self, published: Mapping[str, Tensor]) -> None:
        """Load ImageNet weights as published."""
        self.trunk.load_published(published)


class CubeNet(nn.Module):
    """A 3-D DenseNet with attention gates behind a stem that halves all axes."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.stem = convolution(1, a.channels, (3, 5, 5), stride=(2, 2, 2), bias=True)
        self.dense = DenseNet(a)

    def forward(self, x_BCS: Tensor) -> Tensor:
        """Logits (B, 1)."""
        out: Tensor = self.dense(torch.relu(self.stem(x_BCS)))
        return out


class NoduleNet(nn.Module):
    """Both networks, trained side by side."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.screen = SliceNet()
        self.review = CubeNet(a)

    def forward(self, cubes_BCS: Tensor, slices_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, 1) of cubes by the second network, (B', 1) of slices by the first."""
        return self.review(cubes_BCS), self.screen(slices_BCHW)
