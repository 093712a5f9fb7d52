"""The network that finds objects."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from medloop.learning.export import DetectionEnsemble, export_onnx  # noqa: E402 (after the skip)
from medloop.models.architecture import center_unet  # noqa: E402
from medloop.models.networks.build import build  # noqa: E402
from medloop.models.predict import open_weights  # noqa: E402

pytestmark = pytest.mark.train

THICK = center_unet(3, 2, 3, widths=(4, 8, 8, 8), spacing=(3.0, 1.0, 1.0))
FLAT = center_unet(2, 1, 1, widths=(4, 8, 8))


@pytest.mark.parametrize(
    ("architecture", "sides", "cells"),
    [(THICK, (8, 16, 24), (8, 8, 12)), (FLAT, (16, 24), (8, 12))],
)
def test_every_cell_has_a_center_for_each_class_and_one_box(architecture, sides, cells):
    heat, box = build(architecture)(torch.randn(2, architecture.channels, *sides))
    assert heat.shape == (2, architecture.classes, *cells)
    assert box.shape == (2, 2 * architecture.dims, *cells)


def test_at_first_one_cell_in_a_hundred_is_a_center_and_boxes_are_typical():
    torch.manual_seed(0)
    network = build(FLAT)
    assert torch.sigmoid(network.heat[-1].bias).tolist() == pytest.approx([0.01])
    _, box = network(torch.randn(2, 1, 64, 64))
    assert box.abs().mean() < 0.2


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "sides"), [(THICK, (8, 16, 24)), (FLAT, (16, 24))])
def test_onnx_answers_as_torch_does(architecture, sides, tmp_path):
    torch.manual_seed(1)
    members = [build(architecture).eval() for _ in range(2)]
    x = torch.randn(1, architecture.channels, *sides)
    example = torch.zeros_like(x)
    export_onnx(
        DetectionEnsemble(members),
        tmp_path / "weights.onnx",
        outputs=("heat", "box"),
        example=example,
    )
    with torch.no_grad():
        heat, box = DetectionEnsemble(members)(x)
    for engine in ("onnxruntime", "openvino"):
        told = open_weights(tmp_path / "weights.onnx", engine=engine).run(x.numpy())
        np.testing.assert_allclose(told["heat"], heat, atol=2e-3)
        np.testing.assert_allclose(told["box"], box, atol=2e-3)
