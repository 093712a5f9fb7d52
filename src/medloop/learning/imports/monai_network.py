"""The network of a MONAI bundle: one of MONAI's own with plain arguments, or TorchScript."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from medloop.core.errors import FOREIGN_ERRORS, InputError, ServiceError
from medloop.learning.imports.source import read_tensors

KNOWN = (
    "AttentionUnet",
    "BasicUNet",
    "DynUNet",
    "FlexibleUNet",
    "HighResNet",
    "SegResNet",
    "SwinUNETR",
    "UNETR",
    "UNet",
    "VNet",
)
_DEFINITIONS = ("network_def", "network", "net")
_WRAPPED = ("state_dict", "model", "network", "net")


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A network ready to run, and the file its weights come from."""

    network: nn.Module
    path: Path
    is_script: bool


def load_network(
    folder: Path, plain: Callable[[Any], Any], config: Mapping[str, Any]
) -> Loaded:
    """Build the network and load ``models/model.pt``, or load ``models/model.ts``.

    Raises
    ------
    InputError
        If it is no network of MONAI, its arguments are expressions, or its weights do not fit.
    ServiceError
        If MONAI, or what this network needs beside it, is not installed.
    """
    weights, script = folder / "models" / "model.pt", folder / "models" / "model.ts"
    if weights.is_file():
        defined = _definition(config)
        if defined is not None:
            return Loaded(_filled(_built(defined, plain), weights), weights, is_script=False)
    if script.is_file():
        try:
            return Loaded(
                torch.jit.load(script, map_location="cpu").eval(), script, is_script=True
            )
        except FOREIGN_ERRORS as why:
            raise InputError(f"{script} is no TorchScript: {type(why).__name__}") from why
    if weights.is_file():
        raise InputError(f"{folder} defines no network for {weights.name}, and has no model.ts")
    raise InputError(f"{folder / 'models'} has neither model.pt nor model.ts")


def _definition(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for key in _DEFINITIONS:
        found = config.get(key)
        if isinstance(found, Mapping) and "_target_" in found:
            return found
    return None


def _built(defined: Mapping[str, Any], plain: Callable[[Any], Any]) -> nn.Module:
    name = str(defined["_target_"]).rpartition(".")[2]
    if name not in KNOWN:
        raise InputError(f"network {defined['_target_']!r}, known are {', '.join(KNOWN)}")
    arguments = plain({key: value for key, value in defined.items() if key[0] != "_"})
    try:
        from monai.networks import nets  # noqa: PLC0415 (slow to import)
    except ImportError as why:
        raise ServiceError("MONAI bundles need MONAI: pip install monai") from why
    try:
        network: nn.Module = getattr(nets, name)(**arguments)
    except ImportError as why:
        raise ServiceError(f"{name} needs {str(why).splitlines()[0]}") from why
    except FOREIGN_ERRORS as why:
        fact = (str(why).splitlines() or [type(why).__name__])[0]
        raise InputError(f"{name} cannot be built so: {fact[:200]}") from why
    return network.eval()


def _filled(network: nn.Module, path: Path) -> nn.Module:
    state = read_tensors(path)
    for key in _WRAPPED:
        if isinstance(state.get(key), Mapping):
            state = dict(state[key])
            break
    try:
        network.load_state_dict(state)
    except FOREIGN_ERRORS as why:
        line = str(why).strip().splitlines()[-1].strip()
        raise InputError(f"{path} has weights of another network: {line[:200]}") from why
    if not all(bool(torch.isfinite(each).all()) for each in network.parameters()):
        raise InputError(f"{path} has weights that are not finite")
    return network
