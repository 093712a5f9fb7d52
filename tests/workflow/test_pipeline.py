"""Runs that overlap end as they would one by one, with two cases in memory at most."""

import json
import logging
import threading
import weakref
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from medloop.apps.analyze import analyze_into
from medloop.core.errors import InputError, ServiceError, UnsuitableError
from medloop.workflow.pipeline import Run, run_all
from medloop.workflow.worker import Ending, Outcome, run
from tests.apps.fakes import Redness
from tests.workflow.cases import Grade, Shelf, a_result, a_study

PATIENCE_S = 5.0


@dataclass
class Desk:
    """Notes what happens in which order, and how many cases were in memory at once."""

    events: list[tuple[str, str]] = field(default_factory=list)
    pixels: list[weakref.ref] = field(default_factory=list)
    most: int = 0

    def note(self, what, study):
        self.events.append((what, study.uid))

    def take(self, case):
        self.pixels.append(weakref.ref(case.images[0].array))
        self.most = max(self.most, sum(ref() is not None for ref in self.pixels))
        return case


@dataclass(frozen=True)
class Reading:
    """An archive that tells the desk; `before` is called before a case is read."""

    desk: Desk
    before: object = None

    def study(self, uid):
        raise NotImplementedError

    def case(self, study, selection):
        self.desk.note("read", study)
        if self.before is not None:
            self.before(study)
        return self.desk.take(Shelf().case(study, selection))


@dataclass(frozen=True)
class Answering:
    """An analysis that tells the desk, and calls `during` meanwhile."""

    desk: Desk
    during: object = None
    name: str = "grade"
    select = Grade.select

    def analyze(self, case):
        self.desk.note("analyze", case.study)
        if self.during is not None:
            self.during(case.study)
        return a_result(case)


def writing(desk, during=None):
    def write(case, _result):
        if during is not None:
            during(case.study)
        desk.note("written", case.study)
        return Path(case.study.uid)

    return write


def runs_of(count, desk, *, analysis=None, archive=None, write=None, line=""):
    analysis = analysis or Answering(desk)
    studies = [a_study(f"2.25.{n}") for n in range(1, count + 1)]
    return [
        Run(
            analysis,
            archive or Reading(desk),
            study,
            analysis.select(study)[0],
            write or writing(desk),
            line,
        )
        for study in studies
    ]


def outcomes_of(runs):
    told = []
    run_all(runs, lambda number, outcome: told.append((number, outcome)))
    assert [number for number, _ in told] == list(range(len(runs)))
    return [outcome for _, outcome in told]


def one_by_one(runs):
    return [
        run(each.analysis, each.archive, each.study, each.selection, write=each.write)
        for each in runs
    ]


def test_the_next_case_is_read_while_one_is_analyzed():
    desk, is_read = Desk(), threading.Event()

    def wait(study):
        if study.uid == "2.25.1":
            assert is_read.wait(PATIENCE_S)

    archive = Reading(desk, lambda study: is_read.set() if study.uid == "2.25.2" else None)
    (first, second) = outcomes_of(
        runs_of(2, desk, analysis=Answering(desk, wait), archive=archive)
    )
    assert (first.state, second.state) == (Ending.DONE, Ending.DONE)


def test_one_case_is_written_while_the_next_is_analyzed():
    desk, is_analyzed = Desk(), threading.Event()

    def wait(study):
        if study.uid == "2.25.1":
            assert is_analyzed.wait(PATIENCE_S)

    analysis = Answering(desk, lambda study: is_analyzed.set() if study.uid == "2.25.2" else 0)
    outcomes = outcomes_of(runs_of(2, desk, analysis=analysis, write=writing(desk, wait)))
    assert [each.state for each in outcomes] == [Ending.DONE] * 2


@pytest.mark.parametrize("slow", ["read", "analyze", "write"])
def test_two_cases_at_most_are_in_memory(slow):
    desk = Desk()

    def pause(_study):
        threading.Event().wait(0.01)

    runs = runs_of(
        6,
        desk,
        analysis=Answering(desk, pause if slow == "analyze" else None),
        archive=Reading(desk, pause if slow == "read" else None),
        write=writing(desk, pause if slow == "write" else None),
    )
    assert [each.state for each in outcomes_of(runs)] == [Ending.DONE] * 6
    assert desk.most <= 2


def test_runs_of_one_line_are_read_when_those_before_are_written():
    desk = Desk()
    outcomes_of(runs_of(3, desk, line="patient 7"))
    assert [what for what, _ in desk.events] == ["read", "analyze", "written"] * 3


@dataclass(frozen=True)
class Fickle:
    """Fails for chosen studies, with the error it was given for each."""

    errors: dict
    name: str = "grade"
    select = Grade.select

    def analyze(self, case):
        if case.study.uid in self.errors:
            raise self.errors[case.study.uid]
        return a_result(case)


@pytest.mark.parametrize("place", ["read", "analyze", "write"])
def test_every_error_stays_with_its_case_and_is_told_in_order(place, caplog):
    desk = Desk()
    errors = {
        "2.25.1": InputError("4 bytes, a header has 132"),
        "2.25.3": UnsuitableError("not a fundus photograph"),
        "2.25.4": ServiceError("disk is full"),
        "2.25.6": KeyError("DOE^JOHN"),
    }

    def fail(study):
        if study.uid in errors:
            raise errors[study.uid]

    runs = runs_of(
        7,
        desk,
        analysis=Fickle(errors) if place == "analyze" else None,
        archive=Reading(desk, fail) if place == "read" else None,
        write=writing(desk, fail) if place == "write" else None,
    )
    overlapping = outcomes_of(runs)
    assert overlapping == one_by_one(runs)
    assert overlapping[5] == Outcome(Ending.FAILED, "internal error: KeyError")
    assert [each.state for each in overlapping[1::5]] == [Ending.DONE] * 2
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert "DOE" not in caplog.text


def test_what_is_logged_keeps_the_order_of_the_cases(caplog):
    desk, is_logged = Desk(), threading.Event()

    def fail_late(study):
        if study.uid == "2.25.1":
            assert is_logged.wait(PATIENCE_S)
            raise ZeroDivisionError

    class Third:
        name = "third"
        select = Grade.select

        def analyze(self, _case):
            is_logged.set()
            raise KeyError

    (first, second) = runs_of(2, desk, write=writing(desk, fail_late))
    second = runs_of(2, desk, analysis=Third())[1]
    run_all([first, second], lambda _number, _outcome: None)
    kinds = [record.getMessage().partition("\n")[0] for record in caplog.records]
    assert kinds == ["grade has a bug: ZeroDivisionError", "third has a bug: KeyError"]


def test_an_interruption_ends_what_is_being_written_and_nothing_more():
    desk, is_writing = Desk(), threading.Event()

    def stop(study):
        if study.uid == "2.25.2":
            assert is_writing.wait(PATIENCE_S)
            raise KeyboardInterrupt

    runs = runs_of(
        4, desk, analysis=Answering(desk, stop), write=writing(desk, lambda _: is_writing.set())
    )
    with pytest.raises(KeyboardInterrupt):
        outcomes_of(runs)
    assert [uid for what, uid in desk.events if what == "written"] == ["2.25.1"]
    assert ("read", "2.25.4") not in desk.events
    assert not [each.name for each in threading.enumerate() if "medloop" in each.name]


def test_a_run_alone_is_done_by_the_thread_that_asked():
    desk, threads = Desk(), set()

    def here(_study):
        threads.add(threading.current_thread())

    outcomes_of(
        runs_of(
            1,
            desk,
            analysis=Answering(desk, here),
            archive=Reading(desk, here),
            write=writing(desk, here),
        )
    )
    assert threads == {threading.current_thread()}


def test_no_runs_are_done_at_once():
    assert outcomes_of([]) == []


def without_times(folder):
    """Every file's bytes, less what takes time: the timings in result.json."""
    files = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        found = path.read_bytes()
        if path.name == "result.json":
            found = {**json.loads(found), "timings_s": sorted(json.loads(found)["timings_s"])}
        files[path.relative_to(folder).as_posix()] = found
    return files


@pytest.mark.slow
def test_products_and_summary_are_those_of_one_by_one(tmp_path):
    pictures = []
    for number, level in enumerate((200, 1, 90, 0, 150)):
        path = tmp_path / f"eye{number}.png"
        if level:
            cv2.imwrite(str(path), np.full((40, 60, 3), level, np.uint8))
        else:
            path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
        pictures.append(path)
    together, alone = tmp_path / "together", tmp_path / "alone"
    summary = analyze_into(pictures, together, [Redness()], language="en")
    assert [row.outcome for row in summary.rows] == [
        "done",
        "skipped",
        "done",
        "failed",
        "done",
    ]
    assert [row.input for row in summary.rows] == [str(path) for path in pictures]

    rows = [analyze_into([path], alone, [Redness()], language="en").rows for path in pictures]
    assert [row for one in rows for row in one] == list(summary.rows)
    for folder in (together, alone):
        (folder / "summary.json").unlink()
    assert without_times(together) == without_times(alone)
