"""Two readers apart, somebody who decides between them, and how far they agree."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from medloop.annotation.masks import encode
from medloop.apps.site import ReadingSettings
from medloop.apps.web.context import make_context
from medloop.apps.web.reading_access import SAW
from medloop.core.image import Volume
from medloop.store.reading import Purpose, ReadingState
from medloop.store.users import Role
from tests.apps.web.jobs_done import a_ct, a_little_chest, a_photograph
from tests.apps.web.nodes import AWAY, NoInlet, node_of

BALLS = (((-20.0, 5.0, 30.0), 12.0), ((14.0, -9.0, 45.0), 10.0))
NODULE = {"scheme": "SCT", "value": "27925004", "meaning": "Nodule"}
LUNG = {"scheme": "SCT", "value": "39607008", "meaning": "Lung structure"}


@pytest.fixture
def volume() -> Volume:
    return a_little_chest()


@pytest.fixture
def job(store, tmp_path, clock, volume):
    return a_ct(store, tmp_path / "ct", volume, BALLS, now=clock())


@pytest.fixture
def node(store, site, clock):
    apart = replace(site, reading=ReadingSettings(readers=2))
    return node_of(make_context(store, apart, NoInlet(), now=clock), clock)


@pytest.fixture
def person(node, clock):
    def made(name, role=Role.READER):
        users, tokens = node.context.users, node.context.tokens
        user = users.find(name) or users.add(name, role, now=clock())
        _, secret = tokens.issue(user, "test", now=clock(), lasts=None)
        return node.client(at=AWAY, Authorization=f"Bearer {secret}", Accept="text/html")

    return made


def reads(client, job, *edits, is_done=True):
    """Read a result: each edit is (action, target, after)."""
    asked = {"headers": {"Accept": "application/json"}}
    told = client.post(f"/api/jobs/{job.id}/reading", json={"purpose": "read"}, **asked).json()
    where = f"/api/readings/{told['id']}"
    for number, (action, target, after) in enumerate(edits, start=told["number"]):
        sent = {"expected": number, "action": action, "target": target, "after": after}
        answer = client.post(f"{where}/edits", json=sent, **asked)
        assert answer.status_code == 200, answer.text
    if is_done:
        assert client.post(f"{where}/done", **asked).status_code == 200
    return told["id"]


def both_read(person, job):
    """Li rejects the first nodule and calls the lungs 3; Wang adds a third nodule."""
    third = {
        "concept": NODULE,
        "site": LUNG,
        "measurements": [],
        "probability": None,
        "center_lps_mm": [0.0, 0.0, 20.0],
    }
    li = reads(person("li"), job, ("reject", "1", None), ("assess", "Lung-RADS", "3"))
    wang = reads(person("wang"), job, ("add", "a1", third))
    return li, wang


def test_one_reader_sees_nothing_of_the_other_before_both_are_in(person, job):
    li = reads(person("li"), job, ("reject", "1", None))
    wang = person("wang")
    assert wang.get(f"/api/readings/{li}").status_code == 403
    assert wang.get(f"/api/readings/{li}/mask.nii.gz").status_code == 403
    assert wang.get(f"/api/readings/{li}/edits").status_code == 403
    said = wang.get(f"/adjudicate/{job.id}").text
    assert "1 of 2 readings are in" in said
    assert "rejected" not in said
    assert (
        wang.get(f"/api/jobs/{job.id}/differences/0.png?one=li&other=wang").status_code == 403
    )
    assert wang.post(f"/adjudicate/{job.id}", data={"take": "all::li"}).status_code == 403
    assert "1 of 2 in" in wang.get("/agreement").text
    own = reads(wang, job)
    assert wang.get(f"/api/readings/{li}").status_code == 200
    assert person("li").get(f"/api/readings/{own}").status_code == 200


def test_an_administrator_is_as_blind_as_others(person, job):
    li = reads(person("li"), job)
    admin = person("root", Role.ADMINISTRATOR)
    assert admin.get(f"/api/readings/{li}").status_code == 403


def test_what_readers_differ_about_stands_side_by_side(person, job):
    both_read(person, job)
    said = person("chen").get(f"/adjudicate/{job.id}").text
    assert "Take all of li" in said
    assert "rejected" in said
    assert "Lung-RADS" in said
    assert 'value="row:1:li"' in said
    assert 'value="row:+1:wang"' in said
    assert 'value="row:2:li"' not in said  # they agree
    chinese = person("chen").get(f"/adjudicate/{job.id}?lang=zh").text
    assert "整体采纳 li" in chinese


def test_a_side_is_taken_item_by_item_and_the_decision_counts(person, job, store, node):
    both_read(person, job)
    chen = person("chen")

    def take(value):
        page = chen.get(f"/adjudicate/{job.id}").text
        expected = page.partition('name="expected" value="')[2].partition('"')[0]
        sent = {"take": value, "expected": expected}
        assert chen.post(f"/adjudicate/{job.id}", data=sent).status_code == 303

    take("row:1:li")
    take("grade:Lung-RADS:wang")
    take("row:+1:wang")
    take("hand in")
    (reading,) = [
        each for each in store.readings.of_job(job.id) if each.purpose is Purpose.ADJUDICATE
    ]
    assert (reading.reader, reading.state) == ("chen", ReadingState.DONE)
    deeds = [(each.action, each.target) for each in store.readings.edits(reading.id)]
    assert deeds == [("reject", "1"), ("add", "a1")]  # 4A is what was proposed
    said = chen.get(f"/adjudicate/{job.id}").text
    assert "Decided by chen" in said
    assert 'name="take"' not in said
    assert person("li").get(f"/api/readings/{reading.id}").status_code == 200


def test_all_of_a_reading_is_taken_at_once_and_again_from_the_other_side(person, job, store):
    both_read(person, job)
    chen = person("chen")
    where = f"/adjudicate/{job.id}"
    assert chen.post(where, data={"take": "all::li", "expected": "0"}).status_code == 303
    assert chen.post(where, data={"take": "all::wang", "expected": "0"}).status_code == 409
    assert chen.post(where, data={"take": "all::wang", "expected": "2"}).status_code == 303
    (reading,) = [
        each for each in store.readings.of_job(job.id) if each.purpose is Purpose.ADJUDICATE
    ]
    asked = chen.get(f"/api/readings/{reading.id}", headers={"Accept": "application/json"})
    told = asked.json()
    assert [each["state"] for each in told["findings"]] == ["proposed", "proposed", "added"]
    assert told["assessments"]["Lung-RADS"] == "4A"


@pytest.mark.parametrize("take", ["", "all::nobody", "row:99:li", "nonsense:1:li", "all"])
def test_what_stands_for_nothing_takes_nothing(person, job, take):
    both_read(person, job)
    answer = person("chen").post(f"/adjudicate/{job.id}", data={"take": take or " "})
    assert answer.status_code == 422


def test_where_label_maps_differ_is_drawn_in_colors(person, job, store, volume):
    li, wang = person("li"), person("wang")
    ids = [reads(client, job, is_done=False) for client in (li, wang)]
    drawn = np.zeros(volume.grid.shape, np.uint8)
    drawn[5, 10:20, 10:20] = 1
    for client, number, columns in ((li, ids[0], 0), (wang, ids[1], 5)):
        shifted = np.roll(drawn, columns, axis=2)
        sent = client.put(
            f"/api/readings/{number}/mask?expected=0", content=encode(shifted, volume.grid)
        )
        assert sent.status_code == 200
        client.post(f"/api/readings/{number}/done")
    chen = person("chen")
    page = chen.get(f"/adjudicate/{job.id}").text
    assert 'data-counts="[0, 0, 0, 0, 0, 100, 0, 0, 0, 0]"' in page.replace("&#34;", '"')
    answer = chen.get(f"/api/jobs/{job.id}/differences/5.png?one=li&other=wang")
    picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)
    only_li = picture[..., 2] - picture[..., 0] > 50  # blue
    only_wang = picture[..., 0] - picture[..., 2] > 50  # orange
    height, width = picture.shape[:2]
    voxel = (height / 32) * (width / 40)
    counts = [np.count_nonzero(each) / voxel for each in (only_li, only_wang)]
    assert counts == pytest.approx([50, 50], rel=0.05)
    # Columns rise toward the patient's left, which is shown at the right.
    assert np.nonzero(only_wang)[1].mean() > np.nonzero(only_li)[1].mean()
    middle = picture[height // 2 - 6 : height // 2 + 8].min(axis=2)
    assert min(middle[:, :14].max(), middle[:, -14:].max()) > 200  # R and L
    flat = chen.get(f"/api/jobs/{job.id}/differences/99.png?one=li&other=wang")
    assert flat.status_code == 404
    chen.post(f"/adjudicate/{job.id}", data={"take": "mask::wang", "expected": "0"})
    mine = store.readings.of_job(job.id)[-1]
    (edit,) = store.readings.edits(mine.id)
    assert edit.after["sha256"] == store.readings.edits(ids[1])[0].after["sha256"]


def test_readings_of_a_photograph_are_compared_on_it(person, store, tmp_path, clock):
    eye = np.full((60, 80, 3), 90, np.uint8)
    job = a_photograph(store, tmp_path / "eye", eye, now=clock())
    reads(person("li"), job, ("reject", "1", None))
    reads(person("wang"), job, ("assess", "ICDR", 3))
    chen = person("chen")
    page = chen.get(f"/adjudicate/{job.id}").text
    assert 'value="grade:ICDR:wang"' in page
    assert 'id="slice"' not in page  # there is but one
    answer = chen.get(f"/api/jobs/{job.id}/differences/0.png?one=li&other=wang")
    picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)
    ringed = picture[..., 0] - picture[..., 2] > 50  # by Wang, who did not reject it
    place = np.argwhere(ringed).mean(0) / picture.shape[:2]
    assert place == pytest.approx((0.5, 0.6), abs=0.06)


def test_who_opened_a_reading_and_then_decides_goes_on_with_neither(person, job):
    chen = person("chen")
    own = reads(chen, job, is_done=False)
    both_read(person, job)
    where = f"/adjudicate/{job.id}"
    assert chen.post(where, data={"take": "all::li", "expected": "0"}).status_code == 303
    sent = {"expected": 0, "action": "accept", "target": "1"}
    assert chen.post(f"/api/readings/{own}/edits", json=sent).status_code == 403
    assert chen.post(f"/api/readings/{own}/done").status_code == 403
    resumed = chen.post(f"/api/jobs/{job.id}/reading", json={"purpose": "read"}).json()
    assert (resumed["id"], resumed["may_edit"], resumed["is_barred"]) == (own, False, True)
    decides = chen.post(f"/api/jobs/{job.id}/reading", json={"purpose": "adjudicate"}).json()
    assert (decides["may_edit"], decides["is_barred"]) == (True, False)


def test_who_decided_cannot_begin_to_read_apart(person, job):
    both_read(person, job)
    chen = person("chen")
    chen.post(f"/adjudicate/{job.id}", data={"take": "all::li", "expected": "0"})
    answer = chen.post(f"/api/jobs/{job.id}/reading", json={"purpose": "read"})
    assert answer.status_code == 403


LOOKS = ("/adjudicate/{job}", "/api/jobs/{job}/differences/0.png?one=li&other=wang",
         "/api/readings/{li}", "/api/readings/{li}/edits")  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("is_opened", [True, False])
def test_who_was_shown_what_others_say_cannot_read_apart(person, job, store, look, is_opened):
    chen = person("chen")
    own = reads(chen, job, is_done=False) if is_opened else 0
    li, _ = both_read(person, job)
    for _ in range(2):
        assert chen.get(look.format(job=job.id, li=li)).status_code == 200
    if is_opened:
        sent = {"expected": 0, "action": "accept", "target": "1"}
        assert chen.post(f"/api/readings/{own}/edits", json=sent).status_code == 403
        assert chen.post(f"/api/readings/{own}/done").status_code == 403
        told = chen.get(f"/api/readings/{own}").json()
        assert (told["may_edit"], told["is_barred"]) == (False, True)
    else:
        answer = chen.post(f"/api/jobs/{job.id}/reading", json={"purpose": "read"})
        assert answer.status_code == 403
    said = [each for each in store.audit.entries() if each.action == SAW]
    assert [(each.actor, each.details) for each in said] == [("chen", {"job": str(job.id)})]
    decides = {"take": "all::li", "expected": "0"}
    assert chen.post(f"/adjudicate/{job.id}", data=decides).status_code == 303


def test_who_read_apart_may_look_as_before(person, job, store):
    both_read(person, job)
    assert person("li").get(f"/adjudicate/{job.id}").status_code == 200
    assert SAW not in {each.action for each in store.audit.entries()}
    late = person("zhao")
    reads(late, job)


def test_agreement_is_shown_by_task_and_pair_with_what_to_decide(person, job):
    nobody = person("chen").get("/agreement").text
    assert "No reading is in yet" in nobody
    both_read(person, job)
    said = person("chen").get("/agreement").text
    assert f'href="/adjudicate/{job.id}"' in said
    assert "Lung-RADS: kappa" in said
    assert "li – wang" in said
    assert "one result: no interval" in said
    # Two proposed and one added: one there for both, one each alone: 2*1 / (1 + 3 - ...) below.
    # li has nodule 2; wang has 1, 2 and the third: twice 1 over 1 + 3.
    assert "<b>0.50</b>" in said
    person("chen").post(f"/adjudicate/{job.id}", data={"take": "all::li", "expected": "0"})
    person("chen").post(f"/adjudicate/{job.id}", data={"take": "hand in"})
    after = person("chen").get("/agreement?lang=zh").text
    assert "没有待裁定的结果" in after
    assert "裁定结果" in after


def test_a_guest_sees_figures_and_decides_nothing(person, job):
    both_read(person, job)
    guest = person("guest", Role.VIEWER)
    assert f"/adjudicate/{job.id}" not in guest.get("/agreement").text
    assert guest.get(f"/adjudicate/{job.id}").status_code == 403
