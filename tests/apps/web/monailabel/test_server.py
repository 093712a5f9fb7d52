"""What plugins of MONAI Label ask a node, one recorded request after the other."""

import json
import tempfile
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from medloop.annotation.blinding import Purpose
from medloop.annotation.masks import decode
from medloop.apps.site import ReadingSettings
from medloop.apps.web.context import make_context
from medloop.core.image import Volume
from medloop.files.nifti import decode_nifti
from medloop.imaging.viewing import from_viewing, to_viewing_index
from medloop.store.users import Role
from tests.apps.web.jobs_done import a_ball, a_ct
from tests.apps.web.monailabel.requests import BASE, form, infer, nifti, parts_of, save
from tests.apps.web.nodes import AWAY, NoInlet, node_of

NAMED = {"nodule 1": 1, "nodule 2": 2}


def the_model(store, job):
    folder = store.results_folder / store.results.get(job.id).folder
    return decode_nifti((folder / "labels.nii.gz").read_bytes())[0]


def test_what_there_is_to_label_is_told(plugin, job):
    told = plugin("li").get(f"{BASE}/info/").json()
    assert told["models"]["lung"]["labels"] == NAMED
    assert told["models"]["lung"]["type"] == "segmentation"
    assert told["labels"] == list(NAMED)
    assert {"first", "random"} <= set(told["strategies"])
    assert told["datastore"] == {
        "total": 1,
        "completed": 0,
        "label_tags": {"original": 1},
    }
    assert "config" not in told  # 3D Slicer takes it for an old server
    assert told["trainers"] == {}


def test_images_are_listed_with_their_labels(plugin, job):
    told = plugin("li").get(f"{BASE}/datastore/?output=all").json()
    assert list(told["objects"]) == [str(job.id)]
    labels = told["objects"][str(job.id)]["labels"]
    assert labels["original"]["info"]["params"]["label_names"] == NAMED
    assert "final" not in labels


@pytest.mark.parametrize("strategy", ["first", "random", "uncertainty", "diversity"])
def test_the_next_image_is_what_one_has_not_labeled(plugin, job, strategy, volume, store):
    li, wang = plugin("li"), plugin("wang")
    asked = {"client_id": "slicer"}
    told = li.post(f"{BASE}/activelearning/{strategy}", json=asked).json()
    assert told["id"].startswith(f"{job.id}~")
    assert told["SeriesInstanceUID"] == "2.25.817.1"
    assert told["Modality"] == "CT"
    saved = save(li, told["id"], "a.nii.gz", nifti(the_model(store, job).array, volume.grid))
    assert saved.status_code == 200
    assert li.post(f"{BASE}/activelearning/{strategy}", json=asked).json() == {}
    assert wang.post(f"{BASE}/activelearning/{strategy}").json()["id"]
    assert plugin("li").get(f"{BASE}/info/").json()["datastore"]["completed"] == 1


def test_the_volume_that_is_downloaded_and_its_labels_lie_in_one_place(
    plugin, job, volume, store, tmp_path
):
    client = plugin("li")
    answer = client.get(f"{BASE}/datastore/image", params={"image": job.id})
    (tmp_path / "a.nii").write_bytes(answer.content)
    image = nib.load(tmp_path / "a.nii")
    label = client.get(f"{BASE}/datastore/label?label={job.id}&tag=original")
    assert 'filename="labels.nii.gz"' in label.headers["content-disposition"]
    (tmp_path / "b.nii.gz").write_bytes(label.content)
    mask = nib.load(tmp_path / "b.nii.gz")
    assert mask.shape == image.shape
    np.testing.assert_allclose(mask.affine, image.affine, atol=1e-4)
    seen = np.asarray(mask.dataobj).astype(np.uint8).transpose(2, 1, 0)
    expected = the_model(store, job).array
    np.testing.assert_array_equal(from_viewing(seen, volume.grid), expected)


def test_a_ticket_opens_one_image_for_whoever_says_nothing(node, plugin, job, clock):
    ticket = plugin("li").post(f"{BASE}/activelearning/first").json()["id"]
    slicer = node.client(at=AWAY)
    where = f"{BASE}/datastore/image"
    assert slicer.get(where, params={"image": ticket}).status_code == 200
    assert slicer.head(where, params={"image": ticket}).status_code == 200
    assert slicer.get(where, params={"image": job.id}).status_code == 401
    assert slicer.get(where, params={"image": f"{job.id}~{'0' * 32}"}).status_code == 401
    other = f"{job.id + 1}~{ticket.partition('~')[2]}"
    assert slicer.get(where, params={"image": other}).status_code == 401
    assert slicer.get(f"{BASE}/datastore/label?label={ticket}&tag=original").status_code == 401
    clock.passes(minutes=61)
    assert slicer.get(where, params={"image": ticket}).status_code == 401
    looked = [each.actor for each in node.context.store.audit.entries()]
    assert "li" in looked


def test_a_ticket_of_somebody_who_was_let_out_opens_nothing(node, plugin, job, clock):
    ticket = plugin("li").post(f"{BASE}/activelearning/first").json()["id"]
    slicer, asked = node.client(at=AWAY), {"params": {"image": ticket}}
    assert slicer.get(f"{BASE}/datastore/image", **asked).status_code == 200
    users = node.context.users
    users.change(users.get("li"), now=clock(), is_disabled=True)
    assert slicer.get(f"{BASE}/datastore/image", **asked).status_code == 401


def test_a_model_answers_with_its_labels_in_a_form(plugin, job, volume, store, tmp_path):
    answer = infer(plugin("li"), "lung", job.id)
    parts = parts_of(answer)
    assert json.loads(parts["params"])["label_names"] == NAMED
    drawn = decode(parts["labels.nii.gz"], volume.grid, (1, 2))
    np.testing.assert_array_equal(drawn, the_model(store, job).array)


def test_slicer_and_ohif_get_nrrd_on_the_voxels_as_they_came(plugin, job, store):
    client = plugin("li")
    packed = parts_of(infer(client, "lung", job.id, result_extension=".nrrd"))
    assert packed["labels.nrrd"].startswith(b"NRRD0004\ntype: uint8")
    params = {"result_extension": ".nrrd", "result_compress": False}
    body, headers = form({"params": json.dumps(params)}, {})
    where = f"{BASE}/infer/lung?image=2.25.817.1&output=image"
    answer = client.post(where, content=body, headers=headers)
    expected = the_model(store, job).array.astype(np.uint8)
    assert answer.content.partition(b"\n\n")[2] == expected.tobytes()


@pytest.fixture
def seen_job(store, tmp_path, clock, volume):
    """A CT on which a ball is to be seen, not only labeled."""
    center, diameter = (14.0, -9.0, 35.0), 16.0
    array = volume.array.copy()
    array[a_ball(volume.grid, center, diameter)] = 60
    return a_ct(
        store,
        tmp_path / "seen",
        Volume(array, volume.grid, "HU"),
        [(center, diameter)],
        now=clock(),
        study=("2.25.818", "20260312"),
    )


@pytest.mark.parametrize("by", ["job", "series"])
def test_a_click_draws_an_object_where_it_was_put(plugin, seen_job, volume, store, by):
    truth = the_model(store, seen_job).array > 0
    k, j, i = np.argwhere(truth).mean(0).round().astype(int)
    x, y, z = to_viewing_index(np.array([k, j, i]), volume.grid).tolist()
    place, image = ([x, y, z], seen_job.id) if by == "job" else ([i, j, k], "2.25.818.1")
    sent = {"label": "my lesion", "foreground": [[int(n) for n in place]], "background": []}
    parts = parts_of(infer(plugin("li"), "clicks", image, **sent))
    assert json.loads(parts["params"])["label_names"] == {"my lesion": 1}
    drawn = decode(parts["labels.nii.gz"], volume.grid, (1,)) > 0
    assert 2 * (drawn & truth).sum() / (drawn.sum() + truth.sum()) > 0.8


@pytest.mark.parametrize("places", [[], "here", [[1, 2]], [[900, 0, 0]], [[-1, 0, 0]]])
def test_clicks_that_are_no_voxels_are_refused(plugin, job, places):
    for image in (job.id, "2.25.817.1"):
        answer = infer(plugin("li"), "clicks", image, foreground=places)
        assert answer.status_code == 422


@pytest.mark.parametrize("image", ["{job}", "2.25.817", "2.25.817.1"])
def test_an_image_is_named_by_job_study_or_series(plugin, job, image):
    answer = plugin("li").get(
        f"{BASE}/datastore/image/info", params={"image": image.format(job=job.id)}
    )
    assert answer.json()["StudyInstanceUID"] == "2.25.817"


def test_a_label_that_is_saved_is_an_edit_in_ones_own_reading(
    plugin, job, volume, store, tmp_path
):
    drawn = np.zeros(volume.grid.shape, np.uint8)
    drawn[3, 4, 5] = 2
    told = save(plugin("li"), job.id, "a.nii.gz", nifti(drawn, volume.grid)).json()
    assert told["label"] == str(job.id)
    (reading,) = store.readings.of_job(job.id)
    assert (reading.id, reading.reader, reading.purpose) == (
        told["reading"],
        "li",
        Purpose.READ,
    )
    (edit,) = store.readings.edits(reading.id)
    assert edit.action == "mask"
    kept = decode(store.archive.read(edit.after["sha256"]), volume.grid, (1, 2))
    np.testing.assert_array_equal(kept, drawn)
    again = plugin("li").get(f"{BASE}/datastore/label?label={job.id}&tag=final")
    np.testing.assert_array_equal(decode(again.content, volume.grid, (1, 2)), drawn)
    np.testing.assert_array_equal(  # what the analysis said is as it was
        the_model(store, job).array[3, 4, 5], 0
    )


def test_a_label_that_comes_in_lies_where_the_node_keeps_its_data(
    plugin, job, volume, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")  # which others may read, or is memory
    sent = nifti(np.ones(volume.grid.shape, np.uint8), volume.grid)
    assert save(plugin("li"), job.id, "a.nii.gz", sent).status_code == 200


def test_labels_are_numbered_by_their_names(plugin, job, volume, store):
    drawn = np.zeros(volume.grid.shape, np.uint8)
    drawn[1, 1, 1], drawn[2, 2, 2] = 1, 2
    info = [{"name": "nodule 2", "idx": 1}, {"name": "nodule 1", "idx": 2}]
    save(plugin("li"), job.id, "a.nii.gz", nifti(drawn, volume.grid), info)
    kept = plugin("li").get(f"{BASE}/datastore/label?label={job.id}&tag=final").content
    labels = decode(kept, volume.grid, (1, 2))
    assert (labels[1, 1, 1], labels[2, 2, 2]) == (2, 1)


def test_ohif_saves_bytes_in_the_order_of_the_series(plugin, job, volume):
    drawn = np.zeros(volume.grid.shape, np.uint8)
    drawn[7, 8, 9] = 1
    client = plugin("li")
    assert save(client, "2.25.817.1", "label.bin", drawn.tobytes()).status_code == 200
    kept = client.get(f"{BASE}/datastore/label?label={job.id}&tag=final").content
    np.testing.assert_array_equal(decode(kept, volume.grid, (1, 2)), drawn)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.nii.gz", b"nothing", "NIfTI"),
        ("a.nrrd", b"NRRD0004", ".nii.gz"),
        ("a.bin", b"12", "2 bytes"),
    ],
)
def test_what_is_no_label_is_refused_in_one_line(plugin, job, name, data, said):
    answer = save(plugin("li"), job.id, name, data)
    assert answer.status_code == 422
    assert said in answer.json()["error"]


def test_a_label_of_a_name_that_the_result_does_not_have_is_refused(plugin, job, volume):
    sent = nifti(np.full(volume.grid.shape, 2, np.uint8), volume.grid)
    answer = save(plugin("li"), job.id, "a.nii.gz", sent, [{"name": "liver", "idx": 2}])
    assert answer.status_code == 422
    assert "label liver" in answer.json()["error"]


def test_readers_who_are_apart_do_not_see_each_others_labels(plugin, job, volume):
    drawn = np.ones(volume.grid.shape, np.uint8)
    save(plugin("li"), job.id, "a.nii.gz", nifti(drawn, volume.grid))
    answer = plugin("wang").get(f"{BASE}/datastore/label?label={job.id}&tag=final")
    assert answer.status_code == 404
    told = plugin("wang").get(f"{BASE}/datastore/?output=all").json()
    assert list(told["objects"][str(job.id)]["labels"]) == ["original"]


@pytest.fixture
def apart(store, site, clock):
    """A node where two read each result apart; a function gives a program of its user."""
    settings = replace(site, reading=ReadingSettings(readers=2))
    node = node_of(make_context(store, settings, NoInlet(), now=clock), clock)

    def made(name):
        users, tokens = node.context.users, node.context.tokens
        user = users.find(name) or users.add(name, Role.ANNOTATOR, now=clock())
        _, secret = tokens.issue(user, "test", now=clock(), lasts=None)
        return node.client(at=AWAY, Authorization=f"Bearer {secret}")

    return made


def decide(store, clock, apart, job, sent):
    """Two hand readings in, and Chen decides with a label map."""
    for name in ("li", "wang"):
        mine = store.readings.open(job.id, name, now=clock())
        store.readings.hand_in(mine.id, now=clock())
    chen = store.readings.open(job.id, "chen", Purpose.ADJUDICATE, now=clock())
    assert save(apart("chen"), job.id, "a.nii.gz", sent).status_code == 200
    store.readings.hand_in(chen.id, now=clock())


def test_who_still_reads_apart_is_not_given_the_adjudicated_labels(
    apart, job, volume, store, clock
):
    zhao, asked = apart("zhao"), f"{BASE}/datastore/label?label={job.id}&tag=final"
    told = zhao.post(f"/api/jobs/{job.id}/reading", json={"purpose": "read"}).json()
    sent = {"expected": 0, "action": "accept", "target": "1"}
    assert zhao.post(f"/api/readings/{told['id']}/edits", json=sent).status_code == 200
    decide(store, clock, apart, job, nifti(np.ones(volume.grid.shape, np.uint8), volume.grid))
    assert zhao.get(asked).status_code == 404
    assert zhao.get(asked.replace("label?", "label/info?")).status_code == 404
    assert apart("li").get(asked).status_code == 200


def test_who_was_given_the_adjudicated_labels_cannot_read_apart(
    apart, job, volume, store, clock
):
    sent = nifti(np.ones(volume.grid.shape, np.uint8), volume.grid)
    decide(store, clock, apart, job, sent)
    zhao = apart("zhao")
    asked = f"{BASE}/datastore/label?label={job.id}&tag=final"
    assert zhao.get(asked).status_code == 200
    assert save(zhao, job.id, "a.nii.gz", sent).status_code == 409
    assert zhao.post(f"/api/jobs/{job.id}/reading", json={}).status_code == 403


def test_a_plugin_that_begins_a_reading_is_noted(plugin, job, volume, store):
    sent = nifti(np.ones(volume.grid.shape, np.uint8), volume.grid)
    assert save(plugin("li"), job.id, "a.nii.gz", sent).status_code == 200
    began = [each for each in store.audit.entries() if each.action == "began reading"]
    assert [each.actor for each in began] == ["li"]


def test_a_reading_that_was_handed_in_is_changed_by_no_plugin(
    plugin, job, volume, store, clock
):
    sent = nifti(np.ones(volume.grid.shape, np.uint8), volume.grid)
    reading = save(plugin("li"), job.id, "a.nii.gz", sent).json()["reading"]
    store.readings.hand_in(reading, now=clock())
    answer = save(plugin("li"), job.id, "a.nii.gz", sent)
    assert answer.status_code == 409
    assert len(store.readings.edits(reading)) == 1


def test_what_the_analysis_labeled_is_never_overwritten(plugin, job, volume):
    sent = nifti(np.ones(volume.grid.shape, np.uint8), volume.grid)
    assert save(plugin("li"), job.id, "a.nii.gz", sent, tag="original").status_code == 409


def test_who_may_only_look_saves_nothing(plugin, job, volume):
    sent = nifti(np.ones(volume.grid.shape, np.uint8), volume.grid)
    assert save(plugin("guest", Role.VIEWER), job.id, "a.nii.gz", sent).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/train/?check_if_running=true", 404, "no training runs"),
        ("POST", "/train/lung", 404, "medloop labels export"),
        ("DELETE", "/train/", 404, "no training runs"),
        ("GET", "/batch/infer", 404, "as it comes in"),
        ("POST", "/batch/infer/lung", 404, "as it comes in"),
        ("PUT", "/session/", 406, "/api/uploads"),
        ("GET", "/session/abc", 404, "/api/uploads"),
        ("PUT", "/datastore/?image=x", 406, "/api/uploads"),
        ("DELETE", "/datastore/label?id=1&tag=final", 405, "nothing is deleted"),
        ("GET", "/logs/", 404, "logs/"),
        ("POST", "/activelearning/nonsense", 404, "first"),
        ("POST", "/infer/liver?image=1", 404, "liver"),
        ("POST", "/infer/lung?image=77", 404, "no such image"),
        ("POST", "/infer/lung?session_id=77", 406, "/api/uploads"),
    ],
)
def test_what_a_node_does_not_do_is_said_in_one_line(plugin, job, method, path, status, said):
    answer = plugin("li").request(method, BASE + path)
    assert answer.status_code == status
    assert said in answer.json()["error"]


def test_no_answer_names_the_patient(plugin, job, store):
    patient = store.catalog.study(job.study).patient
    client = plugin("li")
    for path in ("/info/", "/datastore/?output=all", f"/datastore/image/info?image={job.id}"):
        assert patient.identifier not in client.get(BASE + path).text
    assert patient.identifier not in client.post(f"{BASE}/activelearning/first").text
