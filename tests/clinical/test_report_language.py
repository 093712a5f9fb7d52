from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.clinical.report.language import (
    FRAME,
    Language,
    age_years,
    day,
    moment,
    percent,
    person,
    say,
)
from medloop.clinical.retina.phrases import WORDS
from medloop.core.study import Patient

EN, ZH = Language.ENGLISH, Language.CHINESE


def placeholders(text: str) -> set[str]:
    return {part.split("}")[0] for part in text.split("{")[1:]}


@pytest.mark.parametrize("book", [FRAME, WORDS])
def test_every_phrase_takes_the_same_numbers_in_both_languages(book):
    for key, (english, chinese) in book.items():
        assert english, key
        assert chinese, key
        assert placeholders(english) == placeholders(chinese), key


def test_an_unknown_phrase_is_an_error():
    with pytest.raises(KeyError):
        say(FRAME, "no such phrase", EN)


def test_percent_has_a_space_in_english_and_none_in_chinese():
    assert percent(0.714, EN) == "71\u00a0%"
    assert percent(0.714, ZH) == "71%"


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_percent_never_claims_certainty(share):
    assert percent(share, ZH) not in ("0%", "100%")


@pytest.mark.parametrize(
    ("name", "language", "expected"),
    [
        ("WANG^XiaoDong=王^小东", ZH, "王小东"),
        ("WANG^XiaoDong=王^小东", EN, "WANG, XiaoDong"),
        ("Doe^Jane^Q", ZH, "Doe, Jane Q"),
        ("=王^小东", EN, "王小东"),
        ("Anonymous", EN, "Anonymous"),
        ("^Jane", EN, "Jane"),
        ("王小东", EN, "王小东"),
        ("", EN, ""),
        ("^^^^", EN, ""),
    ],
)
def test_a_person_name_is_written_as_people_do(name, language, expected):
    assert person(Patient(name=name), language) == expected


def test_dates_become_iso_and_odd_ones_stay_as_they_are():
    assert day("20260312") == "2026-03-12"
    assert day("March") == "March"
    assert day("") == ""


def test_age_counts_completed_years():
    assert age_years("19620714", "20260713") == 63
    assert age_years("19620714", "20260714") == 64
    assert age_years("", "20260714") is None
    assert age_years("20270101", "20260714") is None


def test_times_are_shown_in_utc():
    shanghai = timezone(timedelta(hours=8))
    assert moment(datetime(2026, 3, 14, 1, 30, tzinfo=shanghai)) == "2026-03-13 17:30 UTC"
    assert moment(datetime(2026, 3, 14, 1, 30, tzinfo=UTC)) == "2026-03-14 01:30 UTC"
