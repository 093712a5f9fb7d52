"""Low-rank adapters (LoRA, Hu 2021): fine-tune a network by small additions to its weights.

Each adapted weight W, (out, ...), becomes W + alpha / rank * up @ down, with `up` (out, rank)
and `down` (rank, ...) trained and W fixed. Being an addition to the weight itself, one form
serves linear layers, attention's packed projections and convolutions of 2 and 3 dims alike, and
merging is exact. Export and evaluate after `merge`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medloop.core.errors import InputError
from medloop.learning.tuning import HEADS
from medloop.learning.whole import save_tensors

_ABOUT = "medloop.adapters/1"
_WEIGHTS: Final = {
    nn.Linear: ("weight",),
    nn.Conv2d: ("weight",),
    nn.Conv3d: ("weight",),
    # beside out_proj, a Linear of its own
    nn.MultiheadAttention: (
        "in_proj_weight",
        "q_proj_weight",
        "k_proj_weight",
        "v_proj_weight",
    ),
}


@dataclass(frozen=True, slots=True)
class Lora:
    """What moves.

    Attributes
    ----------
    rank, alpha
        Of the additions; `alpha` / `rank` scales them.
    layers
        Patterns (``*``, ``?``) of the names of layers that get adapters.
    whole
        Patterns of the names of parameters that are trained in full: a new classifier, norms.
    """

    rank: int = 8
    alpha: float = 16.0
    layers: tuple[str, ...] = ("*",)
    whole: tuple[str, ...] = HEADS


class LowRank(nn.Module):
    """The addition to one weight; nothing until it has been trained."""

    def __init__(self, weight: Tensor, lora: Lora, rng: np.random.Generator) -> None:
        super().__init__()
        rows, columns = weight.shape[0], weight[0].numel()
        rank = min(lora.rank, rows, columns)
        drawn = rng.normal(0, columns**-0.5, (rank, columns))
        self.down = nn.Parameter(torch.as_tensor(drawn, dtype=weight.dtype))
        self.up = nn.Parameter(torch.zeros(rows, rank, dtype=weight.dtype))
        self.scale = lora.alpha / rank

    def forward(self, weight: Tensor) -> Tensor:
        """Add to the weight, in its shape."""
        return weight + self.scale * (self.up @ self.down).reshape(weight.shape)


def adapt(model: nn.Module, lora: Lora, rng: np.random.Generator) -> tuple[str, ...]:
    """Fix all of `model` but new adapters and `lora.whole`; its output stays as it was.

    The model itself is changed. Grouped convolutions and layers trained in full get no adapter.

    Returns
    -------
    Names of the weights that got adapters.

    Raises
    ------
    ValueError
        If no layer does, or the model has adapters already.
    """
    if any(True for _ in _adapters(model)):
        raise ValueError("the network has adapters already; merge them first")
    chosen = [
        (f"{name}.{weight}" if name else weight, layer, weight)
        for name, layer in model.named_modules()
        if any(fnmatchcase(name, pattern) for pattern in lora.layers)
        for weight in _adaptable(layer)
    ]
    chosen = [each for each in chosen if not _is_whole(each[0], lora)]
    if not chosen:
        raise ValueError(f"no layer to adapt among {', '.join(lora.layers)}")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_is_whole(name, lora))
    for _, layer, weight in chosen:
        addition = LowRank(getattr(layer, weight), lora, rng)
        addition.to(getattr(layer, weight).device)
        parametrize.register_parametrization(layer, weight, addition)
    return tuple(name for name, _, _ in chosen)


def merge(model: nn.Module) -> nn.Module:
    """Add the adapters to the weights for good; the model is plain again, its output equal."""
    for layer, weight, _ in list(_adapters(model)):
        parametrize.remove_parametrizations(layer, weight, leave_parametrized=True)
    return model


@dataclass(frozen=True, slots=True, eq=False)
class Adapters:
    """A file of adapters as read; `notes` are what its maker wrote beside them."""

    lora: Lora
    base_sha256: str
    state: Mapping[str, Tensor]
    notes: Mapping[str, str]


def save_adapters(
    model: nn.Module,
    path: Path,
    *,
    lora: Lora,
    base_sha256: str,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write what moved: adapters, parameters trained in full, statistics of norms.

    A safetensors file, with the settings, the SHA-256 of the base's weights and any `notes` in
    its header.

    Raises
    ------
    ServiceError
        If it cannot be written.
    """
    moving = _moving(model)
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    kept = {k: v for k, v in state.items() if k in moving}
    _write(Adapters(lora, base_sha256, kept, notes or {}), path)


def annotate_adapters(source: Path, target: Path, notes: Mapping[str, str]) -> None:
    """Copy a file of adapters with other notes.

    Raises
    ------
    InputError
        If it is none.
    ServiceError
        If it cannot be written.
    """
    _write(replace(read_adapters(source), notes=notes), target)


def _write(adapters: Adapters, path: Path) -> None:
    about = {
        "base_sha256": adapters.base_sha256,
        "lora": asdict(adapters.lora),
        "notes": dict(adapters.notes),
    }
    text = json.dumps(about, sort_keys=True)  # one entry: several have no fixed order
    save_tensors(adapters.state, path, notes={_ABOUT: text})


def read_adapters(path: Path) -> Adapters:
    """Read a file of adapters; `InputError` if it is none."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 (only for adapters)

    try:
        with safe_open(path, framework="pt") as stream:
            about = json.loads((stream.metadata() or {})[_ABOUT])
            state = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118 (no mapping)
        lora, base = _lora_from(about["lora"]), str(about["base_sha256"])
        notes = {str(key): str(text) for key, text in dict(about.get("notes", {})).items()}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as why:
        raise InputError(f"{path} holds no adapters: {type(why).__name__}") from why
    return Adapters(lora, base, state, notes)


def load_adapters(model: nn.Module, path: Path, *, base_sha256: str) -> Lora:
    """Put saved adapters on top of a base network, in place; `merge` makes it plain.

    Raises
    ------
    InputError
        If the file is none, or was made on other weights or for another network.
    """
    adapters = read_adapters(path)
    if adapters.base_sha256 != base_sha256:
        raise InputError(
            f"{path} was made on weights {adapters.base_sha256[:12]}..., not"
            f" {base_sha256[:12]}..."
        )
    try:
        adapt(model, adapters.lora, np.random.default_rng(0))
        missing, unknown = model.load_state_dict(adapters.state, strict=False)
    except (RuntimeError, ValueError) as why:  # a shape, or nothing to adapt
        raise InputError(f"{path} is for another network: {type(why).__name__}") from why
    if differing := sorted(_moving(model) & set(missing)) + unknown:
        raise InputError(f"{path} is for another network: {differing[0]} differs")
    return adapters.lora


def _adaptable(layer: nn.Module) -> Sequence[str]:
    if getattr(layer, "groups", 1) != 1:
        return ()
    names = next((names for kind, names in _WEIGHTS.items() if isinstance(layer, kind)), ())
    return [name for name in names if getattr(layer, name, None) is not None]


def _moving(model: nn.Module) -> set[str]:
    """Names of all that training changes: parameters, and statistics of norms."""
    parameters = {name for name, part in model.named_parameters() if part.requires_grad}
    return parameters | {name for name, _ in model.named_buffers()}


def _is_whole(name: str, lora: Lora) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in lora.whole)


def _adapters(model: nn.Module) -> Iterator[tuple[nn.Module, str, LowRank]]:
    for layer in model.modules():
        lists = getattr(layer, "parametrizations", None)
        if not isinstance(lists, nn.ModuleDict):
            continue
        for weight, additions in lists.items():
            if isinstance(additions, nn.ModuleList) and isinstance(additions[0], LowRank):
                yield layer, weight, additions[0]


def _lora_from(raw: Mapping[str, Any]) -> Lora:
    return Lora(
        rank=int(raw["rank"]),
        alpha=float(raw["alpha"]),
        layers=tuple(raw["layers"]),
        whole=tuple(raw["whole"]),
    )
