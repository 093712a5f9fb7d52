"""To the canvas and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.imaging.fundus import Field
from medloop.models.canvas import normalize, place, unplace
from medloop.models.plan import Plan, Task


@st.composite
def dots(draw):
    """A picture size, a field on it and a point well inside the field."""
    rows, columns = draw(st.integers(120, 400)), draw(st.integers(120, 400))
    radius = draw(st.floats(50, 0.6 * max(rows, columns)))
    cx, cy = columns / 2 + draw(st.floats(-8, 8)), rows / 2 + draw(st.floats(-8, 8))
    box = (
        max(0, int(cx - radius)),
        max(0, int(cy - radius)),
        min(columns, int(cx + radius) + 1),
        min(rows, int(cy + radius) + 1),
    )
    x = draw(st.integers(box[0] + 12, box[2] - 13))
    y = draw(st.integers(box[1] + 12, box[3] - 13))
    return (rows, columns), Field((cx, cy), radius, box), (x, y)


@settings(max_examples=60, deadline=None)
@given(dots(), st.integers(80, 700), st.sampled_from(Task))
def test_a_dot_returns_to_its_place_at_any_scale(dot, field_px, task):
    size, field, (x, y) = dot
    rows, columns = np.ogrid[: size[0], : size[1]]
    width = max(2.0, 2.4 * field.radius_px / field_px)  # a few pixels on either side
    blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))
    rgb = np.repeat((255 * blob).astype(np.uint8)[..., None], 3, -1)
    canvas, placement = place(rgb, field, Plan(task, field_px))
    back = unplace(canvas[..., 0].astype(np.float32), placement)
    back[back < 100] = 0  # the peak
    there = np.array([(back * columns).sum(), (back * rows).sum()]) / back.sum()
    whole = np.where(rgb[..., 0] >= 100, rgb[..., 0], 0).astype(float)
    drawn = np.array([(whole * columns).sum(), (whole * rows).sum()]) / whole.sum()
    assert back.shape == size
    assert np.abs(there - drawn).max() < 1


@settings(max_examples=40, deadline=None)
@given(dots(), st.integers(80, 700))
def test_sides_are_multiples_and_outside_the_field_is_nothing(dot, field_px):
    size, field, _ = dot
    canvas, placement = place(
        np.full((*size, 3), 200, np.uint8), field, Plan(Task.GRADING, field_px)
    )
    assert canvas.shape[0] % 32 == canvas.shape[1] % 32 == 0
    back = unplace(np.ones(canvas.shape[:2], np.float32), placement)
    x0, y0, x1, y1 = field.box
    assert back[y0:y1, x0:x1].min() == pytest.approx(1)
    assert back.sum() == pytest.approx((y1 - y0) * (x1 - x0))


def test_outlines_near_the_plans_scale_keep_the_pictures_own_pixels():
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 255, (210, 210, 3), np.uint8)
    field = Field((104.5, 104.5), 103.0, (0, 0, 210, 210))
    canvas, placement = place(rgb, field, Plan(Task.LESIONS, 200))
    assert placement.size == (210, 210)
    top, left = placement.corner
    assert (canvas[top : top + 210, left : left + 210] == rgb).all()


def test_values_are_scaled_as_the_plan_says():
    canvas = np.array([[[127, 255, 0]]], np.uint8)
    x = normalize(canvas, Plan(Task.GRADING, 604))
    assert x.shape == (1, 3, 1, 1)
    assert x.ravel() == pytest.approx([0, 1, -127 / 128])
