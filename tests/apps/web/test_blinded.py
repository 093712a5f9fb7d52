"""Whoever still reads a result apart finds nothing of what others concluded, by any route."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

from medloop.annotation.masks import encode
from medloop.apps.site import ReadingSettings
from medloop.apps.web.context import make_context
from medloop.apps.web.reading_access import SAW
from medloop.core.image import Volume
from medloop.dicom.header import read_header
from medloop.store.reading import Purpose
from medloop.store.users import Role
from medloop.workflow.documents import Documents
from tests.apps.web.jobs_done import a_little_chest
from tests.apps.web.nodes import AWAY, NoInlet, node_of
from tests.apps.web.test_adjudicate import reads
from tests.apps.web.test_walk import guarded_routes
from tests.workflow.read_cases import a_read_ct
from tests.workflow.signing import issued, signed

REMARK = "a remark that nobody else would make"
CONCLUSION = "a conclusion that only the others have drawn"
ENDS_BLINDING = {"/api/readings/{number}/done"}  # one's own reading is handed in


@pytest.fixture
def volume() -> Volume:
    return a_little_chest()


@pytest.fixture
def job(store, tmp_path, clock, volume):
    return a_read_ct(store, tmp_path / "ct", now=clock(), volume=volume)


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
        return node.client(at=AWAY, Authorization=f"Bearer {secret}")

    return made


@pytest.fixture
def zhao(person, job):
    """Zhao, an administrator, works on a reading of the result and is slow."""
    client = person("zhao", Role.ADMINISTRATOR)
    reads(client, job, ("accept", "1", None), is_done=False)
    return client


@pytest.fixture
def decided(zhao, person, job, store, clock, volume):
    """Li and Wang have read, Chen has decided, drawn and signed: the documents are filed."""
    change = ("change", "1", {"comment": REMARK})
    reads(person("li"), job, change, ("conclude", "", CONCLUSION))
    reads(person("wang"), job, ("reject", "2", None))
    chen = person("chen")
    number = chen.post(f"/api/jobs/{job.id}/reading", json={"purpose": "adjudicate"}).json()[
        "id"
    ]
    drawn = np.zeros(volume.grid.shape, np.uint8)
    drawn[4:7, 8:16, 8:16] = 1
    put = chen.put(
        f"/api/readings/{number}/mask?expected=0", content=encode(drawn, volume.grid)
    )
    assert put.status_code == 200, put.text
    for n, (action, target, after) in enumerate(
        (change, ("conclude", "", CONCLUSION)), start=1
    ):
        sent = {"expected": n, "action": action, "target": target, "after": after}
        assert chen.post(f"/api/readings/{number}/edits", json=sent).status_code == 200
    reading = store.readings.get(number)
    version = signed(store, reading, now=clock())
    assert issued(store, now=clock()) == 1
    files = sorted((store.results_folder / version.folder).glob("*.dcm"))
    assert {path.name for path in files} >= {"sr.dcm", "seg.dcm"}
    return [read_header(path) for path in files]


def planted(store, job, decided):
    """What of the others' readings must not be in any answer, as bytes."""
    numbers = [e.id for e in store.readings.of_job(job.id) if e.reader != "zhao"]
    masks = [
        edit.after["sha256"]
        for number in numbers
        for edit in store.readings.edits(number)
        if edit.action == "mask"
    ]
    uids = [uid for each in decided for uid in (each.uid, each.series_uid)]
    contents = [store.archive.read(each) for each in masks]
    said = [REMARK, CONCLUSION, "reject 2", *uids, *masks]
    return [*(each.encode() for each in said), *contents]


def addresses(path, job, store, decided):
    """Put all that fits wherever an address has a place for it."""
    study = str(job.study)
    objects = [each.uid for each in decided]
    series = [each.series_uid for each in decided]
    numbers = [str(each.id) for each in store.readings.of_job(job.id)]
    names = ["report.pdf", "report.html", "sr.dcm", "seg.dcm", "signed.json", "heatmap"]
    fitting = {
        "study": [study],
        "uid": [study, *objects],
        "series": series,
        "job": [str(job.id)],
        "number": sorted({*numbers, str(job.id)}),
        "name": names,
        "tag": ["final"],
    }
    places = re.findall(r"\{([^}:]*)[^}]*\}", path)
    for values in itertools.product(*(fitting.get(each, ["1"]) for each in places)):
        filled = path
        for value in values:
            filled = re.sub(r"\{[^}]*\}", value, filled, count=1)
        yield filled


ASKED = ("", "?label={job}&image={job}&tag=final", "?output=all", "?includefield=all",
         "?study={study}", "?ModalitiesInStudy=SEG", "?one=li&other=wang")  # fmt: skip


@pytest.mark.slow
def test_whoever_still_reads_apart_finds_no_byte_of_others_by_any_route(
    zhao, job, store, decided, node
):
    secrets = planted(store, job, decided)
    walked = 0
    routes = sorted(guarded_routes(node.app), key=lambda each: each[0] not in ("GET", "HEAD"))
    for method, path, _ in routes:
        if path in ENDS_BLINDING:
            continue
        places = "{" in path and "{study}" not in path
        for address in addresses(path, job, store, decided):
            for query in ASKED[:1] if places or method != "GET" else ASKED:
                asked = query.format(job=job.id, study=job.study)
                answer = zhao.request(method, address + asked)
                walked += 1
                for secret in secrets:
                    assert secret not in answer.content, f"{method} {address}{asked}"
    assert walked > 200


def test_who_is_done_finds_it_by_the_routes_that_were_walked(zhao, job, store, decided):
    (own,) = [e for e in store.readings.of_job(job.id) if e.reader == "zhao"]
    study = f"/dicom-web/studies/{job.study}"
    listed = f"{study}/instances"
    before = {each["00080018"]["Value"][0] for each in zhao.get(listed).json()}
    assert before.isdisjoint(each.uid for each in decided)
    assert zhao.post(f"/api/readings/{own.id}/done").status_code == 200
    after = {each["00080018"]["Value"][0] for each in zhao.get(listed).json()}
    assert after - before == {each.uid for each in decided}
    for each in decided:
        place = f"{study}/series/{each.series_uid}/instances/{each.uid}"
        assert zhao.get(place).status_code == 200
    assert SAW not in {entry.action for entry in store.audit.entries()}


def test_others_reports_are_neither_counted_nor_searched_for(zhao, person, job, decided):
    chen = person("chen")

    def told(client, query=""):
        found = client.get(f"/dicom-web/studies{query}").json()
        return [
            (
                each["00080061"]["Value"],
                each["00201206"]["Value"][0],
                each["00201208"]["Value"][0],
            )
            for each in found
        ]

    ((_, series, instances),) = told(chen)
    ((_, fewer_series, fewer),) = told(zhao)
    assert (series - fewer_series, instances - fewer) == (len(decided), len(decided))


def test_the_objects_of_the_analysis_stay_where_they_were(zhao, job, store, decided):
    kept = store.results_folder / store.results.get(job.id).folder
    own = {read_header(path).uid for path in kept.glob("*.dcm")}
    found = zhao.get(f"/dicom-web/studies/{job.study}/instances").json()
    assert own
    assert own <= {each["00080018"]["Value"][0] for each in found}


def test_documents_of_which_nobody_knows_the_reading_are_withheld(zhao, job, store, decided):
    (decision,) = [e for e in store.readings.of_job(job.id) if e.purpose is Purpose.ADJUDICATE]
    for version in store.readings.versions(decision.id):
        (store.results_folder / version.folder).rename(store.root / "gone")
    found = Documents(store).told_by(job.study, [decision])
    assert found == {each.uid for each in decided}
    listed = zhao.get(f"/dicom-web/studies/{job.study}/instances").json()
    assert found.isdisjoint(each["00080018"]["Value"][0] for each in listed)


def test_who_fetches_a_signed_report_cannot_begin_to_read_apart(person, job, store, decided):
    late = person("late")
    report = decided[0]
    place = f"/dicom-web/studies/{job.study}/series/{report.series_uid}/metadata"
    for _ in range(2):
        assert late.get(place).status_code == 200
    said = [each.actor for each in store.audit.entries() if each.action == SAW]
    assert said == ["late"]
    begun = late.post(f"/api/jobs/{job.id}/reading", json={"purpose": "read"})
    assert begun.status_code == 403


def test_where_one_reads_alone_reports_are_found_by_all(store, site, clock, job):
    alone = node_of(make_context(store, site, NoInlet(), now=clock), clock)
    reading = store.readings.open(job.id, "li", now=clock())
    version = signed(store, reading, now=clock())
    issued(store, now=clock())
    filed = (store.results_folder / version.folder).glob("*.dcm")
    program = alone.program(Role.READER)
    store.readings.open(job.id, "a-reader", now=clock())
    found = program.get(f"/dicom-web/studies/{job.study}/instances").json()
    uids = {each["00080018"]["Value"][0] for each in found}
    assert {read_header(path).uid for path in filed} <= uids
