"""The pages of jobs."""

from datetime import timedelta

import pytest

from medloop.core.record import to_record
from medloop.core.study import SopUid
from medloop.store import JobState
from tests.apps.web.nodes import NOON
from tests.store.studies import a_study
from tests.workflow.cases import a_case, a_result


@pytest.fixture
def study(store, tmp_path):
    study = a_study(tmp_path / "files", "1.2.77")
    store.receive(study, now=NOON)
    return study


def wait(store, study, analysis="lung"):
    """Let one more job wait; return its number."""
    uid = SopUid(f"1.2.77.{len(store.jobs.all())}")
    store.jobs.add(study.uid, analysis, [uid], now=NOON)
    return len(store.jobs.all())


def run(store, study, seconds=12.0):
    wait(store, study)
    job = store.jobs.claim("w1", ["lung"], now=NOON)
    case, ends = a_case(), NOON + timedelta(seconds=seconds)
    record = to_record(a_result(case), case.study, "eye")
    store.results.keep(job.id, record, "f", ["result.json"], now=ends)
    return store.jobs.move(job, JobState.DONE, now=ends)


def lose(store, study):
    """Lose three workers on a job."""
    number = wait(store, study)
    for minute in range(3):
        at = NOON + timedelta(hours=minute)
        job = store.jobs.claim("w1", ["lung"], now=at)
        store.jobs.take_back("killed", now=at, job=job)
    return number


def test_jobs_are_listed_with_their_reason_in_words(store, study, chief):
    store.jobs.refuse(study.uid, "retina", "no photograph in it", now=NOON)
    text = chief.page("/jobs")
    assert "no photograph in it" in text
    assert "Nothing of the study suits this analysis." in text
    assert "该检查中没有适合此分析模块的图像" in chief.page("/jobs?lang=zh")


@pytest.mark.parametrize("path", ["/jobs", "/jobs/1", "/studies/1.2.77"])
def test_a_reason_is_said_in_the_language_of_the_page(store, study, chief, path):
    store.jobs.refuse(study.uid, "retina", "no photograph in the study: CT volume", now=NOON)
    said = f"{path}?lang=zh"
    assert '<span class="muted" lang="zh-Hans">检查中没有照片，只有：CT 三维图像</span>' in (
        chief.page(said)
    )
    assert "no photograph in the study: CT volume" in chief.page(f"{path}?lang=en")
    store.jobs.refuse(study.uid, "retina", "quite new", now=NOON)
    assert '<span class="muted" lang="en">quite new</span>' in chief.page(said)


def test_jobs_are_chosen_by_state_analysis_and_study(store, study, chief):
    waiting, done = wait(store, study, "retina"), run(store, study).id
    for query, seen in (
        ("state=waiting", {waiting}),
        ("state=done", {done}),
        ("analysis=lung", {done}),
        ("study=1.2.77", {waiting, done}),
        ("study=1.2.78", set()),
        ("state=nonsense", {waiting, done}),
    ):
        text = chief.page(f"/jobs?{query}")
        assert {n for n in (waiting, done) if f'href="/jobs/{n}"' in text} == seen, query


def test_a_table_has_fifty_rows_and_leads_to_older_ones(store, study, chief):
    for _ in range(53):
        wait(store, study)
    first = chief.page("/jobs")
    assert first.count('href="/jobs/') == 50
    assert "before=4" in first
    assert chief.page("/jobs?before=4").count('href="/jobs/') == 3


def test_what_is_in_quarantine_stands_in_front(store, study, chief):
    lost = lose(store, study)
    done = run(store, study).id
    text = chief.page("/jobs")
    assert text.index("In quarantine") < text.index(f'href="/jobs/{done}"')
    assert f'formaction="/jobs/{lost}/retry"' in text
    assert "The job waits again." in chief.done(f"/jobs/{lost}/retry")
    assert store.jobs.get(lost).state is JobState.WAITING
    assert store.jobs.get(lost).crashes == 0


def test_a_job_is_canceled_with_a_reason_and_hurried(store, study, chief, deeds):
    first, second = wait(store, study), wait(store, study)
    assert "The job was canceled." in chief.done(f"/jobs/{first}/cancel", reason="twice\n")
    assert store.jobs.get(first).reason == "canceled by b-administrator: twice"
    chief.done(f"/jobs/{second}/priority", to="7")
    assert store.jobs.get(second).priority == 7
    assert deeds() == [("job canceled", "1.2.77"), ("job prioritized", "1.2.77")]


def test_what_the_state_does_not_allow_is_refused_in_words(store, study, chief):
    done = run(store, study).id
    for verb in ("retry", "cancel", "priority"):
        answer = chief.send(f"/jobs/{done}/{verb}")
        assert answer.status_code == 400
        assert f"job {done} is done" in answer.text
    assert chief.send("/jobs/99999999999999999999/retry").status_code == 404
    assert chief.client.get("/jobs/77").status_code == 404


def test_durations_are_told_and_drawn(store, study, chief):
    run(store, study, 12.0)
    run(store, study, 20.0)
    text = chief.page("/jobs")
    assert "16 s" in text
    assert 'class="plot-range"' in text
    assert "style=" not in text


def test_a_reader_looks_and_may_not_act(store, study, reader):
    number = wait(store, study)
    assert "Cancel" not in reader.page("/jobs")
    assert "Cancel" not in reader.page(f"/jobs/{number}")
    assert reader.send(f"/jobs/{number}/cancel").status_code == 403


def test_a_form_of_another_page_changes_nothing(store, study, chief):
    number = wait(store, study)
    assert chief.client.post(f"/jobs/{number}/cancel").status_code == 403
    assert store.jobs.get(number).state is JobState.WAITING
