"""A time is filled, and what filled it is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from medloop.core.errors import InputError  # noqa: E402
from medloop.learning.budget import Length, kept_length, length_for, time_step  # noqa: E402
from medloop.learning.loop import Schedule  # noqa: E402
from tests.learning.test_loop import EXACT, a_network, batches, plain  # noqa: E402

pytestmark = pytest.mark.train


def test_an_hour_of_half_second_steps_is_66_epochs_of_100():
    assert length_for(60, 0.5, 100) == Length(66, 0, 0.5)  # 0.92 x 7200 steps


def test_a_short_time_has_shorter_epochs():
    assert length_for(1, 0.5, 100) == Length(20, 5, 0.5)  # 110 steps


@given(st.floats(0.1, 600), st.floats(0.01, 3), st.integers(1, 500), st.booleans())
def test_the_time_is_never_exceeded_and_mostly_used(minutes, step_s, steps, watches):
    length = length_for(minutes, step_s, steps, watches=watches)
    taken = length.epochs * (length.steps or steps) * step_s * (1.1 if watches else 1)
    assert taken <= 60 * minutes
    if minutes * 60 / step_s > 1000:
        assert taken > 0.4 * 60 * minutes


def test_too_little_time_for_a_step_is_said():
    with pytest.raises(InputError, match=r"minutes=0\.01: one step takes 2\.0 s"):
        length_for(0.01, 2.0, 10)


def test_what_was_decided_once_holds_for_a_resume(tmp_path):
    path = tmp_path / "work" / "budget.json"
    first = kept_length(path, lambda: Length(30, 12, 0.4))
    assert kept_length(path, lambda: Length(99, 99, 9.9)) == first
    assert "--set epochs=30 --set steps=12" in first.in_words(10)


def test_timing_leaves_a_time_behind():
    network = a_network()
    assert 0 < time_step(network, batches, plain, Schedule(1, 4), EXACT) < 60
