"""A run ends as the class of its error says, and never raises."""

import logging
from itertools import count
from pathlib import Path

import pytest

from medloop.core.errors import GeometryError, InputError, ServiceError, UnsuitableError
from medloop.core.study import Notice
from medloop.workflow.worker import Ending, Outcome, run
from tests.workflow.cases import Grade, Shelf, a_study

BLURRED = Notice("blurred", "focus 0.1 is under 0.3")
GUESSED = Notice("spacing_guessed", "no pixel spacing")


def run_one(
    analysis, *, archive=None, write=lambda _case, _result: Path("out"), **more
) -> Outcome:
    study = a_study()
    (selection,) = analysis.select(study)
    return run(analysis, archive or Shelf(), study, selection, write=write, **more)


def test_a_good_run_is_done_and_says_where_its_products_are():
    assert run_one(Grade()) == Outcome(Ending.DONE, "", Path("out"))


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (UnsuitableError("not a fundus photograph"), Ending.SKIPPED),
        (InputError("4 bytes, a header has 132"), Ending.FAILED),
        (GeometryError("slice gap 9.0 mm exceeds 5.0 mm"), Ending.FAILED),
        (ServiceError("disk is full"), Ending.RETRY),
    ],
)
@pytest.mark.parametrize("place", ["archive", "analysis", "write"])
def test_the_class_of_the_error_decides(error, ending, place, caplog):
    def write(_case, _result):
        if place == "write":
            raise error
        return Path("out")

    analysis = Grade(error=error if place == "analysis" else None)
    archive = Shelf(error=error if place == "archive" else None)
    assert run_one(analysis, archive=archive, write=write) == Outcome(ending, str(error))
    assert not caplog.records


def test_a_bug_is_logged_once_with_its_traceback_and_shown_by_type_alone(caplog):
    with caplog.at_level(logging.DEBUG):
        outcome = run_one(Grade(error=KeyError("DOE^JOHN")))
    assert outcome == Outcome(Ending.FAILED, "internal error: KeyError")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "Traceback" in caplog.text


def test_an_interruption_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        run_one(Grade(error=KeyboardInterrupt()))


def test_reading_time_and_warnings_reach_the_result_once():
    kept = []
    ticks = count()

    def write(_case, result):
        kept.append(result)
        return Path("out")

    archive = Shelf(warnings=(BLURRED, GUESSED, BLURRED))
    run_one(Grade(), archive=archive, write=write, clock=lambda: float(next(ticks)))
    (result,) = kept
    assert result.timings_s == {"prepare": 0.1, "infer": 0.2, "post": 0.3, "read": 1.0}
    assert result.warnings == (BLURRED, GUESSED)
