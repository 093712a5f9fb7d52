"""nnU-Net's plain and residual-encoder U-Nets as ours: their outline and their weights.

Both build the same function (dynamic_network_architectures, PlainConvUNet and
ResidualEncoderUNet). Their convolutions' biases before an instance norm change nothing, and
ours have none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medloop.core.errors import InputError
from medloop.models.architecture import Architecture, Kind, Norm
from medloop.models.networks.build import build

_KINDS = {"PlainConvUNet": Kind.UNET, "ResidualEncoderUNet": Kind.RESIDUAL_UNET}
_EPSILON, _LEAK = 1e-5, 0.01  # what our norms and nnU-Net's activations have
_PLAIN: Mapping[str, tuple[object, ...]] = {  # what may stand beside the outline, and how
    "conv_op": ("torch.nn.modules.conv.Conv2d", "torch.nn.modules.conv.Conv3d"),
    "conv_bias": (True, False),
    "norm_op": (
        "torch.nn.modules.instancenorm.InstanceNorm2d",
        "torch.nn.modules.instancenorm.InstanceNorm3d",
    ),
    "dropout_op": (None,),
    "dropout_op_kwargs": (None, {}),
    "nonlin": ("torch.nn.LeakyReLU", "torch.nn.modules.activation.LeakyReLU"),
    "nonlin_first": (False,),
    "deep_supervision": (True, False),
    "bottleneck_channels": (None,),
    "stem_channels": (None,),
    "squeeze_excitation": (False,),
}
_OUTLINE = {
    "n_stages",
    "features_per_stage",
    "kernel_sizes",
    "strides",
    "n_conv_per_stage",
    "n_blocks_per_stage",
    "n_conv_per_stage_decoder",
    "norm_op_kwargs",
    "nonlin_kwargs",
}


def outline(
    configuration: Mapping[str, Any], channels: int, classes: int, *, as_volumes: bool
) -> Architecture:
    """Describe a configuration's network; one of two dims, on volumes, is one slice thick.

    Raises
    ------
    InputError
        If ours cannot be the same.
    """
    name, told = _told(configuration)
    kind = _KINDS.get(name.rpartition(".")[2])
    if kind is None:
        raise InputError(f"network {name}, known are {', '.join(_KINDS)}")
    for key, value in told.items():
        if key not in _OUTLINE and value not in _PLAIN.get(key, ()):
            raise InputError(f"network with {key} {value!r}, which ours cannot be")
    norm, leak = told.get("norm_op_kwargs") or {}, told.get("nonlin_kwargs") or {}
    is_same = norm.get("affine") is True and norm.get("eps", _EPSILON) == _EPSILON
    if not is_same or leak.get("negative_slope", _LEAK) != _LEAK:
        raise InputError(f"norm {norm} and activation {leak}, known: affine, 1e-5; leak 0.01")
    levels = int(told["n_stages"])
    dims = len(configuration["patch_size"])
    thin = as_volumes and dims == 2
    upward = set(_each(told["n_conv_per_stage_decoder"], levels - 1))
    if len(upward) != 1:
        raise InputError(
            f"{sorted(upward)} convolutions a level on the way up, known: one count"
        )
    blocks = told["n_blocks_per_stage" if kind is Kind.RESIDUAL_UNET else "n_conv_per_stage"]
    try:
        return Architecture(
            kind,
            3 if as_volumes else 2,
            channels,
            classes,
            widths=_each(told["features_per_stage"], levels),
            strides=tuple(_axes(each, dims, thin=thin) for each in told["strides"]),
            kernels=tuple(_axes(each, dims, thin=thin) for each in told["kernel_sizes"]),
            blocks=_each(blocks, levels),
            decoder_blocks=upward.pop(),
            norm=Norm.INSTANCE,
            leak=_LEAK,
        )
    except ValueError as why:
        raise InputError(f"the network is none of ours: {why}") from why


def network_from(
    state: Mapping[str, Tensor], a: Architecture, *, axes: Sequence[int] | None, path: Path
) -> nn.Module:
    """Build the network with the weights of a checkpoint; `axes` as in `Frame.axes`.

    Raises
    ------
    InputError
        If weights are missing, left over, or of another shape.
    """
    network, left = build(a), dict(state)
    out: dict[str, Tensor] = {}
    for layer in _layers(a):
        for part in ("weight", "bias"):
            mine, theirs = f"{layer.ours}.{part}", f"{layer.theirs}.{part}"
            if mine not in network.state_dict():
                left.pop(theirs, None)  # a bias before a norm
                continue
            if theirs not in left and layer.may_lack == part:
                out[mine] = torch.zeros_like(network.state_dict()[mine])
                continue
            if theirs not in left:
                raise InputError(f"{path} has no {theirs}")
            out[mine] = _turned(left.pop(theirs).float(), a, axes)
    doubles = ("decoder.encoder.", "decoder.seg_layers.")
    extra = [key for key in left if not key.startswith(doubles) and ".all_modules." not in key]
    if extra:
        raise InputError(f"{path} has weights ours has no place for: {extra[0]}")
    try:
        network.load_state_dict(out)
    except RuntimeError as why:
        line = str(why).splitlines()[-1].strip()
        raise InputError(f"{path} has weights of another network: {line}") from why
    if not all(bool(torch.isfinite(each).all()) for each in out.values()):
        raise InputError(f"{path} has weights that are not finite")
    return network.eval()


@dataclass(frozen=True, slots=True)
class _Layer:
    """Where one layer's weights stand in both networks."""

    ours: str
    theirs: str
    may_lack: str = ""


def _layers(a: Architecture) -> Iterator[_Layer]:
    levels = len(a.widths)
    for n in range(levels):
        if a.kind is Kind.RESIDUAL_UNET:
            yield from _residual_stage(a, n)
        else:
            stage = f"encoder.stages.{n}.0"
            yield from _stack(f"encoder.{n}", stage, a.blocks[n])
    for s in range(levels - 1):
        yield _Layer(f"decoder.{s}.up", f"decoder.transpconvs.{s}", may_lack="bias")
        yield from _stack(f"decoder.{s}.merge", f"decoder.stages.{s}", a.decoder_blocks)
    yield _Layer("heads.0", f"decoder.seg_layers.{levels - 2}")


def _stack(ours: str, theirs: str, count: int) -> Iterator[_Layer]:
    """Yield convolutions and norms, each followed by an activation."""
    for k in range(count):
        yield _Layer(f"{ours}.{3 * k}", f"{theirs}.convs.{k}.conv")
        yield _Layer(f"{ours}.{3 * k + 1}", f"{theirs}.convs.{k}.norm")


def _residual_stage(a: Architecture, n: int) -> Iterator[_Layer]:
    if n == 0:
        yield from _stack("encoder.0", "encoder.stem", 1)
    first = 3 if n == 0 else 0  # the stem's parts stand before the blocks
    for k in range(a.blocks[n]):
        ours, theirs = f"encoder.{n}.{first + k}", f"encoder.stages.{n}.blocks.{k}"
        for mine, other in (("first", "conv1"), ("second", "conv2")):
            yield _Layer(f"{ours}.{mine}.0", f"{theirs}.{other}.conv")
            yield _Layer(f"{ours}.{mine}.1", f"{theirs}.{other}.norm")
        if k == 0 and n and a.widths[n - 1] != a.widths[n]:
            at = 1 if max(a.strides[n]) > 1 else 0  # after the pooling
            yield _Layer(f"{ours}.shortcut.{at}", f"{theirs}.skip.{at}.conv")
            yield _Layer(f"{ours}.shortcut.{at + 1}", f"{theirs}.skip.{at}.norm")


def _turned(weight: Tensor, a: Architecture, axes: Sequence[int] | None) -> Tensor:
    """Order a kernel's axes as ours are; one of two dims becomes one slice thick."""
    if weight.ndim < 3 or axes is None:
        return weight
    if weight.ndim == 4 and a.dims == 3:
        weight = weight.unsqueeze(2)
    return weight.permute(0, 1, *(2 + int(n) for n in np.argsort(axes))).contiguous()


def _told(configuration: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the name and arguments of a network, of plans before and since nnU-Net 2.5."""
    if "architecture" in configuration:
        described = configuration["architecture"]
        return str(described["network_class_name"]), described["arch_kwargs"]
    strides = configuration["pool_op_kernel_sizes"]
    base, most = (
        int(configuration[key]) for key in ("UNet_base_num_features", "unet_max_num_features")
    )
    counts = configuration["n_conv_per_stage_encoder"]
    return str(configuration["UNet_class_name"]), {
        "n_stages": len(strides),
        "features_per_stage": [min(base * 2**n, most) for n in range(len(strides))],
        "kernel_sizes": configuration["conv_kernel_sizes"],
        "strides": strides,
        "n_conv_per_stage": counts,
        "n_blocks_per_stage": counts,
        "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"],
        "norm_op_kwargs": {"eps": _EPSILON, "affine": True},
    }


def _each(told: int | Sequence[int], count: int) -> tuple[int, ...]:
    return (int(told),) * count if isinstance(told, int) else tuple(int(n) for n in told)


def _axes(told: int | Sequence[int], dims: int, *, thin: bool) -> tuple[int, ...]:
    sizes = _each(told, dims)
    return (1, *sizes) if thin else sizes
