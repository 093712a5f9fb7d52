"""Trainings that start from a bundle: what is taken over, what moves, what is told of it."""

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("monai", reason="MONAI is not installed")
pytest.importorskip("safetensors", reason="safetensors, the format of adapters, is absent")

from medloop.apps import cli  # noqa: E402 (after the skip)
from medloop.core.errors import InputError  # noqa: E402
from medloop.learning.base import Base, keeps_head, open_base, put, read_network  # noqa: E402
from medloop.learning.classification.opening import plan_classification  # noqa: E402
from medloop.learning.lora import read_adapters  # noqa: E402
from medloop.learning.merge import merged_bundle  # noqa: E402
from medloop.learning.recipes import Tuning  # noqa: E402
from medloop.learning.start import Start, begin, plan_on  # noqa: E402
from medloop.learning.train import Order, train  # noqa: E402
from medloop.learning.unfold import settle  # noqa: E402
from medloop.models.architecture import Architecture, Kind, unet  # noqa: E402
from medloop.models.bundle import ADAPTER, NETWORK, WEIGHTS, load_bundle, seal  # noqa: E402
from medloop.models.classify import classify  # noqa: E402
from medloop.models.networks.build import build  # noqa: E402
from medloop.models.predict import open_predictor  # noqa: E402
from tests.learning.classification.pictures import a_picture, some_pictures  # noqa: E402

pytestmark = [pytest.mark.train]
slow = pytest.mark.slow
QUICK = {
    "epochs": "3",
    "batch": "8",
    "of_folds": "2",
    "folds": "",
    "averaging": "0.9",
    "kind": "resnet",
    "smoothing": "0",
}
SMALL = Architecture(
    Kind.RESNET, 2, 1, 2, widths=(8, 8, 16, 16), blocks=(1, 1, 1, 1), small=True
)


def planned_for(data, **settings):
    """Plan, with a network small enough for a test."""
    planned = plan_classification("classification", data, QUICK | settings)
    network = replace(SMALL, classes=planned.recipe.plan.logits)
    plan = replace(planned.recipe.plan, architecture=network)
    return replace(planned, recipe=replace(planned.recipe, plan=plan))


def tuned(base, data, out, *, settings=None, **tuning):
    """Train on top of a bundle."""
    settings = {k: v for k, v in (QUICK | (settings or {})).items() if k != "kind"}
    planned = plan_on(partial(plan_classification, "classification", data), base, settings)
    return Order(
        planned.recipe, data, out, planned=planned, start=Start(base, Tuning(**tuning))
    )


def states(*folders):
    return [torch.load(each / "work/final.pt", weights_only=True) for each in folders]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return some_pictures(tmp_path_factory.mktemp("data") / "drawn.npz")


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """Train a bundle to start from."""
    planned = planned_for(data)
    out = tmp_path_factory.mktemp("made") / "first"
    return load_bundle(train(Order(planned.recipe, data, out, planned=planned)))


@pytest.fixture(scope="module")
def base(made):
    return open_base(made)


@pytest.fixture(scope="module")
def adapted(base, data, tmp_path_factory):
    """Fine-tune that bundle by adapters."""
    out = tmp_path_factory.mktemp("adapted") / "second"
    return train(tuned(base, data, out, adapt="lora", rank=2))


@slow
def test_a_bundle_keeps_its_network_in_half_precision_and_says_that_all_of_it_moved(made):
    kept, (final,) = read_network(made.folder / NETWORK), states(made.folder)
    for name, part in final.items():
        torch.testing.assert_close(kept[name], part, rtol=1e-3, atol=1e-6)
    assert NETWORK in json.loads((made.folder / "hashes.json").read_text())
    every = sum(part.numel() for part in build(SMALL).parameters())
    told = made.card["training"]["moved"]
    assert (told["parameters"], told["of"], told["percent"]) == (every, every, 100.0)
    assert "start" not in made.card["training"]


@slow
def test_a_card_says_which_bundle_a_training_started_from_and_how_much_moved(made, adapted):
    card = load_bundle(adapted).card["training"]
    assert card["start"]["sha256"] == made.sha256
    assert card["start"]["bundle"] == made.name
    assert card["start"]["new"] == []
    moved = card["moved"]
    assert 0 < moved["parameters"] < moved["of"] / 2
    assert moved["percent"] == pytest.approx(100 * moved["parameters"] / moved["of"], abs=0.01)
    assert (moved["adapt"], moved["rank"]) == ("lora", 2)
    assert f"--from {made.name}" in card["command"]
    assert "--set adapt=lora --set rank=2" in card["command"]


@slow
def test_adapters_on_the_bundle_they_were_made_on_are_the_bundle_training_made(
    base, adapted, tmp_path
):
    merged = merged_bundle(adapted / ADAPTER, base, tmp_path / "merged")
    for name in (WEIGHTS, "plan.json", "card.toml", NETWORK):
        assert (merged.folder / name).read_bytes() == (adapted / name).read_bytes()
    plan = merged.classification_plan
    assert classify(
        open_predictor(merged), a_picture(3, is_ring=True)[None], None, plan
    ).sum() == pytest.approx(1)


@slow
def test_whoever_may_read_the_card_may_read_the_weights(adapted):
    wanted = (adapted / "card.toml").stat().st_mode
    assert {(adapted / name).stat().st_mode for name in (ADAPTER, NETWORK)} == {wanted}


@slow
def test_adapters_are_refused_on_weights_they_were_not_made_on(base, adapted, tmp_path):
    other = replace(base, sha256="cd" * 32)
    with pytest.raises(InputError, match=r"not cdcdcdcdcdcd"):
        merged_bundle(adapted / ADAPTER, other, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    assert read_adapters(adapted / ADAPTER).base_sha256 == base.sha256


@slow
def test_a_killed_run_of_adapters_ends_in_the_same_weights(base, data, adapted, tmp_path):
    class KilledError(Exception):
        pass

    def kill(milestone):
        if milestone.progress.epoch == 2:
            raise KilledError

    order = tuned(base, data, tmp_path / adapted.name, adapt="lora", rank=2)
    with pytest.raises(KilledError):
        train(order, report=kill)
    train(replace(order, resume=True))
    for name in (WEIGHTS, ADAPTER, NETWORK):
        assert (order.out / name).read_bytes() == (adapted / name).read_bytes()


@slow
def test_a_run_does_not_go_on_from_another_start(base, data, adapted):
    other = replace(tuned(base, data, adapted, adapt="lora", rank=3), resume=True)
    with pytest.raises(InputError, match="holds work with tuning"):
        train(other)
    other = replace(base, sha256="cd" * 32)
    again = replace(tuned(other, data, adapted, adapt="lora", rank=2), resume=True)
    with pytest.raises(InputError, match="holds work with start"):
        train(again)


@slow
def test_what_is_frozen_stays_and_the_rest_moves(base, data, tmp_path):
    out = train(tuned(base, data, tmp_path / "out", freeze=("conv1.*", "layer?.*")))
    (after,) = states(out)
    same = {k for k, v in after.items() if torch.equal(v, base.state[k])}
    assert {"conv1.weight", "layer4.0.conv1.weight"} <= same
    assert not {"fc.weight", "bn1.weight"} & same
    assert load_bundle(out).card["training"]["moved"]["freeze"] == ["conv1.*", "layer?.*"]


def begun(base, network, plan, **tuning):
    return begin(network, Start(base, Tuning(**tuning)), plan, 0)


@slow
def test_other_classes_keep_the_trunk_and_get_a_new_head(base, made):
    plan = replace(made.classification_plan, classes=("a", "b", "c"))
    plan = replace(plan, architecture=replace(SMALL, classes=3))
    network = build(plan.architecture)
    told = begun(base, network, plan, adapt="head")
    assert told.fresh == {"fc.weight", "fc.bias"}
    assert told.moved.moving == 16 * 3 + 3
    assert torch.equal(network.conv1.weight, base.state["conv1.weight"])


@slow
def test_as_many_classes_of_other_names_get_a_new_head_too(base, made):
    plan = replace(made.classification_plan, classes=("cat", "dog"))
    assert not keeps_head(plan, base.plan)
    assert keeps_head(made.classification_plan, base.plan)
    torch.manual_seed(9)
    network = build(SMALL)
    drawn = network.fc.weight.clone()
    begun(base, network, plan)
    assert torch.equal(network.fc.weight, drawn)


@slow
def test_another_number_of_channels_gets_a_new_first_layer(base, made):
    plan = made.classification_plan
    network = build(replace(SMALL, channels=3))
    assert begun(base, network, plan).fresh == {"conv1.weight"}


@slow
def test_a_wider_network_is_refused(base):
    wider = build(replace(SMALL, widths=(8, 8, 16, 32)))
    with pytest.raises(InputError, match=r"layer4\.0\.conv1\.weight is \(16, 16"):
        put(wider, base, keeps_head=True)


@slow
def test_the_base_decides_network_and_scaling_and_settings_win(base, made, data):
    settings = {"size": "24x24", "of_folds": "2"}
    plan_for_it = partial(plan_classification, "classification", data)
    planned = plan_on(plan_for_it, base, settings)
    plan = planned.recipe.plan
    assert plan.architecture == made.classification_plan.architecture
    assert plan.intensities == made.classification_plan.intensities
    assert plan.size == (24, 24)
    assert planned.recipe.rate == 5e-4
    with pytest.raises(InputError, match="setting kind"):
        plan_on(plan_for_it, base, {"kind": "vit"})


@slow
def test_weights_of_bundles_without_a_network_are_read_from_onnx(made, tmp_path):
    network = build(Architecture(Kind.EFFICIENTNET_LITE, 2, 1, 2, variant="lite0"))
    shipped = open_base(load_bundle("retina_grading"))
    assert shipped.read_from == WEIGHTS
    loaded = put(network, shipped, keeps_head=False)
    assert loaded.fresh == ("classifier.weight", "classifier.bias")
    largest = network.trunk.head.weight.abs().max()
    assert 0 < largest < 10


@pytest.fixture(scope="module")
def old(made, tmp_path_factory):
    """Copy the bundle as one without its network: norms are folded into convolutions."""
    copy = tmp_path_factory.mktemp("old") / "old"
    shutil.copytree(made.folder, copy, ignore=shutil.ignore_patterns("work", NETWORK))
    seal(copy)
    return open_base(load_bundle(copy))


def some_images():
    pictures = [a_picture(n, is_ring=n % 2 == 0) for n in range(24)]
    return (torch.tensor(np.stack(pictures))[:, None].float() - 85) / 50


@slow
def test_norms_that_were_folded_are_put_back_and_no_answer_changes(made, base, old):
    images = some_images()
    before, after = build(SMALL), build(SMALL)
    put(before, base, keeps_head=True)
    norms = put(after, old, keeps_head=True).norms
    assert len(norms) == len([n for n in before.state_dict() if n.endswith("running_var")])
    with torch.no_grad():
        wanted = before.eval()(images)
        torch.testing.assert_close(after.eval()(images), wanted, rtol=0.02, atol=0.02)
        settle(after, norms, [images])
        torch.testing.assert_close(after.eval()(images), wanted, rtol=0.02, atol=0.02)
        torch.testing.assert_close(after.train()(images), wanted, rtol=0.05, atol=0.05)
    scale = after.bn1.weight / after.bn1.running_var.sqrt()
    torch.testing.assert_close(scale, torch.ones(8), rtol=0, atol=0.01)


@slow
def test_adapters_on_folded_norms_are_merged_into_the_bundle_training_made(old, data, tmp_path):
    out = train(tuned(old, data, tmp_path / "out", adapt="lora", rank=1))
    assert load_bundle(out).card["training"]["start"]["norms_put_back"] > 5
    merged = merged_bundle(out / ADAPTER, old, tmp_path / "merged")
    assert merged.sha256 == load_bundle(out).sha256


@slow
def test_a_part_that_is_lacking_is_refused(base):
    state = {k: v for k, v in base.state.items() if not k.startswith("layer2.0.conv1")}
    with pytest.raises(InputError, match=r"no layer2\.0\.conv1\.weight"):
        put(build(SMALL), replace(base, state=state), keeps_head=True)


def test_a_part_of_random_weights_is_not_worth_tuning(data):
    plan = planned_for(data).recipe.plan
    for adapt in ("head", "lora"):
        with pytest.raises(InputError, match="needs weights to start from"):
            begun(None, build(SMALL), plan, adapt=adapt)


def test_patterns_that_fix_nothing_or_everything_are_refused(data):
    plan = planned_for(data).recipe.plan
    with pytest.raises(InputError, match="no parameter is named like 'stem"):
        begun(None, build(SMALL), plan, freeze=("stem.*",))
    with pytest.raises(InputError, match="no parameter that moves"):
        begun(None, build(SMALL), plan, freeze=("*",))


@pytest.mark.parametrize(
    ("kind", "why"), [(Kind.UNET, "unet is no network that classifies"), (Kind.FOREIGN, "runs")]
)
def test_a_base_for_other_answers_is_refused(data, kind, why):
    plan = plan_classification("classification", data, {"of_folds": "2"}).recipe.plan
    network = replace(unet(2, 1, 2, widths=(4, 8)), kind=kind)
    other = Base("other", "1", "", "", WEIGHTS, replace(plan, architecture=network), {})
    with pytest.raises(InputError, match=why):
        plan_on(partial(plan_classification, "classification", data), other, {"of_folds": "2"})


@slow
def test_the_command_line_starts_from_a_bundle_and_merges_adapters(
    made, data, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("MEDLOOP_HOME", str(tmp_path / "home"))
    tuning = ["--set", "adapt=lora", "--set", "rank=2"]
    quick = [f"--set={k}={v}" for k, v in QUICK.items() if k != "kind"]
    ours, merged = tmp_path / "ours", tmp_path / "merged"
    made_on = str(made.folder)
    line = ["train", "classification", "--data", str(data), "-o", str(ours), "--from", made_on]
    assert cli.main([*line, *tuning, *quick]) == 0
    assert f"SHA-256 {made.sha256[:12]}" in capsys.readouterr().err
    adapter = str(ours / ADAPTER)
    assert cli.main(["models", "merge", adapter, "-o", str(merged)]) == 3
    assert "name the bundle with --base" in capsys.readouterr().err
    assert cli.main(["models", "install", made_on]) == 0
    assert cli.main(["models", "merge", adapter, "-o", str(merged)]) == 0
    assert load_bundle(merged).sha256 == load_bundle(ours).sha256
    assert cli.main(["models", "merge", adapter, "-o", str(merged), "--base", made_on]) == 2
