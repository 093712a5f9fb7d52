"""Reports on the page: sentences that follow the findings, a preview, and signatures."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from medloop.apps.site import OrganizationSettings, ReadingSettings
from medloop.apps.web.context import make_context
from medloop.apps.web.login import LOGINS_PER_MINUTE
from medloop.apps.web.passwords import hash_password
from medloop.store import Entry, JobState
from medloop.store.reading import Purpose
from medloop.store.users import Role
from medloop.workflow.statement import read_statement
from tests.apps.web.nodes import AWAY, NoInlet, node_of
from tests.workflow.read_cases import READER, a_read_ct, a_read_fundus, read
from tests.workflow.signing import issued

PASSWORD = "tulip marble ocean"  # noqa: S105 - of a user that lives for one test


@pytest.fixture
def ct(store, tmp_path, clock):
    return a_read_ct(store, tmp_path / "ct", now=clock())


@pytest.fixture(scope="module")
def password_hash():
    return hash_password(PASSWORD)


def entered(node, name, password, role=Role.READER, subject=None):
    """Sign in as somebody: a client with their session."""
    users, now = node.context.users, node.clock()
    user = users.find(name) or users.add(
        name, role, now=now, password=password, subject=subject
    )
    secret = node.context.sessions.begin(user, now=now, lasts=timedelta(hours=1))
    client = node.client(at=AWAY)
    client.cookies.set("medloop", secret)
    client.headers["X-CSRF-Token"] = client.get("/api/me").json()["csrf"]
    return client


@pytest.fixture
def enter(node, password_hash):
    def make(name=READER, role=Role.READER, *, password=password_hash, subject=None):
        return entered(node, name, password, role, subject)

    return make


@pytest.fixture
def reader(enter):
    return enter()


@pytest.fixture
def reading(store, ct, clock):
    return read(store, ct, ("reject", "2", None), now=clock())


def sign(client, reading, meaning="final", **more):
    sent = {"password": PASSWORD, "meaning": meaning, "expected": reading.number, **more}
    return client.post(f"/api/readings/{reading.id}/sign", json=sent)


def told(client, reading, lang="en"):
    return client.get(f"/api/readings/{reading.id}/report?lang={lang}").json()


def versions(store, reading):
    return store.readings.versions(reading.id)


def test_sentences_change_with_the_findings(reader, store, ct, clock):
    reading = read(store, ct, now=clock())
    assert told(reader, reading)["sentences"][0]["text"].startswith("2 nodules")
    read(store, ct, ("reject", "2", None), now=clock())
    assert told(reader, reading)["sentences"][0]["text"].startswith("One nodule")
    assert told(reader, reading, "zh")["sentences"][0]["text"].startswith("检出 1 个结节")


def test_a_conclusion_written_before_the_last_change_says_so(reader, store, ct, clock):
    reading = read(store, ct, ("conclude", "", "Two nodules."), now=clock())
    assert told(reader, reading)["conclusion"] == {"text": "Two nodules.", "is_stale": False}
    read(store, ct, ("reject", "2", None), now=clock())
    assert told(reader, reading)["conclusion"]["is_stale"]
    read(store, ct, ("conclude", "", None), now=clock())
    assert told(reader, reading)["conclusion"] == {"text": None, "is_stale": False}


def test_why_documents_were_not_made_is_said_in_the_language_of_the_page(
    reader, store, reading, clock
):
    assert sign(reader, reading).status_code == 200
    store.issues.enlist(now=clock())
    issue = store.issues.claim(now=clock())
    entry = Entry(clock(), "keeper", "report issued", reading.study, {})
    store.issues.fail(
        issue, "no longer what was signed: findings; look at it and sign again", entry
    )
    assert told(reader, reading)["versions"][0]["reason"].startswith(
        "no longer what was signed"
    )
    said = told(reader, reading, "zh")["versions"][0]["reason"]
    assert said == "与签署时不一致：发现；请查看后重新签署"


def test_the_preview_says_that_nobody_signed_and_runs_nothing(reader, reading):
    answer = reader.get(f"/api/readings/{reading.id}/preview?lang=en")
    assert "Not signed" in answer.text
    assert "rejected" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "script-src" not in policy
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_grade_that_was_stated_stands_beside_that_of_the_analysis(
    reader, store, tmp_path, clock, lang
):
    eye = a_read_fundus(store, tmp_path / "eye", now=clock())
    reading = read(store, eye, ("assess", "ICDR", 4), now=clock())
    page = reader.get(f"/api/readings/{reading.id}/preview?lang={lang}")
    assert page.status_code == 200
    cells = re.findall(r"<t[hd][^>]*>(?:<i>.*?</i>)?(.*?)</t[hd]>", page.text)
    at = cells.index("ICDR")
    assert cells[at + 1 : at + 3] == ["2", "4"]


def test_a_signature_is_noted_with_who_when_what_and_the_hash(reader, store, reading, clock):
    assert sign(reader, reading).status_code == 200
    (version,) = versions(store, reading)
    (entry,) = [each for each in store.audit.entries() if each.action == "signed report"]
    assert (entry.actor, entry.at) == (READER, clock())
    assert entry.details["meaning"] == "final"
    assert entry.details["sha256"] == version.record
    assert READER.encode() in store.archive.read(version.record)
    assert store.jobs.get(reading.job).state is JobState.REVIEWED


def test_a_wrong_password_signs_nothing_and_locks_in_the_end(reader, node, store, reading):
    tries = node.context.site.users.tries
    for _ in range(tries):
        refused = sign(reader, reading, password="wrong")  # noqa: S106
        assert refused.status_code == 403
    assert "wrong" in refused.json()["error"]
    assert node.context.users.find(READER).is_locked(node.clock())
    assert sign(reader, reading).status_code == 403, "the right password, while locked"
    assert versions(store, reading) == ()
    noted = [each for each in store.audit.entries() if each.action == "was refused to sign"]
    assert len(noted) == tries + 1


def test_the_person_of_a_node_without_users_is_told_to_add_one(node, store, ct, clock):
    reading = store.readings.open(ct.id, "local", now=clock())
    refused = sign(node.client(), reading)
    assert refused.status_code == 403
    assert "medloop users add" in refused.json()["error"]


def test_a_token_signs_nothing(node, store, ct, clock):
    client = node.program(Role.READER)
    reading = store.readings.open(ct.id, "a-reader", now=clock())
    assert "token" in sign(client, reading).json()["error"]


def test_who_came_by_a_provider_is_told_why_they_cannot_sign(enter, store, ct, clock):
    client = enter("dr.zhao", password="", subject="issuer#1")
    reading = store.readings.open(ct.id, "dr.zhao", now=clock())
    assert "no password" in sign(client, reading).json()["error"]
    assert not told(client, reading)["may_sign"]


def test_nobody_signs_a_reading_of_somebody_else(enter, store, reading):
    other = enter("dr.chen")
    assert sign(other, reading).status_code == 403
    assert sign(enter("ann", Role.ANNOTATOR), reading).status_code == 403
    assert versions(store, reading) == ()


@pytest.mark.parametrize(
    ("first", "then", "status"),
    [
        ((), "addendum", 409),
        (("preliminary",), "addendum", 409),
        (("final",), "preliminary", 409),
        (("final",), "final", 409),
        (("preliminary", "preliminary"), "final", 200),
        (("final", "addendum"), "addendum", 200),
    ],
)
def test_meanings_follow_each_other_in_one_order(reader, store, reading, first, then, status):
    for meaning in first:
        assert sign(reader, reading, meaning, text="More.").status_code == 200
    assert sign(reader, reading, then, text="More.").status_code == status
    numbers = [each.number for each in versions(store, reading)]
    assert numbers == list(range(1, len(first) + (status == 200) + 1))


def test_an_addendum_says_something(reader, reading):
    sign(reader, reading)
    assert sign(reader, reading, "addendum", text="  ").status_code == 422
    for strange in ("a\0b", "\x1b$B", "a\u202eb"):  # what no database or DICOM text holds
        assert sign(reader, reading, "addendum", text=strange).status_code == 422
    assert sign(reader, reading, "addendum", text="Two\n\tlines: 两行。").status_code == 200


def test_who_signs_too_often_waits_and_nobody_else_behind_the_same_proxy(
    enter, reader, reading
):
    tried = [sign(reader, reading, "addendum").status_code for _ in range(LOGINS_PER_MINUTE)]
    assert set(tried) == {409}
    assert sign(reader, reading, "addendum").status_code == 429
    assert sign(enter("wang"), reading).status_code == 403
    name = {"name": "nobody", "password": "x", "next": "/"}
    assert enter("wang").post("/login", data=name).status_code == 401


def test_what_changed_since_one_looked_is_not_signed(reader, store, ct, reading, clock):
    read(store, ct, ("reject", "1", None), now=clock())
    assert sign(reader, reading).status_code == 409
    assert versions(store, reading) == ()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_a_report_rests_on_is_as_one_saw_it_or_nothing_is_signed(
    reader, store, ct, reading, lang
):
    seen = told(reader, reading)["basis"]
    kept = store.results.get(ct.id)
    record = kept.record | {"finished": "2026-06-01T00:00:00Z"}
    store.results.keep(ct.id, record, kept.folder, kept.products, now=kept.kept)
    url = f"/api/readings/{reading.id}/sign?lang={lang}"
    sent = {"password": PASSWORD, "meaning": "final", "expected": reading.number, "seen": seen}
    answer = reader.post(url, json=sent)
    assert answer.status_code == 409
    wanted = {"en": "has changed: the result of the analysis.", "zh": "已有变更：分析结果。"}
    assert wanted[lang] in answer.json()["error"]
    assert versions(store, reading) == ()
    again = told(reader, reading)["basis"]
    assert reader.post(url, json=sent | {"seen": again}).status_code == 200


def test_what_contradicts_is_told_before_one_signs(reader, store, tmp_path, clock):
    eye = a_read_fundus(store, tmp_path / "eye", now=clock())
    reading = read(store, eye, ("assess", "referable", False), now=clock())
    (said,) = told(reader, reading)["contradictions"]
    assert "is referable by rule; the reader set not referable" in said
    assert said in [each["text"] for each in told(reader, reading)["sentences"]]


def test_documents_are_listed_once_they_are_made(reader, store, reading, clock):
    (version,) = sign(reader, reading).json()["versions"]
    assert (version["state"], version["files"]) == ("waiting", [])
    issued(store, now=clock())
    (version,) = told(reader, reading)["versions"]
    assert version["state"] == "done"
    names = [each["name"] for each in version["files"]]
    assert names == ["report.html", "sr.dcm", "seg.dcm", "signed.json"]
    for each in version["files"]:
        assert reader.get(each["url"]).status_code == 200
    assert reader.get(version["files"][0]["url"].replace("report.html", "x")).status_code == 404


@pytest.fixture
def apart(site):
    """A site where two readers read each chest CT."""
    return replace(site, reading=ReadingSettings(readers_of={"lung": 2}))


def test_of_readers_apart_none_sees_a_draft_or_signs_alone(
    store, apart, clock, ct, reading, password_hash
):
    node = node_of(make_context(store, apart, NoInlet(), now=clock), clock)
    store.readings.open(ct.id, "dr.chen", now=clock())
    blinded, reader = (entered(node, name, password_hash) for name in ("dr.chen", READER))
    assert blinded.get(f"/api/readings/{reading.id}/preview").status_code == 403
    assert blinded.get(f"/api/readings/{reading.id}/report").status_code == 403
    assert "apart" in sign(reader, reading).json()["error"]
    decided = store.readings.open(ct.id, READER, Purpose.ADJUDICATE, now=clock())
    assert sign(reader, decided).status_code == 200


def test_who_has_a_name_signs_with_it_and_the_audit_log_has_the_user(
    store, clock, site, reading, password_hash
):
    named = replace(site, organization=OrganizationSettings("第一医院"))
    node = node_of(make_context(store, named, NoInlet(), now=clock), clock)
    reader = entered(node, READER, password_hash)
    users = node.context.users
    users.rename(users.get(READER), now=clock(), full_name="Li^Ming=李^明")
    assert told(reader, reading, "zh")["signer"] == f"李明 ({READER})"
    assert sign(reader, reading).status_code == 200
    (version,) = versions(store, reading)
    said = read_statement(store.archive.read(version.record)).signing
    assert (said.signer, said.name) == (READER, "Li^Ming=李^明")
    assert said.organization == "第一医院"
    (entry,) = [each for each in store.audit.entries() if each.action == "signed report"]
    assert entry.actor == READER
    assert "李" not in str(entry)
