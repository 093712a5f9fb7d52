"""From trained torch networks to a bundle's ONNX file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy import ndarray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from medloop.learning.exporter_notes import without_exporter_notes
from medloop.learning.whole import appearing
from medloop.models.bundle import SCREEN
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.detection_plan import DetectionPlan
from medloop.models.nets import GradingNet, LiteUNet
from medloop.models.networks.nodules import NoduleNet
from medloop.models.nodule_plan import NodulePlan
from medloop.models.segmentation_plan import SegmentationPlan

_LEAST_HALVED = 256  # smaller constants (shapes, biases of one layer) stay as they are
_LEAST_QUARTERED = 20_000  # numbers of a weight from which on INT8 changes no figure we measure
_CONVOLUTION = 4  # axes of a convolution's weight, at least
_SIDES = ("rows", "columns")
_SIZED = frozenset({"Reshape", "Expand", "Tile", "Range", "ConstantOfShape"})
_SCALES = 3  # inputs of a Resize by scales; a fourth holds sizes


class GradingEnsemble(nn.Module):
    """Mean logits and mean activation maps of several grading networks."""

    def __init__(self, members: Sequence[GradingNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 3, H, W) to logits (B, K) and activation (B, K, H/32, W/32)."""
        logits, maps = [], []
        for each in self.members:
            member = cast("GradingNet", each)  # a ModuleList forgets what it holds
            features = member.trunk(image)
            logits.append(member.classifier(member.pool(features)))
            maps.append(member.activation(features))
        return torch.stack(logits).mean(0), torch.stack(maps).mean(0)


class LesionEnsemble(nn.Module):
    """Mean probabilities of several lesion networks; every second reads the mirror image.

    What a network sees only one way round then counts less, at no cost.
    """

    def __init__(self, members: Sequence[LiteUNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 3, H, W) to probabilities (B, C, H, W)."""
        answers = []
        for n, member in enumerate(self.members):
            axes = (3,) if n % 2 else ()
            answers.append(torch.sigmoid(member(image.flip(axes))).flip(axes))
        return torch.stack(answers).mean(0)


class SegmentationEnsemble(nn.Module):
    """Mean probabilities of several networks whose classes exclude each other."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, C, S) to probabilities (B, N, S), background first."""
        return torch.stack([torch.softmax(m(image), dim=1) for m in self.members]).mean(0)


class LogMean(SegmentationEnsemble):
    """Logarithm of the mean probabilities: logits of one network that says the same."""

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, C, S) to logits (B, N, S), background first."""
        return super().forward(image).clamp_min(torch.finfo(torch.float32).tiny).log()


class ClassificationEnsemble(nn.Module):
    """Mean logits of several networks that give an image a class."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, C, S) to logits (B, K)."""
        return torch.stack([member(image) for member in self.members]).mean(0)


def export_classifiers(
    members: Sequence[nn.Module], plan: ClassificationPlan, path: Path
) -> None:
    """Write the mean of the networks' logits as ONNX, for one image of the plan's size."""
    example = torch.zeros(1, len(plan.channels), *plan.size)
    ensemble = ClassificationEnsemble(members)
    export_onnx(ensemble, path, outputs=("logits",), example=example)


def export_segmenters(members: Sequence[nn.Module], plan: SegmentationPlan, path: Path) -> None:
    """Write the mean of the networks' probabilities as ONNX, for windows of the patch."""
    example = torch.zeros(1, len(plan.channels), *plan.patch)
    ensemble = SegmentationEnsemble(members)
    export_onnx(ensemble, path, outputs=("probability",), example=example)


class DetectionEnsemble(nn.Module):
    """Mean probabilities of centers, and mean boxes, of several networks that find objects."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, C, S) to probabilities (B, K, cells) and boxes (B, 2 dims, cells)."""
        heats, boxes = zip(*(member(image) for member in self.members), strict=True)
        return torch.sigmoid(torch.stack(heats)).mean(0), torch.stack(boxes).mean(0)


def export_finders(members: Sequence[nn.Module], plan: DetectionPlan, path: Path) -> None:
    """Write the mean of the networks' answers as ONNX, for windows of the patch."""
    example = torch.zeros(1, len(plan.channels), *plan.patch)
    ensemble = DetectionEnsemble(members)
    export_onnx(ensemble, path, outputs=("heat", "box"), example=example)


def export_nodule_nets(members: Sequence[NoduleNet], plan: NodulePlan, path: Path) -> None:
    """Write the mean of what reviews as ONNX, and beside it (`SCREEN`) of what screens."""
    batch = {0: torch.export.Dim("batch", min=1, max=1024)}
    cubes = torch.zeros(2, 1, *plan.cube)
    reviews = ClassificationEnsemble([member.review for member in members])
    export_onnx(reviews, path, outputs=("logits",), example=cubes, free=batch)
    slices = torch.zeros(2, 3, *plan.cube[1:])
    screens = ClassificationEnsemble([member.screen for member in members])
    with appearing(path.with_name(SCREEN)) as beside:
        export_onnx(screens, beside, outputs=("logits",), example=slices, free=batch)


def export_onnx(
    model: nn.Module,
    path: Path,
    *,
    outputs: Sequence[str],
    example: Tensor | None = None,
    free: Mapping[int, Any] | None = None,  # torch.export.Dim, which torch types as a function
) -> None:
    """Write `model` as ONNX, weights stored in INT8 (large ones) or half precision.

    Height and width are free, multiples of 32 pixels; given an `example`, every input has its
    shape but for the axes that are `free`.

    They are made FP32 again when the file is loaded, so computation stays FP32. The same
    weights give the same bytes.
    """
    model.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload] # torch types no memory_format
    shown = torch.zeros(1, 3, 256, 320) if example is None else example
    with without_exporter_notes():
        torch.onnx.export(
            model,
            (shown,),
            str(path),
            input_names=["image"],
            output_names=list(outputs),
            dynamic_shapes=None if free is None else {"image": dict(free)},
            dynamo=True,
            external_data=False,
            optimize=True,
            verbose=False,
        )
    proto = onnx.load(str(path))
    if example is None:
        _free_sides(proto)
    path.write_bytes(_plain(_packed(proto)).SerializeToString(deterministic=True))


def _free_sides(proto: onnx.ModelProto) -> None:
    """Let rows and columns be as they come; exported with free ones, the nodes are the same.

    Raises
    ------
    ValueError
        If a node holds a size, so that they cannot be.
    """
    graph = proto.graph
    holding = [node.op_type for node in graph.node if _holds_a_size(node)]
    if holding:
        raise ValueError(f"nodes hold the size of the example: {', '.join(sorted(holding))}")
    for part in (*graph.input, *graph.output):
        for axis, name in zip(part.type.tensor_type.shape.dim[2:], _SIDES, strict=False):
            axis.dim_param = f"{part.name}_{name}"


def _holds_a_size(node: onnx.NodeProto) -> bool:
    by_sizes = node.op_type == "Resize" and len(node.input) > _SCALES
    return by_sizes or node.op_type in _SIZED


def _packed(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Store weights small, followed by what makes them FP32 again when the file is loaded.

    Large ones (deep layers, which hold most of the numbers) as INT8 with a scale for each
    output channel; others as FP16. Computation stays FP32.
    """
    graph = proto.graph
    kept, unpack = [], []
    for weight in graph.initializer:
        array = numpy_helper.to_array(weight)
        name = weight.name
        if weight.data_type != TensorProto.FLOAT or array.size < _LEAST_HALVED:
            kept.append(weight)
        elif array.ndim < _CONVOLUTION or array.size < _LEAST_QUARTERED:
            kept.append(numpy_helper.from_array(array.astype(np.float16), f"{name}_half"))
            unpack.append(_cast(f"{name}_half", name))
        else:
            whole, steps = _quartered(array)
            kept.append(numpy_helper.from_array(whole, f"{name}_whole"))
            kept.append(numpy_helper.from_array(steps, f"{name}_steps"))
            unpack.append(_cast(f"{name}_whole", f"{name}_float"))
            unpack.append(helper.make_node("Mul", [f"{name}_float", f"{name}_steps"], [name]))
    nodes = list(graph.node)
    del graph.initializer[:], graph.node[:], graph.value_info[:]
    graph.initializer.extend(kept)
    graph.node.extend([*unpack, *nodes])
    return proto


def _quartered(array: ndarray) -> tuple[ndarray, ndarray]:
    """Round to whole steps of 1/127 of each output channel's largest weight."""
    largest = np.abs(array).max(axis=tuple(range(1, array.ndim)), keepdims=True)
    steps = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(array / steps).astype(np.int8), steps


def _cast(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], to=TensorProto.FLOAT)


def _plain(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what the exporter notes about itself, its source files and its caller."""
    graph = proto.graph
    proto.doc_string = graph.doc_string = ""
    del proto.metadata_props[:], graph.metadata_props[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.checker.check_model(proto)
    return proto
