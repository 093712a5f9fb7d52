"""Growth, against hand-computed values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.clinical.lung.growth import doubling_time_days, is_measurable, match


@pytest.mark.parametrize(
    ("before", "now", "days", "doubling"),
    [(100, 200, 90, 90), (100, 400, 90, 45), (100, 50, 90, -90), (100, 125, 365, 1133.8)],
)
def test_doubling_time(before, now, days, doubling):
    assert doubling_time_days(before, now, days) == pytest.approx(doubling, abs=0.05)


def test_what_does_not_change_never_doubles():
    assert math.isinf(doubling_time_days(100, 100, 30))


@given(st.floats(1, 1e5), st.floats(1.01, 8), st.floats(1, 2000))
def test_a_volume_that_grew_for_its_doubling_time_has_doubled(volume, factor, days):
    doubling = doubling_time_days(volume, volume * factor, days)
    assert volume * factor ** (doubling / days) == pytest.approx(2 * volume, rel=1e-6)


@pytest.mark.parametrize("wrong", [(0, 1, 1), (1, -1, 1), (1, 1, 0)])
def test_nothing_doubles_from_nothing(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        doubling_time_days(*wrong)


def test_changes_up_to_a_quarter_are_not_measurable():
    assert not is_measurable(100, 125)
    assert is_measurable(100, 126)
    assert is_measurable(100, 74)


def test_nodules_are_paired_as_closely_as_all_allow():
    before = np.array([[0.0, 0, 0], [10, 0, 0]])
    now = np.array([[8.0, 0, 0], [1, 0, 0], [200, 0, 0]])
    assert sorted(match(now, before)) == [(0, 1), (1, 0)]
    assert match(now[2:], before) == ()
    assert match(now, before[:0]) == ()


@given(st.permutations(range(6)))
def test_pairs_do_not_depend_on_the_order(order):
    before = np.random.default_rng(1).uniform(0, 300, (6, 3))
    now = before[list(order)] + 2.0
    assert dict(match(now, before)) == dict(enumerate(order))
