"""Plots within pages."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.apps.web.plots import Heights, columns, filled, interval, line, nice

VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=30)


def rectangles(drawn):
    return [each for each in ET.fromstring(drawn).iter() if each.tag == "rect"]  # noqa: S314


@given(VALUES)
def test_columns_are_as_tall_as_their_values_and_within_the_plot(values):
    drawn = columns("t", [""] * len(values), (Heights("a", "ok", tuple(values)),))
    found = rectangles(drawn)
    assert len(found) == sum(value > 0 for value in values)
    for each in found:
        assert 0 <= float(each.get("y")) <= 140
        assert float(each.get("y")) + float(each.get("height")) <= 121


def test_columns_of_one_place_stand_on_each_other():
    drawn = columns("t", ["x"], (Heights("a", "ok", (3.0,)), Heights("b", "bad", (1.0,))))
    low, high = rectangles(drawn)
    bottom = float(high.get("y")) + float(high.get("height"))
    assert bottom == pytest.approx(float(low.get("y")), abs=0.2)
    assert float(low.get("height")) == pytest.approx(3 * float(high.get("height")), abs=0.5)


def test_a_line_ends_where_there_is_nothing():
    drawn = ET.fromstring(line("t", [""] * 5, [1.0, 2.0, 0.0, 3.0, 1.0]))  # noqa: S314
    points = [each.get("points").split() for each in drawn.iter() if each.tag == "polyline"]
    assert [len(each) for each in points] == [2, 2]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_an_interval_lies_around_its_value(first, second, third):
    low, value, high = sorted((first, second, third))
    drawn = ET.fromstring(interval(value, low, high))  # noqa: S314
    (ends,) = [each for each in drawn.iter() if each.get("class") == "plot-range"]
    (dot,) = [each for each in drawn.iter() if each.tag == "circle"]
    x = float(dot.get("cx"))
    assert 4 <= float(ends.get("x1")) <= x <= float(ends.get("x2")) <= 176


@given(st.floats(0, 1e12))
def test_an_axis_ends_at_or_above_its_values(value):
    assert value <= nice(value) * (1 + 1e-9)
    assert nice(value) <= max(2 * value, 1)


def test_what_others_wrote_is_escaped():
    assert "<b>" not in columns("<b>", ["<b>"], (Heights("<b>", "ok", (1.0,)),))
    assert "<b>" not in filled("<b>", 0.5, "ok")
