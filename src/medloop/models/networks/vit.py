"""Vision transformer. Shape suffixes: B batch, C channel, S the spatial axes, T token, W width.

MONAI's has a fixed input size and needs einops; this one takes any multiple of its patch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medloop.models.architecture import Architecture
from medloop.models.networks.layers import patches

_MLP = 4  # width of the hidden layer over the width


class VisionTransformer(nn.Module):
    """Logits from the mean of all tokens (Dosovitskiy 2021; the mean: Zhai 2022)."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        width = a.widths[0]
        self.patch = patches(a.channels, width, a.strides[0])
        self.places = nn.Parameter(0.02 * torch.randn(1, width, *a.tokens))
        self.mode = "bilinear" if a.dims == 2 else "trilinear"
        self.layers = nn.ModuleList(Layer(a) for _ in range(a.blocks[0]))
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, a.classes)
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.trunc_normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)

    def forward(self, x_BCS: Tensor) -> Tensor:
        """Logits (B, classes)."""
        x_BWS = self.patch(x_BCS)
        places = F.interpolate(
            self.places, size=x_BWS.shape[2:], mode=self.mode, align_corners=False
        )
        x_BTW = (x_BWS + places).flatten(2).transpose(1, 2)
        for layer in self.layers:
            x_BTW = layer(x_BTW)
        out: Tensor = self.classifier(self.norm(x_BTW).mean(dim=1))
        return out


class Layer(nn.Module):
    """Attention, then two linear layers, each normed before and added after."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        width = a.widths[0]
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads=a.heads)
        self.norm_mlp = nn.LayerNorm(width)
        self.expand = nn.Linear(width, _MLP * width)
        self.project = nn.Linear(_MLP * width, width)
        self.dropout = nn.Dropout(a.dropout)

    def forward(self, x_BTW: Tensor) -> Tensor:
        """Transform each token, seeing all of its picture's."""
        x = x_BTW + self.dropout(self.attention(self.norm(x_BTW)))
        out: Tensor = x + self.dropout(self.project(F.gelu(self.expand(self.norm_mlp(x)))))
        return out


class Attention(nn.Module):
    """Self-attention of several heads (Vaswani 2017), each projection a plain linear layer."""

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x_BTW: Tensor) -> Tensor:
        """Mix tokens, (B, T, W)."""
        q, k, v = (
            part(x_BTW).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        out: Tensor = self.out(mixed)
        return out
