"""Days as people write them, and what of a study is missing."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.names import SeriesUid, SopUid
from medloop.core.retrieve import Listed, Wanted, days_of, missing_of, period_of

TODAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("today", TODAY, TODAY),
        ("yesterday", date(2026, 3, 1), date(2026, 3, 1)),
        ("1 day", TODAY, TODAY),
        ("7 days", date(2026, 2, 24), TODAY),
        ("20260131", date(2026, 1, 31), date(2026, 1, 31)),
        ("2026-01-31", date(2026, 1, 31), date(2026, 1, 31)),
        ("20260101-20260131", date(2026, 1, 1), date(2026, 1, 31)),
        ("2026-01-01..2026-01-31", date(2026, 1, 1), date(2026, 1, 31)),
        ("20260101-", date(2026, 1, 1), None),
        ("-20260131", None, date(2026, 1, 31)),
        ("..2026-01-31", None, date(2026, 1, 31)),
    ],
)
def test_days_are_read_as_people_write_them(text, first, last):
    assert days_of(text, today=TODAY) == (first, last)


@pytest.mark.parametrize(
    "text", ["", "-", "..", "tomorrow", "2026-02-30", "0 days", "20260131-20260101", "1-2", "*"]
)
def test_days_that_mean_nothing_are_refused(text):
    with pytest.raises(ValueError, match="days"):
        days_of(text, today=TODAY)


@given(st.dates(), st.dates())
def test_a_range_comes_back_as_dicom_matches_it(one, other):
    first, last = sorted((one, other))
    begin, end = days_of(f"{first.isoformat()}..{last.isoformat()}", today=TODAY)
    asked = Wanted(first=begin, last=end).date_range
    days = [day.isoformat().replace("-", "") for day in (first, last)]
    assert asked == (days[0] if first == last else "-".join(days))


@pytest.mark.parametrize(("text", "seconds"), [("30 s", 30), ("5 min", 300), ("2 h", 7200)])
def test_periods_are_read_as_people_write_them(text, seconds):
    assert period_of(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "0 min", "-1 min", "5 weeks", "min"])
def test_periods_that_mean_nothing_are_refused(text):
    with pytest.raises(ValueError, match="period"):
        period_of(text)


def test_only_a_query_without_any_key_asks_for_everything():
    assert Wanted().is_everything
    assert not Wanted(modality="CT").is_everything


def listed(uid, series):
    return Listed(SopUid(uid), SeriesUid(series), "1.2")


def test_a_series_of_which_nothing_is_here_is_missing_as_a_whole():
    listing = (listed("1", "a"), listed("2", "a"), listed("3", "b"), listed("4", "b"))
    whole, part = missing_of(listing, frozenset({SopUid("4")}))
    assert (whole.series, whole.is_whole, len(whole.objects)) == ("a", True, 2)
    assert (part.series, part.is_whole, [each.uid for each in part.objects]) == (
        "b",
        False,
        ["3"],
    )


def test_of_a_study_that_is_here_nothing_is_missing():
    listing = (listed("1", "a"), listed("1", "a"))
    assert missing_of(listing, frozenset({SopUid("1")})) == ()
