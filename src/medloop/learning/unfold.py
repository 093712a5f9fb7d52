"""Batch norms that an export folded into convolutions, put back so that no answer changes.

The folded network gives each norm's shift; its scale and statistics are measured on images of
the new data, passed through the network as it was. While training, a norm then does to these
images what it does in use, as it did before it was folded.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

_CONVOLVES = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)
_SHIFT = ".weight_bias"  # what folding adds to a convolution without bias


def folded_norms(network: nn.Module, state: Mapping[str, Tensor]) -> Mapping[str, str]:
    """Name each norm that `state` lacks, and the shift it left at the convolution before it."""
    found, before = {}, ""
    for name, part in network.named_modules():
        if isinstance(part, _CONVOLVES):
            before = name + _SHIFT
        elif isinstance(part, _NORMS) and f"{name}.weight" not in state and before in state:
            found[name] = before
    return found


def neutral(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of norms that add the shift and do nothing else, for those folded."""
    out = {}
    for name, shift in folded_norms(network, state).items():
        norm = network.get_submodule(name)
        epsilon = float(norm.eps)  # type: ignore[arg-type] # torch types attributes as modules
        bias = state[shift]
        out[f"{name}.weight"] = torch.ones_like(bias)
        out[f"{name}.bias"] = bias
        out[f"{name}.running_mean"] = torch.zeros_like(bias)
        out[f"{name}.running_var"] = torch.full_like(bias, 1 - epsilon)
    return out


@torch.no_grad()
def settle(network: nn.Module, norms: Sequence[str], images: Iterable[Tensor]) -> None:
    """Give neutral norms the statistics of `images` (B, C, S), and scales that undo them."""
    network.eval()
    sums = {name: torch.zeros(3, 0) for name in norms}
    parts = {name: network.get_submodule(name) for name in norms}
    hooks = [
        part.register_forward_pre_hook(partial(_count, sums, name))
        for name, part in parts.items()
    ]
    for image in images:
        network(image)
    for hook in hooks:
        hook.remove()
    for name, norm in parts.items():
        if not isinstance(norm, _NORMS) or not sums[name].numel():
            continue  # a part that only answers while training
        count, total, squares = sums[name]
        mean = total / count
        variance = (squares / count - mean**2).clamp(min=0)
        state = {
            "running_mean": mean,
            "running_var": variance,
            "weight": (variance + norm.eps).sqrt(),
            "bias": norm.bias.double() + mean,
        }
        norm.load_state_dict({k: v.float() for k, v in state.items()}, strict=False)


def _count(
    sums: dict[str, Tensor], name: str, _norm: nn.Module, given: tuple[Tensor, ...]
) -> None:
    """Add up number, sum and sum of squares of each channel."""
    x = given[0].double()
    over = [axis for axis in range(x.ndim) if axis != 1]
    count = torch.full((x.shape[1],), x.numel() / x.shape[1], dtype=x.dtype)
    now = torch.stack([count, x.sum(over), (x**2).sum(over)])
    sums[name] = now if not sums[name].numel() else sums[name] + now
