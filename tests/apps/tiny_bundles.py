"""Bundles whose networks are one convolution, so that tests know every answer."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from medloop.models.bundle import CARD, PLAN, WEIGHTS, seal
from medloop.models.plan import Plan, Scale, Task

GRADING_PLAN = Plan(
    task=Task.GRADING,
    field_px=224,
    scales=(Scale("ICDR", 5), Scale("DME", 3)),
    temperature=(1.0, 1.0),
)
LESION_PLAN = Plan(
    task=Task.LESIONS,
    field_px=224,
    classes=("MA", "HE", "EX", "SE", "OD"),
    thresholds=(0.5, 0.5, 0.5, 0.5, 0.5),
)


def a_grading_bundle(folder: Path, *, grade: int = 2, dme: int = 0) -> Path:
    """Make a bundle that gives every photograph the same grades."""
    above = [4.0 if k < grade else -4.0 for k in range(4)]
    above += [4.0 if k < dme else -4.0 for k in range(2)]
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["activation"], strides=[32, 32]),
        helper.make_node("GlobalAveragePool", ["activation"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["logits"], axis=1),
    ]
    return _write(
        folder, "retina_grading", GRADING_PLAN, nodes, np.array(above), ("logits", "activation")
    )


def a_lesion_bundle(folder: Path) -> Path:
    """Make a bundle that sees hard exudates everywhere inside the picture, nothing else."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["score"]),
        helper.make_node("Sigmoid", ["score"], ["probability"]),
    ]
    bias = np.array([-4.0, -4.0, 4.0, -4.0, -4.0])
    return _write(folder, "retina_lesions", LESION_PLAN, nodes, bias, ("probability",))


def _write(
    folder: Path, name: str, plan: Plan, nodes: list, bias: np.ndarray, outputs: tuple[str, ...]
) -> Path:
    weights = [
        numpy_helper.from_array(np.zeros((len(bias), 3, 1, 1), np.float32), "w"),
        numpy_helper.from_array(bias.astype(np.float32), "b"),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w_"])]
    results = [helper.make_tensor_value_info(out, TensorProto.FLOAT, None) for out in outputs]
    graph = helper.make_graph(nodes, name, inputs, results, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(parents=True)
    onnx.save(model, folder / WEIGHTS)
    (folder / PLAN).write_text(plan.to_json())
    (folder / CARD).write_text(f'name = "{name}"\nversion = "0.0.1"\n')
    seal(folder)
    return folder
