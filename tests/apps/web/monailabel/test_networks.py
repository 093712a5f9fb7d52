"""A plugin asks for a bundle's network: it is run on the image, one at a time."""

import json
from dataclasses import replace

import numpy as np
import pytest

from medloop.annotation.masks import decode
from medloop.apps.settings import Settings
from medloop.apps.web.monailabel.networks import Networks
from medloop.core.errors import ServiceError
from medloop.models.bundle import load_bundle
from medloop.models.predict import open_predictor
from medloop.models.segment import segment
from medloop.store.users import Role
from tests.apps.web.monailabel.requests import BASE, infer, parts_of
from tests.clinical.brains import PLAN, a_bundle

# The drawn network tells values near 100, 180 and 20 apart; of air it says posterior.
CT_PLAN = replace(PLAN, channels=("CT",), patch=(8, 16, 16))


@pytest.fixture
def bundle(store):
    return a_bundle(Settings(home=store.root).bundles / "organs", CT_PLAN)


@pytest.fixture
def answered(bundle, volume):
    """What ``medloop predict`` would say of the volume."""
    loaded = load_bundle(bundle)
    predictor = open_predictor(loaded, engine="onnxruntime")
    return segment(predictor, volume.array[None], volume.grid, loaded.segmentation_plan)


def test_a_bundles_network_is_run_on_the_image(plugin, job, bundle, volume, answered):
    answer = infer(plugin("li"), "organs", job.id)
    assert answer.status_code == 200
    parts = parts_of(answer)
    told = json.loads(parts["params"])
    assert told["model"] == "organs"
    assert set(told["label_names"]) <= {"anterior", "posterior"}
    drawn = decode(parts["labels.nii.gz"], volume.grid, (1, 2))
    assert answered.any()
    np.testing.assert_array_equal(drawn, answered)


def test_it_answers_in_nrrd_for_those_who_ask_and_again_without_opening_it(
    plugin, job, bundle, answered
):
    client = plugin("li")
    for _ in range(2):
        parts = parts_of(infer(client, "organs", "2.25.817.1", result_extension=".nrrd"))
        assert parts["labels.nrrd"].startswith(b"NRRD0004\ntype: uint8")


def test_what_was_kept_is_a_model_of_its_own(plugin, job, bundle):
    client = plugin("li")
    told = json.loads(parts_of(infer(client, "kept", job.id))["params"])
    assert told["label_names"] == {"nodule 1": 1, "nodule 2": 2}
    models = client.get(f"{BASE}/info/").json()["models"]
    assert models["kept"]["labels"] == {"nodule 1": 1, "nodule 2": 2}
    assert models["organs"]["labels"] == {"anterior": 1, "posterior": 2}
    assert "lung" in models
    assert "retina_grading" not in models  # it labels no volumes
    sample = client.post(f"{BASE}/activelearning/first", json={"model": "organs"}).json()
    assert sample["id"].startswith(f"{job.id}~")


def test_an_image_of_another_modality_is_refused_in_one_line(plugin, job, store):
    a_bundle(Settings(home=store.root).bundles / "heads")  # reads T1
    answer = infer(plugin("li"), "heads", job.id)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("bundle heads reads MR, the image is CT")


def test_a_bundle_that_labels_no_volumes_is_refused(plugin, job):
    answer = infer(plugin("li"), "retina_grading", job.id)
    assert answer.status_code == 422
    assert "labels no volumes" in answer.json()["error"]


def test_names_are_those_of_bundles_alone_and_no_folders(plugin, job):
    for name in ("..", "src", "%2e%2e", "liver"):
        assert infer(plugin("li"), name, job.id).status_code == 404


def test_who_may_not_correct_runs_no_network_but_is_given_what_is_kept(plugin, job, bundle):
    client = plugin("wang", Role.VIEWER)
    assert infer(client, "organs", job.id).status_code == 403
    assert infer(client, "kept", job.id).status_code == 200


def test_a_damaged_bundle_is_the_nodes_fault(plugin, job, bundle):
    (bundle / "plan.json").write_text("{}")
    answer = infer(plugin("li"), "organs", job.id)
    assert answer.status_code == 503
    assert "organs" in answer.json()["error"]


def test_one_image_at_a_time_and_whoever_waits_too_long_is_told(store, bundle, volume):
    networks = Networks(Settings(home=store.root), patience_s=0.0)
    refused = []

    def read():
        with pytest.raises(Exception, match="busy with another image") as error:
            networks.label("organs", lambda: volume, "CT")
        refused.append(error.value.status_code)
        return volume

    networks.label("organs", read, "CT")
    assert refused == [503]
    assert networks.label("organs", lambda: volume, "CT").array.any()


def test_a_bundle_that_is_gone_is_said(store):
    with pytest.raises(ServiceError, match="nothing_here"):
        Networks(Settings(home=store.root)).plan("nothing_here")
