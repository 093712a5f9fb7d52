from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from medloop.annotation.blinding import panel
from medloop.core.study import StudyUid
from medloop.store.reading import Purpose, Reading, ReadingState

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_reading(
    number: int, reader: str, *, done=False, purpose=Purpose.READ, edits=1
) -> Reading:
    return Reading(
        id=number,
        job=7,
        study=StudyUid("1.2"),
        analysis="retina",
        reader=reader,
        purpose=purpose,
        state=ReadingState.DONE if done else ReadingState.OPEN,
        opened=NOON,
        changed=NOON + timedelta(minutes=number),
        number=edits,
    )


def test_a_reader_cannot_see_the_other_before_both_are_in():
    li, wang = a_reading(1, "li", done=True), a_reading(2, "wang")
    half = panel([li, wang], wanted=2)
    assert half.may_see("li", li)
    assert not half.may_see("li", wang)
    assert not half.may_see("wang", li)
    assert not half.is_complete
    both = panel([li, replace(wang, state=ReadingState.DONE)], wanted=2)
    assert both.may_see("wang", li)
    assert both.may_see("li", wang)
    assert both.is_complete


def test_nobody_looks_before_all_are_in_whatever_they_are():
    li = a_reading(1, "li", done=True)
    assert not panel([li], wanted=2).may_see("an-administrator", li)


def test_who_still_reads_sees_nobody_though_all_that_were_wanted_are_in():
    li, wang = a_reading(1, "li", done=True), a_reading(2, "wang", done=True)
    late = panel([li, wang, a_reading(3, "zhao")], wanted=2)
    assert not late.may_see("zhao", li)
    assert not late.may_adjudicate("zhao")
    assert late.may_see("chen", li)
    assert late.may_adjudicate("chen")


def test_who_only_opened_a_reading_may_still_decide():
    li, wang = a_reading(1, "li", done=True), a_reading(2, "wang", done=True)
    late = panel([li, wang, a_reading(3, "chen", edits=0)], wanted=2)
    assert late.may_adjudicate("chen")
    assert not panel([li, a_reading(2, "wang", edits=0)], wanted=2).may_see("wang", li)


def test_where_one_reading_is_wanted_nothing_is_hidden():
    li = a_reading(1, "li")
    assert panel([li], wanted=1).may_see("wang", li)


def test_who_decided_between_readers_cannot_read_apart_afterward():
    readings = [
        a_reading(1, "li", done=True),
        a_reading(2, "wang", done=True),
        a_reading(3, "chen", purpose=Purpose.ADJUDICATE),
    ]
    assert not panel(readings, wanted=2).may_read("chen")
    assert panel(readings, wanted=2).may_read("zhao")


@pytest.mark.parametrize("wanted", [2, 3])
def test_an_adjudication_is_no_reading_and_the_last_one_counts(wanted):
    first = a_reading(3, "chen", done=True, purpose=Purpose.ADJUDICATE)
    later = a_reading(4, "zhao", done=True, purpose=Purpose.ADJUDICATE)
    both = panel([a_reading(1, "li", done=True), first, later], wanted=wanted)
    assert not both.is_complete
    assert both.decided == later
