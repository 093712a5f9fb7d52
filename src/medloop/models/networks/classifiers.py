"""Classifiers of 2 or 3 dims. Shape suffixes: B batch, C channel, S the spatial axes.

ResNet and DenseNet are MONAI's, with a stem for small pictures and attention gates added.
"""

from typing import cast

import torch
from torch import Tensor, nn

from medloop.models.architecture import Architecture, Norm
from medloop.models.nets import EfficientNetLite
from medloop.models.networks.layers import (
    AttentionGate,
    convolution,
    initialize,
    normalization,
)

_LITE_FEATURES = 1280


def resnet(a: Architecture) -> nn.Module:
    """MONAI's ResNet: a 7 x 7 stem that halves twice, or a 3 x 3 one that does not halve."""
    from monai.networks.nets.resnet import ResNet  # noqa: PLC0415 (heavy)

    model = ResNet(
        "bottleneck" if a.bottleneck else "basic",
        list(a.blocks),
        list(a.widths),
        spatial_dims=a.dims,
        n_input_channels=a.channels,
        conv1_t_size=3 if a.small else 7,
        conv1_t_stride=1 if a.small else 2,
        no_max_pool=a.small,
        num_classes=a.classes,
        norm=_norm(a),
        bias_downsample=False,
    )
    if a.norm is not Norm.BATCH:  # MONAI 1.6 gives all layers but the first a batch norm
        for part in list(model.modules()):
            for name, child in part.named_children():
                if isinstance(child, nn.BatchNorm2d | nn.BatchNorm3d):
                    setattr(part, name, normalization(child.num_features, a.dims, a.norm))
    if a.dropout:
        features = (4 if a.bottleneck else 1) * a.widths[-1]
        head = nn.Sequential(nn.Dropout(a.dropout), nn.Linear(features, a.classes))
        model.fc = head  # type: ignore[assignment] # MONAI calls whatever stands here
    return model


class DenseNet(nn.Module):
    """MONAI's DenseNet, whose finer blocks may feed the classifier through attention gates.

    The last features guide a gate over those of the two blocks before; gated features are
    summed over places with weights that sum to 1, and join the pooled last ones (Schlemper
    2019).
    """

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        from monai.networks.nets.densenet import DenseNet as Trunk  # noqa: PLC0415 (heavy)

        trunk = Trunk(
            spatial_dims=a.dims,
            in_channels=a.channels,
            out_channels=a.classes,
            init_features=a.widths[0],
            growth_rate=a.growth,
            block_config=a.blocks,
            norm=_norm(a),
            dropout_prob=a.dropout,
        ).features
        if a.small:
            trunk.conv0 = convolution(a.channels, a.widths[0], (3,) * a.dims)
            del trunk.pool0
        self.features = trunk
        widths = _block_widths(a)
        self.taps = tuple(f"denseblock{n + 1}" for n in range(len(a.blocks) - 1))[-2:]
        self.taps = self.taps if a.gated else ()
        inner = widths[len(a.blocks) - 1 - len(self.taps) : -1]
        self.gates = nn.ModuleList(
            AttentionGate(width, widths[-1], dims=a.dims, norm=a.norm) for width in inner
        )
        self.classifier = nn.Linear(widths[-1] + sum(inner if self.taps else ()), a.classes)
        initialize(self)

    def forward(self, x_BCS: Tensor) -> Tensor:
        """Logits (B, classes)."""
        x, finer = x_BCS, []
        for name, layer in self.features.named_children():
            x = layer(x)
            if name in self.taps:
                finer.append(x)
        x = torch.relu(x)
        parts = [x.flatten(2).mean(dim=2)]
        for each, features in zip(self.gates, finer, strict=True):
            gate = cast("AttentionGate", each)  # a ModuleList forgets what it holds
            guide = nn.functional.interpolate(x, size=features.shape[2:], mode="nearest")
            weights = gate.weights(features, guide)
            summed = (features * weights).flatten(2).sum(dim=2)
            parts.append(summed / weights.flatten(2).sum(dim=2).clamp(min=1e-6))
        out: Tensor = self.classifier(torch.cat(parts, dim=1))
        return out


def _block_widths(a: Architecture) -> list[int]:
    """Channels each dense block ends with; transitions halve them in between."""
    widths, width = [], a.widths[0]
    for layers in a.blocks:
        widths.append(width + layers * a.growth)
        width = widths[-1] // 2
    return widths


def _norm(a: Architecture) -> tuple[str, dict[str, bool]]:
    return ("batch", {}) if a.norm is Norm.BATCH else ("instance", {"affine": True})


class LiteClassifier(nn.Module):
    """EfficientNet-Lite, its features averaged; gray pictures are taken for colorless ones."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.trunk = EfficientNetLite(a.variant)
        self.dropout = nn.Dropout(a.dropout)
        self.classifier = nn.Linear(_LITE_FEATURES, a.classes)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits (B, classes)."""
        x = x_BCHW.expand(-1, 3, -1, -1)
        pooled = self.trunk(x).mean(dim=(2, 3))
        out: Tensor = self.classifier(self.dropout(pooled))
        return out
