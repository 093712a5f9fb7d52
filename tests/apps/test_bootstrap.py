"""Which analyses there are, by the bundles that are here."""

import json

import pytest

from medloop.apps.bootstrap import OFFERS, choose_analyses
from medloop.apps.console import UsageError
from medloop.apps.settings import Settings
from medloop.models.architecture import unet
from medloop.models.bundle import CARD, PLAN, WEIGHTS, seal
from medloop.models.segmentation_plan import Intensity, SegmentationPlan

ORGANS = (
    *("brainstem", "spinal cord", "right parotid", "left parotid"),
    *("oesophagus", "larynx", "mandible"),
)


def an_installed_bundle(folder):
    plan = SegmentationPlan(
        channels=("CT",),
        classes=ORGANS,
        spacing_mm=(2.5, 3.9, 3.9),
        patch=(16, 16, 16),
        intensities=(Intensity(-1000, 1000, 0, 500),),
        architecture=unet(3, 1, 8, widths=(4, 8)),
    )
    folder.mkdir(parents=True)
    (folder / PLAN).write_text(plan.to_json())
    (folder / CARD).write_text(f"name = {json.dumps(folder.name)}\nversion = '1'\n")
    (folder / WEIGHTS).write_bytes(b"opened with the first volume")
    seal(folder)


def names(settings):
    return [each.name for each in choose_analyses([], settings)]


def test_an_analysis_without_shipped_weights_is_there_once_a_bundle_is_installed(tmp_path):
    settings = Settings(home=tmp_path)
    assert names(settings) == [name for name, offer in OFFERS.items() if offer.shipped]
    with pytest.raises(UsageError, match="no bundle 'head_neck_oars'"):
        choose_analyses(["head_neck"], settings)
    an_installed_bundle(settings.bundles / "head_neck_oars")
    assert "head_neck" in names(settings)
