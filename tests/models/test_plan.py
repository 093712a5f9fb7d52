"""A plan is written and read without loss, and refused when it is not one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.models.plan import Plan, Scale, Task, plan_from_json

names = st.text(min_size=1, max_size=8)
numbers = st.floats(0.01, 1000)
plans = st.builds(
    Plan,
    task=st.sampled_from(Task),
    field_px=st.integers(1, 4096),
    multiple=st.integers(1, 64),
    mean=numbers,
    scale=numbers,
    classes=st.lists(names, max_size=6).map(tuple),
    scales=st.lists(st.builds(Scale, names, st.integers(2, 9)), max_size=3).map(tuple),
    temperature=st.lists(numbers, max_size=3).map(tuple),
    thresholds=st.lists(numbers, max_size=6).map(tuple),
)


@given(plans)
def test_a_plan_survives_writing_and_reading(plan):
    assert plan_from_json(plan.to_json()) == plan


def test_an_unknown_coordinate_frame_is_refused():
    raw = json.loads(Plan(Task.GRADING, 604).to_json()) | {"frame": "picture/whole"}
    with pytest.raises(InputError, match="frame 'picture/whole', known are picture/field"):
        plan_from_json(json.dumps(raw))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"task": "dreaming"}', "null", "\x00"])
def test_what_is_no_plan_is_refused_in_one_line(text):
    with pytest.raises(InputError, match=r"plan\.json is not a plan") as caught:
        plan_from_json(text)
    assert "\n" not in str(caught.value)
