"""Which analyses there are, by the bundles that are here."""

import json

import pytest

from medloop.apps.bootstrap import OFFERS, choose_analyses
from medloop.apps.console import UsageError
from medloop.apps.settings import Settings
from medloop.models.architecture import unet
from medloop.models.bundle import CARD, PLAN, WEIGHTS, seal, sha256_of
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


def test_every_analysis_runs_with_what_medloop_ships(tmp_path):
    assert names(Settings(home=tmp_path)) == list(OFFERS)


def test_an_installed_bundle_takes_the_place_of_the_shipped_one(tmp_path):
    settings = Settings(home=tmp_path)
    folder = settings.bundles / "head_neck_oars"
    an_installed_bundle(folder)
    (analysis,) = choose_analyses(["head_neck"], settings)
    assert analysis.network.identity.sha256 == sha256_of(folder / WEIGHTS)


def test_an_analysis_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no analysis 'heart'"):
        choose_analyses(["heart"], Settings(home=tmp_path))
