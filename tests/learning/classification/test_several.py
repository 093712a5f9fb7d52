"""Several networks for each part of a training, which answer by their mean."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("monai", reason="MONAI is not installed")

import torch

from medloop.core.errors import SettingError
from medloop.learning.classification.opening import open_classification
from medloop.learning.export import LogMean, SegmentationEnsemble
from medloop.learning.order import Order, loaded, members_of
from medloop.learning.recipes import Tuning
from medloop.learning.start import Start
from medloop.learning.train import train
from medloop.models.bundle import load_bundle
from tests.learning.classification.pictures import some_pictures
from tests.learning.classification.test_training import planned_for

pytestmark = [pytest.mark.train, pytest.mark.slow]


@pytest.fixture(scope="module")
def order(tmp_path_factory):
    data = some_pictures(tmp_path_factory.mktemp("data") / "drawn.npz")
    planned = planned_for(data, networks="2", epochs="2")
    out = tmp_path_factory.mktemp("made") / "bundle"
    return Order(planned.recipe, data, out, planned=planned)


@pytest.fixture(scope="module")
def made(order):
    heard = []
    out = train(order, report=heard.append)
    assert [each.part for each in heard[::2]] == ["fold0", "fold0-1", "final", "final-1"]
    assert [each.waiting for each in heard[::2]] == [3, 2, 1, 0]
    return out


def test_each_network_has_a_seed_of_its_own(order, made, tmp_path):
    assert members_of(order, "fold0") == ("fold0", "fold0-1")
    first, second = loaded(order, open_classification(order.planned, tmp_path), "fold0")
    weights = [next(network.parameters()) for network in (first, second)]
    assert not torch.equal(*weights)


def test_held_out_cases_are_answered_by_the_mean(order, made, tmp_path):
    task = open_classification(order.planned, tmp_path)
    told = json.loads((made / "folds/fold0.json").read_text())
    chosen = np.array([task.names.index(name) for name in told["name"]])
    each = [task.predict(network, chosen)["logits"] for network in loaded(order, task, "fold0")]
    np.testing.assert_allclose(told["logits"], np.mean(each, axis=0), atol=2e-4)
    assert np.abs(np.subtract(*each)).max() > 0.01


def test_the_card_counts_the_networks_that_the_bundle_holds(made):
    training = load_bundle(made).card["training"]
    assert training["networks"] == training["recipe"]["networks"] == 2


def test_a_run_that_lost_one_of_them_ends_in_the_same_weights(order, made):
    before = {name: (made / name).read_bytes() for name in ("weights.onnx", "folds/fold0.json")}
    for name in ("work/fold0-1.pt", "folds/fold0.json", "work/final-1.pt", "weights.onnx"):
        (made / name).unlink()
    heard = []
    train(replace(order, resume=True), report=heard.append)
    assert {each.part for each in heard} == {"fold0-1", "final-1"}
    for name, content in before.items():
        assert (made / name).read_bytes() == content


def test_adapters_are_of_one_network(order, tmp_path):
    start = Start(tuning=Tuning(adapt="lora"))
    with pytest.raises(SettingError, match="networks=2: adapters are of one network"):
        train(replace(order, out=tmp_path / "lora", start=start))


def test_the_logarithm_of_mean_probabilities_is_logits_of_them():
    torch.manual_seed(0)
    members = [torch.nn.Conv2d(1, 3, 1) for _ in range(2)]
    image = 9 * torch.randn(2, 1, 4, 5)
    torch.testing.assert_close(
        torch.softmax(LogMean(members)(image), dim=1), SegmentationEnsemble(members)(image)
    )
