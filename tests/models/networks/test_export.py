"""Every kind leaves torch as ONNX, for any batch, and two runtimes agree with it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript", reason="the exporter of ONNX is absent")

from torch import nn  # noqa: E402 (after the skip)

from medloop.learning.exporter_notes import without_exporter_notes  # noqa: E402
from medloop.models.nets import Depthwise  # noqa: E402
from medloop.models.networks.build import build  # noqa: E402
from tests.models.networks.small import EVERY, needs_monai  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow]


def an_evaluating(architecture) -> nn.Module:
    """Build a network whose batch norms have seen something."""
    torch.manual_seed(0)
    model = build(architecture).eval()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm3d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
        if isinstance(part, Depthwise):  # zero until weights are loaded
            nn.init.normal_(part.weight, std=0.2)
    return model


def exported(model: nn.Module, image: torch.Tensor, path) -> str:
    with without_exporter_notes():
        torch.onnx.export(
            model,
            (image,),
            str(path),
            input_names=["image"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    return str(path)


@pytest.mark.parametrize("name", EVERY)
def test_both_runtimes_compute_what_torch_does(name, tmp_path):
    needs_monai(name)
    onnxruntime = pytest.importorskip("onnxruntime")
    openvino = pytest.importorskip("openvino", reason="OpenVINO is absent")
    architecture, size, _ = EVERY[name]
    model, image = an_evaluating(architecture), torch.zeros(2, architecture.channels, *size)
    path = exported(model, image, tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(path)
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", exact)
    for batch in (1, 3):
        x = torch.randn(batch, *image.shape[1:])
        with torch.no_grad():
            expected = model(x).numpy()
        tolerance = 1e-4 * max(1.0, float(np.abs(expected).max()))
        assert np.abs(session.run(None, {"image": x.numpy()})[0] - expected).max() < tolerance
        assert np.abs(compiled(x.numpy())[0] - expected).max() < tolerance
