"""One small architecture of every kind, with two sizes of input."""

from dataclasses import replace

import pytest

from medloop.models.architecture import (
    Architecture,
    Kind,
    Norm,
    Up,
    densenet,
    resnet,
    unet,
    vit,
)

_UNET = unet(3, 1, 3, widths=(4, 6, 8))
EVERY = {
    "unet": (replace(_UNET, deep_supervision=1), (8, 12, 16), (16, 8, 12)),
    "unet as nnU-Net": (
        replace(_UNET, norm=Norm.INSTANCE, leak=0.01),
        (8, 12, 16),
        (16, 8, 12),
    ),
    "unet by nearest": (replace(_UNET, up=Up.NEAREST, dropout=0.1), (8, 12, 16), (16, 8, 12)),
    "anisotropic unet": (
        unet(3, 1, 3, widths=(4, 6, 8), spacing=(5.0, 1.0, 1.0)),
        (5, 12, 16),
        (7, 8, 12),
    ),
    "flat unet": (unet(2, 2, 3, widths=(4, 6, 8)), (12, 16), (8, 12)),
    "residual unet": (
        unet(3, 2, 3, widths=(4, 6, 8), kind=Kind.RESIDUAL_UNET),
        (8, 12, 16),
        (16, 8, 12),
    ),
    "attention unet": (
        unet(3, 2, 3, widths=(4, 6, 8), kind=Kind.ATTENTION_UNET),
        (8, 12, 16),
        (16, 8, 12),
    ),
    "lite unet": (
        Architecture(Kind.LITE_UNET, 2, 1, 3, variant="lite0", widths=(4,) * 5),
        (64, 96),
        (96, 64),
    ),
    "resnet": (
        replace(resnet(18, 2, 1, 2, small=True), widths=(4, 6, 8, 8), blocks=(1, 1, 1, 1)),
        (28, 28),
        (40, 36),
    ),
    "solid resnet": (
        replace(resnet(50, 3, 1, 2), widths=(4, 4, 4, 4), blocks=(1, 1, 1, 1), dropout=0.2),
        (32, 40, 40),
        (40, 36, 32),
    ),
    "densenet": (
        replace(densenet(2, 1, 2, blocks=(1, 1, 1)), growth=4, widths=(8,)),
        (32, 40),
        (40, 48),
    ),
    "solid densenet": (
        replace(densenet(3, 1, 2, blocks=(1, 1, 1), small=True), growth=4, widths=(8,)),
        (16, 20, 24),
        (24, 16, 20),
    ),
    "vit": (vit(1, 2, size=(28, 28), patch=(4, 4), width=64, layers=2), (28, 28), (32, 40)),
    "solid vit": (
        vit(1, 2, size=(16, 16, 16), patch=(4, 4, 4), width=64, layers=2),
        (16, 16, 16),
        (12, 16, 20),
    ),
    "efficientnet": (
        Architecture(Kind.EFFICIENTNET_LITE, 2, 1, 3, variant="lite0"),
        (64, 96),
        (96, 64),
    ),
}


def needs_monai(name: str) -> None:
    """Skip where a network is MONAI's and MONAI is absent."""
    if "resnet" in name or "densenet" in name:
        pytest.importorskip("monai", reason="MONAI is absent")
