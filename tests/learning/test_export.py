"""Networks of photographs leave torch for pictures of any size."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
onnxruntime = pytest.importorskip("onnxruntime")
openvino = pytest.importorskip("openvino", reason="OpenVINO is absent")

from torch import nn  # noqa: E402 (after the skips)

from medloop.learning.export import GradingEnsemble, LesionEnsemble, export_onnx  # noqa: E402
from medloop.models.nets import Depthwise, GradingNet, LiteUNet  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow]


def awake(model: nn.Module) -> nn.Module:
    """Give layers that are zero until weights are loaded some."""
    torch.manual_seed(0)
    for part in model.modules():
        if isinstance(part, Depthwise):
            nn.init.normal_(part.weight, std=0.2)
    return model.eval()


ENSEMBLES = {
    "lesions": (
        lambda: LesionEnsemble([LiteUNet(3, widths=(4,) * 5) for _ in range(2)]),
        ("probability",),
    ),
    "grades": (lambda: GradingEnsemble([GradingNet((5, 3))]), ("logits", "activation")),
}


@pytest.mark.parametrize("name", ENSEMBLES)
def test_both_runtimes_answer_as_torch_does_at_any_size(name, tmp_path):
    make, outputs = ENSEMBLES[name]
    model, path = awake(make()), tmp_path / "weights.onnx"
    export_onnx(model, path, outputs=outputs)
    session = onnxruntime.InferenceSession(path)
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert session.get_inputs()[0].shape == [1, 3, "image_rows", "image_columns"]
    for rows, columns in ((256, 320), (64, 96), (352, 128)):
        x = torch.rand(1, 3, rows, columns)
        with torch.no_grad():
            answer = model(x)
        expected = answer if isinstance(answer, tuple) else (answer,)
        for told in (session.run(None, {"image": x.numpy()}), compiled(x.numpy()).to_tuple()):
            for ours, theirs in zip(told, expected, strict=True):
                assert ours.shape == tuple(theirs.shape)
                scale = float(np.abs(theirs.numpy()).max())
                assert np.abs(ours - theirs.numpy()).max() < 0.1 * scale  # weights are rounded


def test_a_network_that_holds_its_size_is_not_said_to_be_free(tmp_path):
    class Flat(nn.Module):
        def forward(self, image):
            return image.reshape(1, 3 * 256 * 320)

    with pytest.raises(ValueError, match="hold the size of the example: Reshape"):
        export_onnx(Flat(), tmp_path / "weights.onnx", outputs=("flat",))
