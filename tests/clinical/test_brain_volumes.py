import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medloop.clinical.brain.volumes import measure, measure_parts
from medloop.core.geometry import Grid
from medloop.imaging.shape import shape_of

UNIT = Grid((4, 5, 6), np.eye(4))
SCORES = arrays(np.float64, (3, 4, 5, 6), elements=st.floats(-6, 6))


def a_ball(radius_mm: float, width_mm: float) -> tuple[np.ndarray, Grid]:
    """A probability that falls from the middle outward, one half at `radius_mm`."""
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    affine[:3, 3] = -20, -30, 40
    index = np.indices((64, 64, 64)) - 31.5
    away = 0.5 * np.sqrt((index**2).sum(axis=0))
    probability = 1 / (1 + np.exp((away - radius_mm) / width_mm))
    return probability.astype(np.float32), Grid((64, 64, 64), affine)


def ball_mm3(radius_mm: float) -> float:
    return 4 / 3 * np.pi * radius_mm**3


def test_a_soft_ball_has_the_volumes_of_the_formula():
    probability, grid = a_ball(9.0, 0.8)
    measured = measure(probability > 0.5, probability, grid)
    assert measured.volume_mm3 == pytest.approx(ball_mm3(9.0), rel=0.005)
    assert measured.low_mm3 == pytest.approx(ball_mm3(9.0 - 0.8 * np.log(3)), rel=0.005)
    assert measured.high_mm3 == pytest.approx(ball_mm3(9.0 + 0.8 * np.log(3)), rel=0.005)
    # 4 pi times the integral of r^2 / (1 + exp((r - R) / w)), to the order of exp(-R / w)
    expected = 4 / 3 * np.pi * (9.0**3 + np.pi**2 * 9.0 * 0.8**2)
    assert measured.expected_mm3 == pytest.approx(expected, rel=0.005)
    assert measured.center_lps_mm == pytest.approx((-4.25, -14.25, 55.75))


def test_nothing_labelled_is_not_measured():
    assert measure(np.zeros(UNIT.shape, bool), np.ones(UNIT.shape, np.float32), UNIT) is None


@given(SCORES)
def test_the_volume_lies_between_the_strict_and_the_generous(scores):
    shares = np.exp(scores) / np.exp(scores).sum(axis=0)
    labels = shares.argmax(axis=0)
    maps = {n: shares[n].astype(np.float32) for n in (1, 2)}
    whole = measure(labels > 0, maps[1] + maps[2], UNIT)
    parts = measure_parts(labels, maps, UNIT)
    assert set(parts) == set(np.unique(labels)) - {0}
    for each in (*parts.values(), *([whole] if whole else [])):
        assert each.low_mm3 <= each.volume_mm3 <= each.high_mm3
        assert 0 <= each.probability <= 1
    if whole:
        assert whole.volume_mm3 == sum(part.volume_mm3 for part in parts.values())


@given(SCORES, st.floats(0.3, 3))
def test_volumes_grow_with_the_cube_of_the_voxels(scores, factor):
    inside, probability = scores[0] > 0, (1 / (1 + np.exp(-scores[0]))).astype(np.float32)
    inside[0, 0, 0] = True
    large = Grid(UNIT.shape, np.diag([factor, factor, factor, 1.0]))
    one, other = (measure(inside, probability, grid) for grid in (UNIT, large))
    for name in ("volume_mm3", "expected_mm3", "low_mm3", "high_mm3"):
        assert getattr(other, name) == pytest.approx(getattr(one, name) * factor**3)


def test_touched_faces_and_loose_pieces_are_counted():
    inside = np.zeros(UNIT.shape, bool)
    inside[1:3, 1:3, 1:3] = True
    assert (shape_of(inside, UNIT).faces, shape_of(inside, UNIT).pieces) == (0, 1)
    inside[3, 3, 3] = True  # touches by a corner: the same piece, and the last face of k
    assert (shape_of(inside, UNIT).faces, shape_of(inside, UNIT).pieces) == (1, 1)
    inside[0, 4, 5] = True
    shape = shape_of(inside, UNIT)
    assert (shape.faces, shape.pieces, shape.apart_mm3) == (4, 2, pytest.approx(1.0))
