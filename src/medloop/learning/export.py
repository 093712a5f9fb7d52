"""From trained torch networks to a bundle's ONNX file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from medloop.models.nets import GradingNet, LiteUNet

_LEAST_HALVED = 256  # smaller constants (shapes, biases of one layer) stay as they are


class GradingEnsemble(nn.Module):
    """Mean logits and mean activation maps of several grading networks."""

    def __init__(self, members: Sequence[GradingNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 3, H, W) to logits (B, K) and activation (B, K, H/32, W/32)."""
        logits, maps = [], []
        for member in self.members:
            features = member.trunk(image)
            logits.append(member.classifier(features.mean(dim=(2, 3))))
            maps.append(member.activation(features))
        return torch.stack(logits).mean(0), torch.stack(maps).mean(0)


class LesionEnsemble(nn.Module):
    """Mean probabilities of several lesion networks."""

    def __init__(self, members: Sequence[LiteUNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 3, H, W) to probabilities (B, C, H, W)."""
        return torch.stack([torch.sigmoid(m(image)) for m in self.members]).mean(0)


def export_onnx(model: nn.Module, path: Path, *, outputs: Sequence[str]) -> None:
    """Write `model` as ONNX with free height and width, weights stored in half precision.

    Half-precision storage halves the file; they are cast back to FP32 when the file is loaded, so
    computation stays FP32.
    """
    model.eval().to(memory_format=torch.contiguous_format)
    example = torch.zeros(1, 3, 256, 320)
    units = torch.export.Dim
    height, width = 32 * units("rows", min=2, max=256), 32 * units("columns", min=2, max=256)
    torch.onnx.export(
        model,
        (example,),
        str(path),
        input_names=["image"],
        output_names=list(outputs),
        dynamic_shapes={"image": {2: height, 3: width}},
        dynamo=True,
        external_data=False,
        optimize=True,
        verbose=False,
    )
    proto = onnx.load(str(path))
    onnx.save(_halved(proto), str(path))


def _halved(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Store large FP32 weights as FP16 followed by a cast."""
    graph = proto.graph
    kept, casts = [], []
    for weight in graph.initializer:
        array = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or array.size < _LEAST_HALVED:
            kept.append(weight)
            continue
        half = numpy_helper.from_array(array.astype(np.float16), weight.name + "_half")
        kept.append(half)
        casts.append(helper.make_node("Cast", [half.name], [weight.name], to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.initializer[:], graph.node[:], graph.value_info[:]
    graph.initializer.extend(kept)
    graph.node.extend([*casts, *nodes])
    proto.doc_string = ""
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.checker.check_model(proto)
    return proto
