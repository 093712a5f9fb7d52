"""The worklist as a server answers it, and the page of a study."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import update

from medloop.apps.web.worklist import of_images, whose
from medloop.clinical.report.language import Language
from medloop.core.study import Patient
from medloop.store.job import JobState
from medloop.store.tables import studies
from medloop.store.users import Role
from tests.apps.web.jobs_done import a_photograph
from tests.apps.web.nodes import AWAY

HTML = {"Accept": "text/html"}
ASKED = {"tab": "open", "page": 1}


@pytest.fixture
def photo(store, tmp_path, clock):
    return a_photograph(
        store, tmp_path / "eye", np.full((48, 64, 3), 90, np.uint8), now=clock()
    )


def shown(node, path="/", role=Role.READER):
    return node.program(role).get(path, headers=HTML)


def test_the_list_shows_what_there_is_to_read_and_why(node, photo):
    told = shown(node).text
    assert f'href="/read/{photo.id}"' in told
    assert "ICDR 2" in told
    assert "Routine" in told


def test_an_empty_list_says_what_to_do(node):
    told = shown(node).text
    assert "No studies yet" in told
    assert "MEDLOOP" in told


def test_a_page_that_has_the_newest_list_gets_it_once(node, photo, monkeypatch):
    client = node.program(Role.READER)
    first = client.post("/worklist", json=ASKED).json()
    assert f"/read/{photo.id}" in first["html"]
    again = client.post("/worklist", json={**ASKED, "tag": first["tag"]}).json()
    assert again == {"tag": first["tag"], "html": None, "progress": {}}
    other = client.post("/worklist", json={**ASKED, "words": "x", "tag": first["tag"]}).json()
    assert "Nothing here" in other["html"]


def test_a_running_job_says_how_far_it_is(node, store, photo, clock):
    kept = store.results.get(photo.id)
    with store.database.writing() as connection:  # one run took a minute
        later = replace(kept, kept=photo.started.replace(minute=1))
        store.results.keep_within(connection, later)
    store.jobs.add(photo.study, "retina", ["2.25.1"], now=clock())
    job = store.jobs.claim("w1", ["retina"], now=clock())
    clock.passes(seconds=30)
    told = node.program(Role.READER).post("/worklist", json=ASKED).json()
    assert told["progress"] == {str(job.id): pytest.approx(0.5)}
    assert f'data-job="{job.id}"' in told["html"]


@pytest.mark.parametrize(
    "query",
    [
        "tab=<x>",
        "page=0",
        "page=x",
        "page=99999999999",
        "since=tomorrow",
        "modality=%00",
        "tab=",
    ],
)
def test_an_address_that_cannot_be_meant_shows_the_list(node, photo, query):
    assert shown(node, f"/?{query}").status_code == 200


def test_whoever_may_only_look_is_offered_no_upload(node):
    assert "add-files" in shown(node).text
    assert "add-files" not in shown(node, role=Role.VIEWER).text


def test_the_page_of_a_study_has_its_analyses_and_downloads(node, store, photo):
    kept = store.results.get(photo.id)
    (store.results_folder / kept.folder / "sr.dcm").write_bytes(b"DICM")
    with store.database.writing() as connection:
        store.results.keep_within(connection, replace(kept, products=("sr.dcm",)))
    told = shown(node, f"/studies/{photo.study}").text
    address = f"/studies/{photo.study}/results/{photo.id}/sr.dcm"
    assert f'href="{address}"' in told
    client = node.program(Role.READER)
    answer = client.get(address)
    assert answer.content == b"DICM"
    assert "attachment" in answer.headers["content-disposition"]
    deeds = [(each.actor, each.action) for each in store.audit.entries()]
    assert ("a-reader", "downloaded") in deeds
    assert client.get(address.replace("sr.dcm", "result.json")).status_code == 404
    assert client.get(address.replace("sr.dcm", "seg.dcm")).status_code == 404
    assert client.get(f"/studies/1.2.3/results/{photo.id}/sr.dcm").status_code == 404


def test_only_who_manages_may_try_again(node, store, photo, clock):
    store.jobs.add(photo.study, "lung", list(photo.selection), now=clock())
    job = store.jobs.claim("w1", ["lung"], now=clock())
    store.jobs.move(job, JobState.FAILED, now=clock(), reason="slice gap 3 mm exceeds 2 mm")
    for role, offered in ((Role.READER, False), (Role.ADMINISTRATOR, True)):
        told = shown(node, f"/studies/{photo.study}", role).text
        assert "slice gap 3 mm exceeds 2 mm" in told
        assert (f"/jobs/{job.id}/retry" in told) is offered


def test_a_study_that_is_not_there_is_not_found(node):
    assert shown(node, "/studies/1.2.3").status_code == 404
    assert node.client(at=AWAY).get("/studies/1.2.3").status_code in (401, 403)


@pytest.mark.parametrize(
    ("patient", "file", "expected"),
    [
        (Patient("WANG^XIAO", "P1", "", ""), "eye", "WANG, XIAO"),
        (Patient("", "P1", "", ""), "eye", "P1"),
        (Patient("", "", "", ""), "eye", "eye"),
        (Patient("", "", "", ""), "", "No name"),
    ],
)
def test_a_study_is_named_by_its_patient_or_else_its_number_or_file(patient, file, expected):
    assert whose(patient, file, Language.ENGLISH) == expected


def test_what_tells_of_images_is_no_modality_of_a_study_that_has_images():
    assert of_images(("CT", "DOC", "OT", "SEG", "SR")) == ("CT",)
    assert of_images(("SR",)) == ("SR",)


def test_what_stands_in_a_header_is_shown_as_it_is(node, store, photo):
    with store.database.writing() as connection:
        named = update(studies).values(patient_name="<script>alert(1)</script>^Li")
        connection.execute(named)
    for path in ("/", f"/studies/{photo.study}"):
        told = shown(node, path).text
        assert "<script>alert" not in told
        assert "&lt;script&gt;alert" in told
