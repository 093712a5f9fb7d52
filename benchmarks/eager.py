"""A bundle's networks as PyTorch runs them, with the weights of its ONNX file.

Networks are built from the plan and the card, as training built them. Exporting folds a batch
norm into the convolution before it; here it stays where it was, with a variance of 1.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from onnx import numpy_helper
from torch import Tensor, nn

from medloop.learning.export import (
    ClassificationEnsemble,
    DetectionEnsemble,
    GradingEnsemble,
    LesionEnsemble,
    SegmentationEnsemble,
)
from medloop.learning.integers import unpacked
from medloop.learning.torch_predictor import TorchPredictor
from medloop.models.bundle import Bundle
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.detection_plan import DetectionPlan
from medloop.models.nets import GradingNet, LiteUNet
from medloop.models.networks.build import build
from medloop.models.networks.nodules import CubeNet, SliceNet
from medloop.models.nodule_plan import NodulePlan
from medloop.models.plan import Plan, Task

_SHARED = re.compile(r"^members\.\d+\.")  # equal weights of members are stored once
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def eager(bundle: Bundle, weights: Path, *, threads: int | None = None) -> TorchPredictor:
    """Open a network of a bundle in PyTorch: FP32, no gradients, so many threads."""
    if threads is not None:
        torch.set_num_threads(threads)
    network = network_of(bundle, is_screen=weights != bundle.weights)
    load(network, weights)
    names = outputs_of(bundle)

    def answers(*told: Tensor) -> Mapping[str, Tensor]:
        return dict(zip(names, told, strict=True))

    return TorchPredictor(network, answers, exact=True)


def network_of(bundle: Bundle, *, is_screen: bool = False) -> nn.Module:
    """Build the ensemble that was exported; of two networks the screening one if asked."""
    plan, training = bundle.plan, bundle.card.get("training", {})
    count = int(training.get("networks", 1))
    if isinstance(plan, NodulePlan):
        one = SliceNet if is_screen else lambda: CubeNet(plan.architecture)
        return ClassificationEnsemble([one() for _ in range(count)])
    if isinstance(plan, Plan):
        return _of_photographs(plan, training.get("recipe", {}), count)
    members = [build(plan.architecture) for _ in range(count)]
    if isinstance(plan, ClassificationPlan):
        return ClassificationEnsemble(members)
    if isinstance(plan, DetectionPlan):
        return DetectionEnsemble(members)
    return SegmentationEnsemble(members)


def outputs_of(bundle: Bundle) -> Sequence[str]:
    """Names of what a bundle's network answers, in order."""
    plan = bundle.plan
    if isinstance(plan, NodulePlan | ClassificationPlan):
        return ("logits",)
    if isinstance(plan, DetectionPlan):
        return ("heat", "box")
    is_grading = isinstance(plan, Plan) and plan.task is Task.GRADING
    return ("logits", "activation") if is_grading else ("probability",)


@torch.no_grad()
def load(network: nn.Module, weights: Path) -> None:
    """Take the weights of an ONNX file over, name by name.

    What the file lacks keeps its random weights: heads that answer only while training.
    """
    proto = unpacked(weights)
    known = {each.name: numpy_helper.to_array(each) for each in proto.graph.initializer}
    modules = list(network.named_modules())
    norms = _folded(modules, known)
    for at, module in modules:
        if at in norms and isinstance(module, Norm):
            _set_norm(module, norms[at])
            continue
        held = [
            *module.named_parameters(at, recurse=False),
            *module.named_buffers(at, recurse=False),
        ]
        for key, value in held:
            array = known.get(key, known.get(_SHARED.sub("members.0.", key)))
            if array is not None and array.size == value.numel():
                value.copy_(torch.from_numpy(np.array(array)).reshape(value.shape))


def _set_norm(norm: Norm, bias: ndarray) -> None:
    norm.weight.fill_(1)
    norm.bias.copy_(torch.from_numpy(bias.copy()))
    if norm.running_mean is not None and norm.running_var is not None:
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)


def _folded(
    modules: Sequence[tuple[str, nn.Module]], known: Mapping[str, ndarray]
) -> Mapping[str, ndarray]:
    """Biases of batch norms that were folded into the convolution before them, by name."""
    found, bias = {}, None
    for at, module in modules:
        if bias is not None and isinstance(module, Norm):
            found[at], bias = bias, None
        elif f"{at}.weight_bias" in known:
            bias = known[f"{at}.weight_bias"]
    return found


def _of_photographs(plan: Plan, recipe: Mapping[str, Any], count: int) -> nn.Module:
    scale = str(recipe.get("trunk", "lite0"))
    if plan.task is Task.GRADING:
        grades = tuple(each.grades for each in plan.scales)
        return GradingEnsemble([GradingNet(grades, scale=scale) for _ in range(count)])
    widths = tuple(recipe.get("widths") or ()) or (24, 32, 48, 80, 112)
    classes = len(plan.classes)
    made = [LiteUNet(classes, scale=scale, widths=widths) for _ in range(count)]
    return LesionEnsemble(made)
