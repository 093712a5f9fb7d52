import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks.eager import eager  # noqa: E402 (after the skip)

from medloop.learning.export import export_segmenters  # noqa: E402
from medloop.models.architecture import unet  # noqa: E402
from medloop.models.bundle import CARD, PLAN, WEIGHTS, load_bundle, seal  # noqa: E402
from medloop.models.networks.build import build  # noqa: E402
from medloop.models.predict import open_weights  # noqa: E402
from medloop.models.segmentation_plan import Intensity, SegmentationPlan  # noqa: E402


@pytest.mark.slow
@pytest.mark.train
def test_eager_answers_as_the_exported_network_does(tmp_path):
    plan = SegmentationPlan(
        channels=("CT",),
        classes=("organ",),
        spacing_mm=(1.0, 1.0, 1.0),
        patch=(8, 8, 8),
        intensities=(Intensity(0, 255, 0, 100),),
        architecture=unet(3, 1, 2, widths=(4, 8)),
    )
    torch.manual_seed(0)
    members = [build(plan.architecture) for _ in range(2)]
    for member in members:
        member(torch.randn(2, 1, 8, 8, 8))  # norms learn means that are not 0
    tmp_path.joinpath(CARD).write_text(
        'name = "two"\nversion = "1"\n[training]\nnetworks = 2\n'
    )
    tmp_path.joinpath(PLAN).write_text(plan.to_json())
    export_segmenters(members, plan, tmp_path / WEIGHTS)
    seal(tmp_path)
    bundle = load_bundle(tmp_path)
    x = np.random.default_rng(0).standard_normal((1, 1, 8, 8, 8)).astype("f4")
    wanted = open_weights(bundle.weights).run(x)["probability"]
    told = eager(bundle, bundle.weights, threads=1).run(x)["probability"]
    np.testing.assert_allclose(told, wanted, atol=1e-5)
