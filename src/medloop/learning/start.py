"""How a training starts: on which weights, what of them moves, and what its card says of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from torch import nn

from medloop.core.errors import InputError, SettingError
from medloop.learning.base import (
    Base,
    Loaded,
    has_imagenet,
    imagenet_base,
    keeps_head,
    put,
)
from medloop.learning.classification.opening import Planned as PlannedClassification
from medloop.learning.detection.opening import Planned as PlannedDetection
from medloop.learning.loop import Batches
from medloop.learning.lora import Lora, adapt, merge, save_adapters
from medloop.learning.recipes import Tuning
from medloop.learning.segmentation.opening import Planned
from medloop.learning.tuning import HEADS, Moved, freeze, is_head, moved
from medloop.learning.unfold import settle
from medloop.models.architecture import SEGMENTS, Architecture, Kind
from medloop.models.bundle import AnyPlan
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.detection_plan import DetectionPlan
from medloop.models.plan import Plan, Task
from medloop.models.segmentation_plan import SegmentationPlan

_SETTLED = 4  # batches that norms are measured on
_RATE = 5e-4  # of weights that were learnt before, unless asked for otherwise
AnyPlanned = TypeVar("AnyPlanned", Planned, PlannedClassification, PlannedDetection)
Buildable = SegmentationPlan | ClassificationPlan | DetectionPlan
_ANSWERS: Mapping[Task, tuple[Kind, ...]] = {
    Task.SEGMENTATION: SEGMENTS,
    Task.CLASSIFICATION: (Kind.RESNET, Kind.DENSENET, Kind.VIT, Kind.EFFICIENTNET_LITE),
    Task.DETECTION: (Kind.CENTER_UNET,),
}
_INPUTS: Mapping[Task, tuple[str, ...]] = {  # of a plan, beside the scaling
    Task.SEGMENTATION: ("patch", "spacing_mm"),
    Task.CLASSIFICATION: ("size",),
    Task.DETECTION: ("patch", "spacing", "size"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Weights to start from, if not those a recipe starts from; and what of them moves."""

    base: Base | None = None
    tuning: Tuning = field(default_factory=Tuning)

    def claims(self) -> Mapping[str, Any]:
        """Return what of it decides weights, for the settings a run keeps."""
        return {
            "start": "" if self.base is None else self.base.sha256,
            "tuning": asdict(self.tuning),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """A network ready to be trained: what it took over, and what of it moves."""

    start: Start
    loaded: Loaded | None
    moved: Moved
    lora: Lora | None = None
    base_sha256: str = ""  # what its adapters are made on

    @property
    def fresh(self) -> frozenset[str] | None:
        """Names of parameters that start from random weights; None if the task knows."""
        return None if self.loaded is None else frozenset(self.loaded.fresh)


def begin(network: nn.Module, start: Start, plan: AnyPlan, seed: int) -> Begun:
    """Load the weights to start from, and fix what is not to move; in place.

    Raises
    ------
    InputError
        If the weights are for another network, or nothing is left to move.
    """
    base, tuning = start.base, start.tuning
    loaded = None
    if base is not None:
        loaded = put(network, base, keeps_head=keeps_head(plan, base.plan))
    if tuning.adapt == "full":
        try:
            freeze(network, tuning.freeze)
        except ValueError as why:
            raise SettingError(f"setting freeze: {why}") from why
        if not moved(network).moving:
            raise SettingError("setting freeze leaves no parameter that moves")
        return Begun(start, loaded, moved(network))
    if tuning.freeze:
        raise SettingError(f"setting freeze goes with adapt=full, not {tuning.adapt}")
    if base is None and not has_imagenet(network):
        raise SettingError(
            f"setting adapt={tuning.adapt} needs weights to start from: --from BUNDLE"
        )
    whole = (*HEADS, *(n for n in (loaded.fresh if loaded else ()) if not is_head(n)))
    whole += tuple(f"{norm}.*" for norm in (loaded.norms if loaded else ()))  # of these data
    if tuning.adapt == "head":
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(is_head(name) or name in whole)
        return Begun(start, loaded, moved(network))
    lora = Lora(rank=tuning.rank, whole=whole)
    adapt(network, lora, np.random.default_rng(seed))
    made_on = (base or imagenet_base(variant_of(plan))).sha256
    return Begun(start, loaded, moved(network), lora, made_on)


def settle_norms(network: nn.Module, begun: Begun, batches: Batches, seed: int) -> None:
    """Measure norms that were put back on the first images to learn from; often none."""
    if begun.loaded is not None and begun.loaded.norms:
        drawn = batches(np.random.default_rng(seed))
        settle(network, begun.loaded.norms, (batch[0] for batch in islice(drawn, _SETTLED)))


def finish(network: nn.Module, begun: Begun, adapters: Path | None) -> None:
    """Keep adapters in a file, if one is named, and add them to the weights for good."""
    if begun.lora is not None:
        if adapters is not None:
            save_adapters(network, adapters, lora=begun.lora, base_sha256=begun.base_sha256)
        merge(network)


def told(begun: Begun) -> dict[str, Any]:
    """Return what a card says: the base, what was taken over, how much moved."""
    base, tuning = begun.start.base, begun.start.tuning
    out: dict[str, Any] = {
        "moved": {
            "parameters": begun.moved.moving,
            "of": begun.moved.every,
            "percent": round(100 * begun.moved.share, 2),
            "adapt": tuning.adapt,
        }
    }
    if begun.lora is not None:
        out["moved"] |= {"rank": begun.lora.rank, "base_sha256": begun.base_sha256}
    if tuning.freeze:
        out["moved"]["freeze"] = list(tuning.freeze)
    if tuning.depth_decay < 1:
        out["moved"]["depth_decay"] = tuning.depth_decay
    if base is not None and begun.loaded is not None:
        out["start"] = {
            "bundle": base.name,
            "version": base.version,
            "sha256": base.bundle_sha256,
            "read_from": base.read_from,
            "parameters_taken": begun.loaded.parameters,
            "norms_put_back": len(begun.loaded.norms),
            "new": sorted({name.rpartition(".")[0] for name in begun.loaded.fresh}),
        }
    return out


def in_words(lines: Sequence[str], base: Base | None) -> tuple[str, ...]:
    """Say in a plan's words that the network starts from a bundle."""
    if base is None:
        return tuple(lines)
    whose = f"the weights of bundle {base.name} {base.version}"
    usual = ("ImageNet weights", "random weights")
    return tuple(
        line.replace(usual[0], whose).replace(usual[1], whose)
        if line.startswith("network: ")
        else line
        for line in lines
    )


def asked(start: Start) -> str:
    """Options of the command line that start so."""
    tuning = start.tuning
    given = {
        "adapt": tuning.adapt,
        "freeze": ",".join(tuning.freeze),
        "depth_decay": tuning.depth_decay,
        "rank": tuning.rank,
    }
    usual = {"adapt": "full", "freeze": "", "depth_decay": 1.0, "rank": Tuning().rank}
    sets = "".join(f" --set {k}={v}" for k, v in given.items() if v != usual[k])
    return (f" --from {start.base.name}" if start.base else "") + sets


def variant_of(plan: AnyPlan) -> str:
    """Which EfficientNet-Lite a plan's network has; ``lite0`` where it does not say."""
    return "lite0" if isinstance(plan, Plan) else plan.architecture.variant or "lite0"


def plan_on(
    plan: Callable[[Mapping[str, str]], AnyPlanned], base: Base, settings: Mapping[str, str]
) -> AnyPlanned:
    """Plan by `plan` (given settings) for the base's network, and take over its preprocessing.

    Its weights expect both. `settings` that were given win, and the rate is that of weights
    learnt before.

    Raises
    ------
    InputError
        If the base's network is for other data, or a setting asks for another network.
    """
    if named := next((key for key in ("kind", "variant", "norm") if key in settings), ""):
        raise SettingError(f"setting {named}: the network is that of bundle {base.name}")
    theirs = _architecture(base)
    if theirs.kind is Kind.FOREIGN:
        raise InputError(f"bundle {base.name} is another program's network: it only runs")
    is_finder = theirs.kind is Kind.CENTER_UNET  # there is one kind of them, and no setting
    planned = plan(settings if is_finder else {**settings, "kind": theirs.kind})
    recipe = planned.recipe
    rate = recipe.rate if "rate" in settings else min(recipe.rate, _RATE)
    on_base: Any = _on(recipe.plan, base, theirs, settings)  # each recipe holds its own plan
    return replace(planned, recipe=replace(recipe, plan=on_base, rate=rate))


def _on(
    plan: Buildable,
    base: Base,
    theirs: Architecture,
    settings: Mapping[str, str],
) -> AnyPlan:
    if theirs.kind not in _ANSWERS[plan.task]:
        raise InputError(f"bundle {base.name}: {theirs.kind} does not answer {plan.task}")
    if theirs.dims != plan.architecture.dims:
        raise InputError(
            f"bundle {base.name} is of {theirs.dims} dims, the data of {plan.architecture.dims}"
        )
    own = plan.architecture
    try:
        network = replace(theirs, channels=own.channels, classes=own.classes)
    except ValueError as why:
        raise InputError(f"bundle {base.name} cannot take these data: {why}") from why
    kept: dict[str, Any] = {"architecture": network}
    was = base.plan
    if isinstance(was, Buildable) and was.task == plan.task:
        kept |= _input(plan, was, settings)
    changed = replace(plan, **kept)
    _require_sides(changed, base)
    return changed


def _input(plan: Buildable, was: Buildable, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the base's scaling, size, spacing and patch, where nothing else was asked for."""
    if plan.frame != was.frame:
        return {}
    kept: dict[str, Any] = {}
    if len(plan.channels) == len(was.channels):
        kept["intensities"] = was.intensities
    keys = _INPUTS[was.task]
    return kept | {key: getattr(was, key) for key in keys if key not in settings}


def _require_sides(plan: Buildable, base: Base) -> None:
    sides = plan.size if isinstance(plan, ClassificationPlan) else plan.patch
    multiple = plan.architecture.multiple[-len(sides) :]
    if any(side % m for side, m in zip(sides[-len(multiple) :], multiple, strict=True)):
        raise InputError(f"size {sides} is no multiple of {multiple}, of bundle {base.name}")


def _architecture(base: Base) -> Architecture:
    if base.plan is None:
        raise InputError(f"{base.name} has no plan")
    if not isinstance(base.plan, Plan):
        return base.plan.architecture
    trunk = _trunk(base)
    return Architecture(Kind.EFFICIENTNET_LITE, 2, 3, 1, variant=trunk, dropout=0.2)


def _trunk(base: Base) -> str:
    """Tell an EfficientNet-Lite by the number of its blocks and the width of the last."""
    blocks = sorted(
        (int(name.split(".")[2]), part.shape[0])
        for name, part in base.state.items()
        if name.startswith("trunk.blocks.") and name.endswith("project.weight")
    )
    known = {(15, 320): "lite0", (20, 320): "lite1", (20, 352): "lite2"}
    if not blocks or blocks[-1] not in known:
        raise InputError(f"bundle {base.name} has no EfficientNet-Lite trunk")
    return known[blocks[-1]]
