"""Segmentation and detection start from a bundle too; new layers learn faster than old ones."""

from dataclasses import replace
from functools import partial

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("monai", reason="MONAI is not installed")
pytest.importorskip("safetensors", reason="safetensors, the format of adapters, is absent")

from medloop.learning.base import Base  # noqa: E402 (after the skip)
from medloop.learning.loop import Schedule, _groups  # noqa: E402
from medloop.learning.merge import merged_bundle  # noqa: E402
from medloop.learning.recipes import Tuning  # noqa: E402
from medloop.learning.segmentation.opening import plan_segmentation  # noqa: E402
from medloop.learning.start import Start, begin, plan_on  # noqa: E402
from medloop.learning.train import Order, train  # noqa: E402
from medloop.models.architecture import Architecture, Kind, center_unet  # noqa: E402
from medloop.models.bundle import ADAPTER, NETWORK, load_bundle  # noqa: E402
from medloop.models.detection_plan import DetectionPlan  # noqa: E402
from medloop.models.networks.build import build  # noqa: E402
from medloop.models.segmentation_plan import PICTURES, Intensity  # noqa: E402
from tests.learning.segmentation.volumes import some_volumes  # noqa: E402

pytestmark = [pytest.mark.train]
slow = pytest.mark.slow
SMALL = Architecture(
    Kind.RESNET, 2, 1, 2, widths=(8, 8, 16, 16), blocks=(1, 1, 1, 1), small=True
)


def begun(base, network, plan, **tuning):
    return begin(network, Start(base, Tuning(**tuning)), plan, 0)


@slow
def test_a_segmentation_starts_from_another_ones_network_patch_and_spacing(tmp_path):
    data = some_volumes(tmp_path / "data")
    wanted = {"width": "8", "patch": "16x16x16", "of_folds": "2"}
    plan_for_it = partial(plan_segmentation, "segmentation", data)
    first = plan_for_it(wanted).recipe.plan
    state = build(first.architecture).state_dict()
    other = Base(
        "balls", "1", "ab" * 32, "", NETWORK, replace(first, classes=("a", "b")), state
    )
    rest = {"of_folds": "2", "folds": "", "epochs": "1", "steps": "1"}
    planned = plan_on(plan_for_it, other, rest)
    assert planned.recipe.plan.patch == (16, 16, 16)
    assert planned.recipe.plan.architecture == first.architecture
    assert planned.recipe.rate == 5e-4
    network = build(first.architecture)
    told = begun(other, network, planned.recipe.plan, adapt="lora", rank=1)
    assert {name.split(".")[0] for name in told.fresh} == {"heads"}
    start = Start(other, Tuning(adapt="lora", rank=1))
    out = train(Order(planned.recipe, data, tmp_path / "o", planned=planned, start=start))
    assert load_bundle(out).card["training"]["start"]["bundle"] == "balls"
    assert (out / ADAPTER).stat().st_size < (out / NETWORK).stat().st_size
    merged = merged_bundle(out / ADAPTER, other, tmp_path / "merged")
    assert merged.sha256 == load_bundle(out).sha256


@slow
def test_a_finder_of_objects_starts_from_another(tmp_path):
    plan = a_finder()
    network = build(plan.architecture)
    other = Base("a", "1", "ab" * 32, "", NETWORK, plan, network.state_dict())
    again = build(replace(plan.architecture, classes=2))
    told = begun(other, again, replace(plan, classes=("one", "two")), adapt="head")
    assert {name.split(".")[0] for name in told.fresh} == {"heat", "box"}
    assert torch.equal(again.encoder[0][0].weight, network.encoder[0][0].weight)


def a_finder():
    return DetectionPlan(
        channels=("CT",),
        classes=("nodule",),
        spacing=(1.0, 1.0),
        patch=(16, 16),
        intensities=(Intensity(0, 1, 0, 1),),
        architecture=center_unet(2, 1, 1, widths=(4, 8, 8)),
        size=(4.0, 4.0),
        frame=PICTURES,
    )


def rates(network, **changes):
    groups = _groups(network, Schedule(1, 1, rate=0.1, head_rate=0.8, **changes))
    return {id(each): group["lr"] for group in groups for each in group["params"]}


def test_new_layers_learn_fast_and_deep_ones_slower():
    network = build(SMALL)
    of = rates(network, fresh=frozenset({"fc.weight", "fc.bias"}), depth_decay=0.5)
    assert of[id(network.fc.weight)] == 0.8
    assert of[id(network.layer4[0].conv1.weight)] == pytest.approx(0.05)
    assert of[id(network.layer3[0].conv1.weight)] == pytest.approx(0.025)
    assert set(rates(network).values()) == {0.8}
