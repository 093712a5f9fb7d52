"""What a network looks like, as a value: written into a bundle's plan, read without torch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from medloop.core.errors import InputError


class Kind(StrEnum):
    """A family of networks."""

    UNET = "unet"  # Ronneberger 2015, as planned by nnU-Net (Isensee 2021)
    RESIDUAL_UNET = "residual_unet"  # residual encoder, plain decoder (Isensee 2024)
    ATTENTION_UNET = "attention_unet"  # gated skips (Oktay 2018)
    LITE_UNET = "lite_unet"  # EfficientNet-Lite encoder with ImageNet weights, 2-D
    RESNET = "resnet"  # He 2016
    DENSENET = "densenet"  # Huang 2017; `gated`: Schlemper 2019
    VIT = "vit"  # Dosovitskiy 2021
    EFFICIENTNET_LITE = "efficientnet_lite"  # Tan & Le 2019, with ImageNet weights, 2-D
    CENTER_UNET = "center_unet"  # U-Net that answers centers and boxes (Zhou 2019)
    FOREIGN = "foreign"  # made by another program: known by its ONNX file alone


class Norm(StrEnum):
    """What normalizes activations; only batch norm folds into convolutions and INT8."""

    BATCH = "batch"
    INSTANCE = "instance"


class Up(StrEnum):
    """How a decoder doubles its resolution."""

    TRANSPOSED = "transposed"  # a transposed convolution, kernel = stride, as in nnU-Net
    NEAREST = "nearest"  # a 1 x 1 convolution, then each value repeated


U_NETS = (Kind.UNET, Kind.RESIDUAL_UNET, Kind.ATTENTION_UNET)
SEGMENTS = (*U_NETS, Kind.LITE_UNET)
_LEVELED = (*U_NETS, Kind.CENTER_UNET)
_LITE = (Kind.LITE_UNET, Kind.EFFICIENTNET_LITE)
_LITE_SIZES = ("lite0", "lite1", "lite2")


@dataclass(frozen=True, slots=True)
class Architecture:
    """Everything that decides the shape of every weight.

    Attributes
    ----------
    dims
        2 or 3 spatial axes, ordered as arrays are: (row, column) or (slice, row, column).
    channels, classes
        Of the input and of the logits.
    widths
        Channels a level, finest first; a ViT has one, its embedding.
    strides, kernels
        One number an axis a level: how much coarser a level is than the one before, and what
        its convolutions span. The first stride of a U-Net is 1. A ViT's one stride is its
        patch.
    blocks
        Convolutions (plain), residual or dense blocks, or layers (ViT) a level.
    decoder_blocks
        Convolutions a level on the way up (U-Nets).
    deep_supervision
        How many coarser decoder levels answer too, while training (U-Nets).
    leak
        Slope below zero of the activation; 0 is ReLU, 0.01 is nnU-Net's (U-Nets).
    bottleneck
        Blocks of three convolutions, as in ResNet-50.
    small
        A stem for pictures of about 28 pixels: 3 x 3, no halving (ResNet, DenseNet).
    gated
        Attention gates feed finer levels into the classifier (DenseNet).
    heads, tokens
        Of attention; and the grid of patches whose places are learned, for other sizes they are
        interpolated (ViT).
    growth
        Channels each dense layer adds (DenseNet).
    variant
        ``lite0``, ``lite1`` or ``lite2`` (EfficientNet-Lite).

    Raises
    ------
    ValueError
        If the parts contradict each other.
    """

    kind: Kind
    dims: int
    channels: int
    classes: int
    widths: tuple[int, ...] = ()
    strides: tuple[tuple[int, ...], ...] = ()
    kernels: tuple[tuple[int, ...], ...] = ()
    blocks: tuple[int, ...] = ()
    decoder_blocks: int = 2
    norm: Norm = Norm.BATCH
    up: Up = Up.TRANSPOSED
    deep_supervision: int = 0
    leak: float = 0.0
    dropout: float = 0.0
    bottleneck: bool = False
    small: bool = False
    gated: bool = False
    heads: int = 0
    tokens: tuple[int, ...] = ()
    growth: int = 0
    variant: str = ""

    def __post_init__(self) -> None:
        if self.dims not in (2, 3):
            raise ValueError(f"a network has 2 or 3 dims, got {self.dims}")
        if self.channels < 1 or self.classes < 1:
            raise ValueError(f"{self.channels} channels and {self.classes} classes: at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} outside 0 ... 1")
        wrong = _wrong_levels(self) if self.kind in _LEVELED else _wrong_trunk(self)
        if wrong:
            raise ValueError(f"{self.kind}: {wrong}")

    @property
    def multiple(self) -> tuple[int, ...]:
        """An input's sides are multiples of these, in the order of its axes."""
        if self.kind in _LITE:
            return (32, 32)
        if self.kind not in (*_LEVELED, Kind.VIT):
            return (1,) * self.dims
        factors = [1] * self.dims
        for stride in self.strides:
            factors = [a * b for a, b in zip(factors, stride, strict=True)]
        return tuple(factors)

    def to_json(self) -> str:
        """Write as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def _wrong_levels(a: Architecture) -> str:
    """Say in what a U-Net's levels disagree, or nothing."""
    levels = len(a.widths)
    if not levels == len(a.strides) == len(a.kernels) == len(a.blocks):
        return "widths, strides, kernels and blocks have different numbers of levels"
    coarser = range(levels - 1)  # what may answer beside the finest level: not the deepest
    checks = {
        f"{levels} levels, at least 2": levels < 2,
        f"a stride or kernel has not {a.dims} axes": any(
            len(part) != a.dims for part in (*a.strides, *a.kernels)
        ),
        "the first stride is not 1": any(factor != 1 for factor in (*a.strides, (0,))[0]),
        "a kernel is even": any(size % 2 == 0 for kernel in a.kernels for size in kernel),
        f"{levels} levels cannot supervise {a.deep_supervision} more": (
            a.deep_supervision not in coarser
        ),
    }
    return next((fact for fact, is_wrong in checks.items() if is_wrong), "")


def _wrong_trunk(a: Architecture) -> str:
    """Say what a classifier (or LITE_UNET) lacks, or nothing."""
    if a.kind is Kind.FOREIGN:
        return ""
    if a.kind in _LITE:
        is_right = a.dims == 2 and a.channels in (1, 3) and a.variant in _LITE_SIZES
        return "" if is_right else f"2 dims, 1 or 3 channels and one of {_LITE_SIZES}"
    if a.kind is Kind.RESNET:
        return "" if len(a.widths) == len(a.blocks) == 4 else "4 widths and 4 blocks"
    if a.kind is Kind.DENSENET:
        is_right = len(a.widths) == 1 and len(a.blocks) > 1 and a.growth > 0
        return "" if is_right else "one width, several blocks and a growth"
    is_right = (
        len(a.widths) == len(a.blocks) == len(a.strides) == 1
        and a.heads > 0
        and a.widths[0] % a.heads == 0
        and len(a.strides[0]) == len(a.tokens) == a.dims
    )
    return "" if is_right else "one width, a multiple of the heads; a patch and tokens by axis"


def unet(
    dims: int,
    channels: int,
    classes: int,
    *,
    widths: tuple[int, ...],
    spacing: tuple[float, ...] = (),
    kind: Kind = Kind.UNET,
) -> Architecture:
    """Lay out a U-Net, coarse axes untouched until the others have caught up.

    As in nnU-Net (Isensee 2021), an axis whose `spacing` (any unit) is over twice the finest
    is neither halved nor convolved. Residual encoders take 1, 3, 4, 6, 6 ... blocks a level
    and one convolution a level on the way up (Isensee 2024).
    """
    now = list(spacing) or [1.0] * dims
    strides, kernels = [], []
    for n in range(len(widths)):
        fine = [step <= 2 * min(now) for step in now]
        stride = tuple(2 if n and is_fine else 1 for is_fine in fine)
        now = [step * factor for step, factor in zip(now, stride, strict=True)]
        strides.append(stride)
        kernels.append(tuple(3 if step <= 2 * min(now) else 1 for step in now))
    residual = kind is Kind.RESIDUAL_UNET
    blocks = (1, 3, 4) + (6,) * len(widths) if residual else (2,) * len(widths)
    return Architecture(
        kind,
        dims,
        channels,
        classes,
        widths=widths,
        strides=tuple(strides),
        kernels=tuple(kernels),
        blocks=blocks[: len(widths)],
        decoder_blocks=1 if residual else 2,
    )


def center_unet(
    dims: int,
    channels: int,
    classes: int,
    *,
    widths: tuple[int, ...],
    spacing: tuple[float, ...] = (),
) -> Architecture:
    """Lay out a U-Net that finds objects: one convolution a level on the way up, and at first.

    It rises to the second level only, so there is an answer for every cell of ``strides[1]``
    voxels; `classes` are those of objects.
    """
    made = unet(dims, channels, classes, widths=widths, spacing=spacing, kind=Kind.CENTER_UNET)
    return replace(made, blocks=(1, *made.blocks[1:]), decoder_blocks=1)


def resnet(
    depth: int, dims: int, channels: int, classes: int, *, small: bool = False
) -> Architecture:
    """ResNet-18, -34 or -50 (He 2016).

    Raises
    ------
    ValueError
        For any other depth.
    """
    layers = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
    if depth not in layers:
        raise ValueError(f"no ResNet-{depth}; there are {', '.join(map(str, layers))}")
    return Architecture(
        Kind.RESNET,
        dims,
        channels,
        classes,
        widths=(64, 128, 256, 512),
        blocks=layers[depth],
        bottleneck=depth >= 50,
        small=small,
    )


def densenet(
    dims: int,
    channels: int,
    classes: int,
    *,
    blocks: tuple[int, ...] = (6, 12, 24, 16),
    gated: bool = True,
    small: bool = False,
) -> Architecture:
    """DenseNet-121 (Huang 2017) unless `blocks` says otherwise, with attention gates."""
    return Architecture(
        Kind.DENSENET,
        dims,
        channels,
        classes,
        widths=(64,),
        blocks=blocks,
        growth=32,
        gated=gated,
        small=small,
    )


def vit(
    channels: int,
    classes: int,
    *,
    size: tuple[int, ...],
    patch: tuple[int, ...],
    width: int = 192,
    layers: int = 12,
) -> Architecture:
    """Vision transformer on inputs of about `size`; width 192 is DeiT-Ti, 384 DeiT-S.

    Heads are 64 channels wide (Touvron 2021).
    """
    return Architecture(
        Kind.VIT,
        len(size),
        channels,
        classes,
        widths=(width,),
        strides=(patch,),
        blocks=(layers,),
        heads=max(1, width // 64),
        tokens=tuple(s // p for s, p in zip(size, patch, strict=True)),
    )


def architecture_from(raw: Mapping[str, Any]) -> Architecture:
    """Read what `Architecture.to_json` wrote, parsed.

    Raises
    ------
    InputError
        If a key is unknown or missing, or a value is none this version knows.
    """
    known = {field.name for field in fields(Architecture)}
    if unknown := sorted(set(raw) - known):
        raise InputError(f"architecture has unknown keys: {', '.join(unknown)}")
    try:
        values = {key: _read(key, value) for key, value in raw.items()}
        return Architecture(**values)
    except (TypeError, ValueError) as why:
        raise InputError(f"architecture is none: {why}") from why


def _read(key: str, value: Any) -> Any:  # noqa: ANN401 (each field has its own type)
    if reader := {"kind": Kind, "norm": Norm, "up": Up}.get(key):
        return reader(value)
    if key in ("strides", "kernels"):
        return tuple(tuple(_count(key, n) for n in level) for level in value)
    if key in ("widths", "blocks", "tokens"):
        return tuple(_count(key, n) for n in value)
    kind = next(field.type for field in fields(Architecture) if field.name == key)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"{key} is {value!r}")
    return value


def _count(key: str, value: object) -> int:
    if type(value) is not int or value < 1:
        raise TypeError(f"{key} holds {value!r}")
    return value
