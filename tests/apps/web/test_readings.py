"""Readings over HTTP: begun, corrected, drawn, handed in; no page writes over another."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import nibabel as nib
import numpy as np
import pytest

from medloop.annotation.masks import decode, encode
from medloop.apps.site import ReadingSettings
from medloop.apps.web import images, readings
from medloop.apps.web.context import make_context
from medloop.files.nifti import decode_nifti
from medloop.imaging.viewing import to_viewing, viewing_grid
from medloop.store.reading import ReadingState
from medloop.store.users import Role
from medloop.store.verify import verify
from tests.apps.web.jobs_done import a_ct, a_photograph
from tests.apps.web.nodes import NoInlet, node_of
from tests.apps.web.test_images import BALL, a_volume

NODULE = {"scheme": "SCT", "value": "27925004", "meaning": "Nodule"}


@pytest.fixture
def volume():
    return a_volume()


@pytest.fixture
def job(store, tmp_path, clock, volume):
    return a_ct(store, tmp_path / "ct", volume, [(BALL, 12.0)], now=clock()).id


@pytest.fixture
def picture(store, tmp_path, clock):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 256, (40, 60, 3), np.uint8)
    return a_photograph(store, tmp_path / "eye", array, now=clock()).id


@pytest.fixture
def web(context, clock):
    return node_of(context, clock, (images.router, readings.router))


@pytest.fixture
def reader(web):
    return web.program(Role.ANNOTATOR)


def begin(client, job, purpose="read"):
    answer = client.post(f"/api/jobs/{job}/reading", json={"purpose": purpose})
    assert answer.status_code == 200, answer.text
    return answer.json()


def edit(client, reading, action, target="", after=None, *, code=200, **more):
    wanted = {"expected": reading["number"], "action": action, "target": target, "after": after}
    wanted |= {"seconds": 2.5, "clicks": 3} | more
    answer = client.post(f"/api/readings/{reading['id']}/edits", json=wanted)
    assert answer.status_code == code, answer.text
    return answer.json()


def draw(client, reading, data, *, code=200, **query):
    query = {"expected": reading["number"], "seconds": 4, "clicks": 9} | query
    answer = client.put(f"/api/readings/{reading['id']}/mask", params=query, content=data)
    assert answer.status_code == code, answer.text
    return answer.json()


def drawn(client, reading, **query):
    answer = client.get(f"/api/readings/{reading['id']}/mask.nii.gz", params=query)
    assert answer.status_code == 200
    return answer.content


def test_a_reading_begins_with_what_the_analysis_proposed(reader, job):
    reading = begin(reader, job)
    assert begin(reader, job)["id"] == reading["id"]
    (finding,) = reading["findings"]
    assert (finding["key"], finding["state"], finding["concept"]) == ("1", "proposed", NODULE)
    assert finding["measurements"][0]["unit"] == "mm"
    assert finding["center_lps_mm"] == list(BALL)
    assert reading["segments"][0] | {"category": 0, "concept": 0, "site": 0} == {
        "number": 1,
        "name": "nodule 1",
        "label": "nodule 1",
        "color": "#e69f00",
        "category": 0,
        "concept": 0,
        "site": 0,
    }
    assert (reading["state"], reading["number"], reading["mask"]["sha256"]) == ("open", 0, None)
    assert (reading["assessments"], reading["versions"]) == ({"Lung-RADS": "4A"}, [])


def test_findings_are_named_in_the_readers_language(reader, job):
    reading = begin(reader, job)
    told = {
        lang: reader.get(f"/api/readings/{reading['id']}?lang={lang}").json()
        for lang in ("en", "zh")
    }
    labels = {lang: each["findings"][0]["label"] for lang, each in told.items()}
    assert labels["en"].startswith("Nodule")
    assert "结节" in labels["zh"]


def test_each_change_is_kept_with_who_made_it_and_what_it_took(reader, job, store):
    reading = begin(reader, job)
    reading = edit(reader, reading, "change", "1", {"center_lps_mm": [-18.0, 6.0, 30.0]})
    assert reading["findings"][0]["state"] == "changed"
    assert reading["findings"][0]["before"]["center_lps_mm"] == list(BALL)
    reading = edit(reader, reading, "assess", "Lung-RADS", "3")
    reading = edit(reader, reading, "conclude", "", "结论：稳定。\n复查")
    assert (reading["number"], reading["seconds"], reading["clicks"]) == (3, 7.5, 9)
    assert (reading["conclusion"], reading["assessments"]) == (
        "结论：稳定。\n复查",
        {"Lung-RADS": "3"},
    )
    assert reading["proposed"] == {"Lung-RADS": "4A"}
    kept = reader.get(f"/api/readings/{reading['id']}/edits").json()["edits"]
    assert [(each["number"], each["action"]) for each in kept] == [
        (1, "change"),
        (2, "assess"),
        (3, "conclude"),
    ]
    assert (kept[1]["before"], kept[1]["after"]) == ("4A", "3")
    deeds = [each for each in store.audit.entries() if each.action == "corrected"]
    assert [deed.details["what"] for deed in deeds] == [
        "change 1",
        "assess Lung-RADS",
        "conclude",
    ]
    assert {(deed.actor, deed.subject) for deed in deeds} == {("a-annotator", "2.25.817")}
    assert store.results.get(job).record["assessments"] == {"Lung-RADS": "4A"}


def test_looking_and_beginning_stand_in_the_audit_log(reader, job, store):
    reading = begin(reader, job)
    begin(reader, job)
    reader.get(f"/api/readings/{reading['id']}")
    actions = [each.action for each in store.audit.entries() if each.actor == "a-annotator"]
    assert (actions.count("began reading"), actions.count("looked")) == (1, 1)


def test_a_page_that_is_behind_is_told_so(reader, job):
    reading = begin(reader, job)
    edit(reader, reading, "accept", "1")
    said = edit(reader, reading, "reject", "1", code=409)
    assert "is at edit 1 by now" in said["error"]
    draw(reader, reading, b"", code=409)


def test_of_two_pages_at_once_one_wins(reader, job, store):
    reading = begin(reader, job)
    wanted = {"expected": 0, "action": "accept", "target": "1"}

    def press(_):
        return reader.post(f"/api/readings/{reading['id']}/edits", json=wanted).status_code

    with ThreadPoolExecutor(4) as pages:
        codes = sorted(pages.map(press, range(4)))
    assert codes == [200, 409, 409, 409]
    assert store.readings.get(reading["id"]).number == 1


@pytest.mark.parametrize(
    ("action", "target", "after", "said"),
    [
        ("accept", "9", None, "there is no finding 9"),
        ("accept", "x", None, "no finding's key"),
        ("reject", "1", {"a": 1}, "leave `after` out"),
        ("change", "1", None, "object with the finding's fields"),
        ("change", "1", {"size": 3}, "no field 'size'"),
        ("change", "1", {"concept": "nodule"}, "concept is a code"),
        ("change", "1", {"concept": NODULE | {"meaning": ""}}, "1 to 64 characters"),
        ("change", "1", {"concept": NODULE | {"meaning": "a\\b"}}, "DICOM does not take"),
        ("change", "1", {"center_lps_mm": [500, 0, 0]}, "outside of the volume"),
        ("change", "1", {"center_lps_mm": [0, 0]}, "[x, y, z] in mm"),
        ("change", "1", {"center_px": [1, 1]}, "a volume has no center_px"),
        ("change", "1", {"probability": 1.5}, "from 0 to 1"),
        ("change", "1", {"segment": 0}, "whole number from 1"),
        ("change", "1", {"box": {"low": [0, 0, 20], "high": [-9, 0, 20]}}, "low is above high"),
        (
            "change",
            "1",
            {"box": {"low": [-20, 0, 20], "high": [-9, 0, 999]}},
            "reaches outside",
        ),
        (
            "change",
            "1",
            {"measurements": [{"concept": NODULE, "value": 1, "unit": "inch"}]},
            "no unit",
        ),
        (
            "change",
            "1",
            {"measurements": [{"name": "Diameter", "value": 1, "unit": "cm"}]},
            "in mm, not",
        ),
        (
            "change",
            "1",
            {"measurements": [{"name": "Diameter", "value": -1, "unit": "mm"}]},
            "below 0",
        ),
        ("change", "1", {"comment": "x" * 401}, "at most 400"),
        ("add", "", {"site": None}, "needs its concept"),
        ("add", "a7", {"concept": NODULE}, "next added finding is a1"),
        ("remove", "1", None, "reject it"),
        ("conclude", "", "x" * 20_001, "at most 20000"),
        ("conclude", "", 3, "a conclusion is text"),
        ("assess", "Lung-RADS", "9", "Lung-RADS is one of"),
        ("assess", "mood", "good", "there is no assessment 'mood'"),
        ("mask", "", {"sha256": "ab" * 32}, "has had no such mask"),
        ("mask", "", None, "a mask is sent by PUT"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(reader, job, action, target, after, said):
    reading = begin(reader, job)
    answer = edit(reader, reading, action, target, after, code=422)
    assert said in answer["error"]
    assert "\n" not in answer["error"]
    assert reader.get(f"/api/readings/{reading['id']}").json()["number"] == 0


def test_all_that_is_wrong_is_said_at_once(reader, job):
    reading = begin(reader, job)
    wrong = {"probability": 2, "segment": "a", "center_lps_mm": [1e6, 0, 0]}
    said = edit(reader, reading, "change", "1", wrong, code=422)["error"]
    assert said.count(";") == 2


def test_an_added_finding_gets_its_key_and_measurements_their_codes(reader, job):
    reading = begin(reader, job)
    sizes = [{"name": "Diameter", "value": 6.5, "unit": "mm"}]
    place = {"center_lps_mm": [0.0, 0.0, 20.0], "comment": "spiculated"}
    fields = {"concept": NODULE, "measurements": sizes, **place}
    reading = edit(reader, reading, "add", "", fields)
    added = reading["findings"][1]
    assert (added["key"], added["state"], added["comment"]) == ("a1", "added", "spiculated")
    assert added["measurements"][0]["concept"]["value"] == "81827009"
    reading = edit(reader, reading, "remove", "a1")
    assert (len(reading["findings"]), reading["removed"]) == (1, ["a1"])
    assert len(edit(reader, reading, "restore", "a1")["findings"]) == 2


def test_the_models_mask_lies_on_the_voxels_of_the_volume(reader, job, volume):
    reading = begin(reader, job)
    image, _ = decode_nifti(drawn(reader, reading))
    shown = viewing_grid(volume.grid)
    assert image.array.shape == shown.shape
    assert np.allclose(image.grid.affine, shown.affine, atol=1e-4)
    ball = np.argwhere(image.array == 1).mean(axis=0)
    assert np.allclose(shown.to_world(ball), BALL, atol=2.5)


def test_a_mask_comes_back_voxel_by_voxel_and_never_over_another(reader, job, volume, store):
    reading = begin(reader, job)
    model = drawn(reader, reading)
    labels = np.zeros(volume.grid.shape, np.uint8)
    labels[2, 3, 4] = labels[0, -1, 5] = 1
    first = draw(reader, reading, encode(labels, volume.grid))
    assert (decode(drawn(reader, first), volume.grid, (1,)) == labels).all()
    assert drawn(reader, first, of="model") == model
    labels[1, 1, 1] = 1
    plain = gzip.decompress(encode(labels, volume.grid))
    second = draw(reader, first, plain)
    assert (decode(drawn(reader, second), volume.grid, (1,)) == labels).all()
    shas = [each["mask"]["sha256"] for each in (first, second)]
    assert all(store.archive.checked(each).is_file() for each in shas)
    assert list(verify(store)) == []
    back = edit(reader, second, "mask", "", {"sha256": shas[0]})
    assert back["mask"]["sha256"] == shas[0]
    none = edit(reader, back, "mask", "", {"sha256": None})
    assert drawn(reader, none) == model


def test_saving_the_same_mask_twice_is_one_edit(reader, job, volume):
    reading = begin(reader, job)
    data = encode(np.zeros(volume.grid.shape, np.uint8), volume.grid)
    first = draw(reader, reading, data)
    assert draw(reader, first, data)["number"] == first["number"] == 1


def test_a_new_segment_is_named_with_the_mask_that_has_it(reader, job, volume):
    reading = begin(reader, job)
    labels = np.full(volume.grid.shape, 5, np.uint8)
    data = encode(labels, volume.grid)
    said = draw(reader, reading, data, code=422)["error"]
    assert "holds label 5; there are 1" in said
    named = [{"number": 5, "name": "磨玻璃", "color": "#00ff00"}]
    reading = draw(reader, reading, data, segments=json.dumps(named))
    added = reading["segments"][-1]
    assert (added["number"], added["name"], added["color"]) == (5, "磨玻璃", "#00ff00")
    assert added["concept"] == NODULE


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ("[", "no JSON"),
        ("{}", "is a list"),
        ("[3]", "object with number, name and color"),
        ('[{"number": 5, "name": "x", "color": "green"}]', "#rrggbb"),
        ('[{"number": -1, "name": "x", "color": "#000000"}]', "whole number"),
        ('[{"number": 5, "name": "", "color": "#000000"}]', "name of a segment"),
    ],
)
def test_segments_that_make_no_sense_are_refused(reader, job, volume, segments, said):
    reading = begin(reader, job)
    data = encode(np.zeros(volume.grid.shape, np.uint8), volume.grid)
    assert said in draw(reader, reading, data, code=422, segments=segments)["error"]


def test_a_mask_of_another_image_is_refused_in_one_line(reader, job, volume):
    reading = begin(reader, job)
    moved = replace(volume.grid, affine=volume.grid.affine + np.eye(4)[:, [3, 3, 3, 3]] * 0)
    moved.affine[0, 3] += 3
    data = encode(np.zeros(volume.grid.shape, np.uint8), moved)
    assert "position differs" in draw(reader, reading, data, code=422)["error"]
    assert "truncated" in draw(reader, reading, b"", code=422)["error"]


def test_a_mask_that_nibabel_writes_is_understood(reader, job, volume, tmp_path):
    reading = begin(reader, job)
    (tmp_path / "volume.nii").write_bytes(reader.get(f"/api/jobs/{job}/volume.nii").content)
    image = nib.load(tmp_path / "volume.nii")
    labels = np.zeros(image.shape, np.uint8)
    labels[7, 8, 2] = 1
    nib.save(nib.Nifti1Image(labels, image.affine), tmp_path / "mask.nii.gz")
    reading = draw(reader, reading, (tmp_path / "mask.nii.gz").read_bytes())
    kept = decode(drawn(reader, reading), volume.grid, (1,))
    assert np.argwhere(to_viewing(kept, volume.grid)).tolist() == [[2, 8, 7]]


def test_the_mask_of_a_picture_is_a_png(reader, picture):
    reading = begin(reader, picture)
    assert reading["mask"]["kind"] == "png"
    place = {"concept": NODULE, "center_px": [3.5, 39.4], "segment": 4}
    reading = edit(reader, reading, "add", "", place)
    labels = np.zeros((40, 60), np.uint8)
    labels[39, 3:5] = 4
    reading = draw(reader, reading, cv2.imencode(".png", labels)[1].tobytes())
    kept = cv2.imdecode(np.frombuffer(drawn(reader, reading), np.uint8), cv2.IMREAD_UNCHANGED)
    assert (kept == labels).all()
    said = edit(reader, reading, "change", "a1", {"center_px": [3.5, 40.1]}, code=422)
    assert "outside of the picture" in said["error"]


def test_a_reading_that_was_handed_in_stays_as_it_is(reader, job, store):
    reading = edit(reader, begin(reader, job), "accept", "1")
    done = reader.post(f"/api/readings/{reading['id']}/done").json()
    assert (done["state"], done["may_edit"]) == ("done", False)
    assert "handed in" in edit(reader, done, "reject", "1", code=409)["error"]
    assert store.readings.get(reading["id"]).state is ReadingState.DONE
    assert reader.post(f"/api/readings/{reading['id']}/done").status_code == 200


def test_nobody_changes_the_reading_of_somebody_else(web, reader, job):
    reading = begin(reader, job)
    other = web.program(Role.ADMINISTRATOR)
    edit(other, reading, "accept", "1", code=403)
    draw(other, reading, b"", code=403)
    assert other.post(f"/api/readings/{reading['id']}/done").status_code == 403


def test_who_may_not_correct_begins_no_reading(web, job):
    answer = web.program(Role.VIEWER).post(f"/api/jobs/{job}/reading", json={})
    assert answer.status_code == 403


def test_what_is_not_there_is_not_found(reader):
    assert reader.post("/api/jobs/99/reading", json={}).status_code == 404
    for path in ("/api/readings/99", "/api/readings/99/mask.nii.gz", "/api/readings/99/edits"):
        assert reader.get(path).status_code == 404
    assert reader.get("/api/readings/99999999999").status_code == 422


@pytest.fixture
def apart(store, site, clock):
    """A node where two read each result apart."""
    settings = replace(site, reading=ReadingSettings(readers=2))
    context = make_context(store, settings, NoInlet(), now=clock)
    return node_of(context, clock, (images.router, readings.router))


def test_readers_see_each_others_readings_only_once_all_are_in(apart, job, store):
    one, other = apart.program(Role.ANNOTATOR), apart.program(Role.READER)
    third = apart.program(Role.ADMINISTRATOR)
    mine, theirs = begin(one, job), begin(other, job)
    for path in ("", "/edits", "/mask.nii.gz"):
        assert other.get(f"/api/readings/{mine['id']}{path}").status_code == 403
    one.post(f"/api/readings/{mine['id']}/done")
    assert other.get(f"/api/readings/{mine['id']}").status_code == 403
    assert (
        third.post(f"/api/jobs/{job}/reading", json={"purpose": "adjudicate"}).status_code
        == 403
    )
    other.post(f"/api/readings/{theirs['id']}/done")
    assert other.get(f"/api/readings/{mine['id']}").status_code == 200
    assert begin(third, job, "adjudicate")["purpose"] == "adjudicate"
    assert third.post(f"/api/jobs/{job}/reading", json={}).status_code == 403
    refused = [each for each in store.audit.entries() if "was refused" in each.action]
    assert refused


def test_of_sizes_that_follow_from_each_other_those_stay_that_were_typed(reader, job):
    def size(code, meaning, value):
        scheme = "SCT" if code.isdecimal() else "99MEDLOOP"
        concept = {"scheme": scheme, "value": code, "meaning": meaning}
        return {"concept": concept, "value": value, "unit": "mm"}

    def told(reading):
        (finding,) = reading["findings"]
        return {each["concept"]["value"]: each["value"] for each in finding["measurements"]}

    long_mm, short_mm = "103339001", "103340004"
    reading = begin(reader, job)
    axes = [size(long_mm, "Long axis", 9.0), size(short_mm, "Short axis", 8.1)]
    reading = edit(reader, reading, "change", "1", {"measurements": axes})
    assert told(reading) == {long_mm: 9.0, short_mm: 8.1, "LUNG-MEAN-MM": 8.6}
    mean = size("LUNG-MEAN-MM", "Mean of long and short axis", 5.0)
    reading = edit(reader, reading, "change", "1", {"measurements": [*axes, mean]})
    assert told(reading) == {"LUNG-MEAN-MM": 5.0}
    wrong = {"measurements": [size(long_mm, "Long axis", 3.0), mean | {"value": 4.0}]}
    refused = edit(reader, reading, "change", "1", wrong, code=422)
    assert "longer than the long axis" in refused["error"]


def test_a_mask_larger_than_its_image_is_refused_in_one_line_and_not_kept(
    reader, job, store, volume
):
    reading = begin(reader, job)
    most = volume.grid.shape[0] * volume.grid.shape[1] * volume.grid.shape[2] * 4 + (1 << 20)
    said = f"a mask of this image has at most {most / 1e6:.1f} MB"
    assert draw(reader, reading, bytes(most + 1), code=413)["error"] == said

    def pieces():  # a body that does not say how long it is
        for _ in range(0, most + 1, 1 << 16):
            yield bytes(1 << 16)

    assert draw(reader, reading, pieces(), code=413)["error"] == said
    draw(reader, reading, bytes(most), code=422)
    left = store.root / "uploads"
    assert not list(left.iterdir())
    assert store.readings.get(reading["id"]).number == 0


def test_a_mask_that_nobody_packed_is_taken(reader, job, volume):
    reading = begin(reader, job)
    labels = np.zeros(volume.grid.shape, np.uint16)
    labels[0, :3, :3] = 1
    plain = gzip.decompress(encode(labels.astype(np.uint8), volume.grid))
    assert draw(reader, reading, plain)["mask"]["sha256"]
