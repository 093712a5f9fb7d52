"""Which parameters move, and how fast."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypedDict

from torch import nn

# The last layers of our networks, which give the answer.
HEADS = ("classifier.*", "classify.*", "inner.classify.*", "fc.*", "heads.*", "heat.*", "box.*")


@dataclass(frozen=True, slots=True)
class Moved:
    """How many parameters move, of how many; a card states both."""

    moving: int
    every: int

    @property
    def share(self) -> float:
        """The part that moves, 0 to 1."""
        return self.moving / max(self.every, 1)


class Group(TypedDict):
    """Parameters that share a rate, as torch's optimizers take them."""

    params: list[nn.Parameter]
    lr: float


def is_head(name: str) -> bool:
    """Whether a parameter belongs to the layers that give the answer."""
    return any(fnmatchcase(name, pattern) for pattern in HEADS)


def moved(model: nn.Module) -> Moved:
    """Count the parameters that are trained, and all of them, adapters included."""
    every = list(model.parameters())
    return Moved(
        moving=sum(part.numel() for part in every if part.requires_grad),
        every=sum(part.numel() for part in every),
    )


def freeze(model: nn.Module, patterns: Sequence[str]) -> tuple[str, ...]:
    """Fix the parameters whose names match a pattern (``encoder.0.*``); return their names.

    Statistics of batch norms are no parameters: a fixed layer's still follow the data while
    training.

    Raises
    ------
    ValueError
        If a pattern matches nothing.
    """
    fixed: dict[str, None] = {}
    for pattern in patterns:
        names = [name for name, _ in model.named_parameters() if fnmatchcase(name, pattern)]
        if not names:
            raise ValueError(f"no parameter is named like {pattern!r}")
        fixed |= dict.fromkeys(names)
    for name, parameter in model.named_parameters():
        if name in fixed:
            parameter.requires_grad = False
    return tuple(fixed)


def depths(model: nn.Module) -> dict[str, int]:
    """Each parameter's distance from the output, in layers.

    A layer is an item of the first list on the way to the parameter, or the part that holds it.
    Parts and items are taken to stand in the order in which they compute.
    """
    layer_of = {name: _layer(model, name) for name, _ in model.named_parameters()}
    layers = list(dict.fromkeys(layer_of.values()))
    distance = {layer: n for n, layer in enumerate(reversed(layers))}
    return {name: distance[layer] for name, layer in layer_of.items()}


def _layer(model: nn.Module, name: str) -> str:
    steps = name.partition(".parametrizations.")[0].split(".")  # adapters sit in their layer
    part: object = model
    for n, step in enumerate(steps):
        if isinstance(part, nn.ModuleList | nn.Sequential):
            return ".".join(steps[: n + 1])
        part = getattr(part, step)
    owner = steps if isinstance(part, nn.Module) else steps[:-1]
    return ".".join(owner or steps)


def parameter_groups(model: nn.Module, rate: float, decay_per_depth: float) -> list[Group]:
    """Give each layer its rate: `rate` at the output, times `decay_per_depth` a layer down.

    Discriminative fine-tuning (Howard & Ruder 2018). What does not move is in no group.

    Raises
    ------
    ValueError
        If `decay_per_depth` is outside 0 ... 1, or nothing moves.
    """
    if not 0 < decay_per_depth <= 1:
        raise ValueError(f"decay_per_depth {decay_per_depth} outside 0 ... 1")
    far = depths(model)
    by_depth: dict[int, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            by_depth.setdefault(far[name], []).append(parameter)
    if not by_depth:
        raise ValueError("no parameter of the network moves")
    return [
        Group(params=by_depth[depth], lr=rate * decay_per_depth**depth)
        for depth in sorted(by_depth)
    ]
