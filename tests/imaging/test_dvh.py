"""Dose-volume histograms agree with closed forms: a linear dose through simple bodies.

The phantoms are those of Nelms 2015 (doi:10.1118/1.4923175): bodies 24 mm wide and high in a
dose that rises evenly along the patient or across. The formulas are of plane geometry.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.image import Volume
from medloop.imaging.dvh import dvh_of, on_grid_of
from medloop.imaging.soft import soft_of
from tests.imaging.soft_phantoms import a_ball, a_cylinder, a_grid, a_soft, places_of

R = H = 12.0  # radius and half height in mm
MIDDLE_GY, SLOPE_GY_MM = 16.0, 1.0  # 4 to 28 Gy
SHARES = (0.99, 0.98, 0.95, 0.5, 0.05, 0.02)
FINE, SLICES, COARSE = (1.0, 1.0, 1.0), (3.0, 1.0, 1.0), (3.0, 3.0, 3.0)
# Of sharp edges a coarse grid keeps too little for half a percent.
CASES = [
    ("ball", FINE, 1.0),
    ("ball", SLICES, 2.0),
    ("ball", COARSE, 3.0),
    ("cylinder along its axis", FINE, 1.0),
    ("cylinder along its axis", FINE, 3.0),
    ("cylinder across", FINE, 3.0),
    ("cylinder across", SLICES, 2.0),
    ("cone", FINE, 1.0),
    ("cone", FINE, 3.0),
]


def a_dose(spacing_mm: float, axis: int, *, size_mm=40.0, slope=SLOPE_GY_MM) -> Volume:
    grid = a_grid((spacing_mm,) * 3, size_mm, off_mm=(0.11, -0.42, 0.3))
    values = MIDDLE_GY + slope * places_of(grid)[..., axis]
    return Volume(values.astype(np.float32), grid, "Gy")


def a_cone(places):
    """Apex at z = 12 mm, base of radius 12 mm at z = -12 mm."""
    across = np.linalg.norm(places[..., :2], axis=-1)
    length = math.hypot(R, 2 * H)
    side = (across * 2 * H + (places[..., 2] - H) * R) / length
    return np.maximum(side, -H - places[..., 2])


def ball_above(t: float) -> float:
    return math.pi * (R - t) ** 2 * (2 * R + t) / 3


def cylinder_above(t: float) -> float:
    return math.pi * R**2 * (H - t)


def lying_cylinder_above(t: float) -> float:
    return 2 * H * (R**2 * math.acos(t / R) - t * math.sqrt(R**2 - t**2))


def cone_above(t: float) -> float:
    return math.pi / 3 * ((H - t) / 2) ** 2 * (H - t)


BODIES = {
    "ball": (a_ball(R), 2, ball_above),
    "cylinder along its axis": (a_cylinder(R, H), 2, cylinder_above),
    "cylinder across": (a_cylinder(R, H), 1, lying_cylinder_above),
    "cone": (a_cone, 2, cone_above),
}


def place_of_share(above, share: float) -> float:
    """Where a plane leaves this share of a body above it, by halving."""
    low, high = -R, R
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if above(middle) > share * above(-R) else (low, middle)
    return low


@pytest.mark.parametrize(("body", "spacing_mm", "dose_mm"), CASES)
def test_doses_and_volumes_are_within_half_a_percent(body, spacing_mm, dose_mm):
    shape, axis, above = BODIES[body]
    dvh = dvh_of(a_soft(a_grid(spacing_mm, 36), shape), a_dose(dose_mm, axis))
    highest_gy = MIDDLE_GY + R * SLOPE_GY_MM
    assert dvh.volume_cm3 * 1000 == pytest.approx(above(-R), rel=0.005)
    for share in SHARES:
        expected = MIDDLE_GY + SLOPE_GY_MM * place_of_share(above, share)
        assert dvh.dose_to_share(share) == pytest.approx(expected, abs=0.005 * highest_gy)
    for gy in (8.0, 12.0, 16.0, 20.0, 24.0):
        expected = above((gy - MIDDLE_GY) / SLOPE_GY_MM) / above(-R)
        assert dvh.share_of_dose(gy) == pytest.approx(expected, abs=0.005)
    mean = place_of_mean(above)
    assert dvh.mean_gy == pytest.approx(MIDDLE_GY + SLOPE_GY_MM * mean, rel=0.005)


def place_of_mean(above) -> float:
    planes = np.linspace(-R, R, 4001)
    return -R + np.trapezoid([above(min(t, R)) / above(-R) for t in planes], planes)


def test_least_and_greatest_dose_are_those_at_the_surface():
    dvh = dvh_of(a_soft(a_grid((1, 1, 1), 36), a_ball(R)), a_dose(2.0, 2))
    assert dvh.least_gy == pytest.approx(4.0, abs=0.1)
    assert dvh.greatest_gy == pytest.approx(28.0, abs=0.1)
    assert dvh.dose_to_share(1.0) == dvh.least_gy
    assert dvh.dose_to_volume(0.0) == dvh.greatest_gy
    assert dvh.volume_of_dose(28.5) == 0
    assert dvh.share_of_dose(3.5) == 1


def test_the_hottest_0_03_cm3_of_a_ball_is_its_cap():
    dvh = dvh_of(a_soft(a_grid((1, 1, 1), 36), a_ball(R)), a_dose(1.0, 2))
    low, high = 0.0, R
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if ball_above(middle) > 30 else (low, middle)
    assert dvh.dose_to_volume(0.03) == pytest.approx(MIDDLE_GY + low, abs=0.14)


def test_an_even_dose_is_one_step():
    grid = a_grid((2, 2, 2), 40)
    dose = Volume(np.full(grid.shape, 50.0, np.float32), grid, "Gy")
    dvh = dvh_of(a_soft(a_grid((3, 1, 1), 36), a_ball(R)), dose)
    for share in SHARES:
        assert dvh.dose_to_share(share) == pytest.approx(50.0, abs=0.03)
    assert dvh.mean_gy == pytest.approx(50.0)
    assert dvh.share_of_dose(49.9) == pytest.approx(1.0)
    assert dvh.share_of_dose(50.1) == 0


def test_what_lies_beyond_the_dose_grid_is_told_and_counts_as_no_dose():
    dose = a_dose(2.0, 2)
    half = Volume(dose.array[dose.array.shape[0] // 2 :], a_half(dose), "Gy")
    dvh = dvh_of(a_soft(a_grid((1, 1, 1), 36), a_ball(R)), half)
    low = half.grid.affine[2, 3] - 1.0  # half a dose voxel below the lowest centers
    assert dvh.outside_cm3 * 1000 == pytest.approx(ball_above(-R) - ball_above(low), rel=0.05)
    assert dvh.least_gy == 0


def a_half(dose: Volume):
    first = dose.array.shape[0] // 2
    affine = dose.grid.affine.copy()
    affine[:3, 3] = dose.grid.to_world(np.array([[first, 0.0, 0.0]]))[0]
    shape = (dose.array.shape[0] - first, *dose.array.shape[1:])
    return replace(dose.grid, shape=shape, affine=affine)


def test_a_structure_without_a_voxel_has_no_doses():
    grid = a_grid((2, 2, 2), 20)
    dvh = dvh_of(soft_of(np.zeros(grid.shape, bool), grid), a_dose(2.0, 2))
    assert dvh.volume_cm3 == 0
    assert math.isnan(dvh.mean_gy)
    assert math.isnan(dvh.share_of_dose(20.0))


def test_a_linear_dose_is_kept_by_a_finer_grid():
    fine = a_grid((1.1, 0.7, 0.9), 20)
    values = on_grid_of(a_dose(3.0, 0), Volume(np.zeros(fine.shape, np.float32), fine, "1"))
    expected = MIDDLE_GY + SLOPE_GY_MM * places_of(fine)[..., 0]
    np.testing.assert_allclose(values.array, expected, atol=1e-3)


def test_a_share_beyond_one_is_refused():
    dvh = dvh_of(a_soft(a_grid((2, 2, 2), 30), a_ball(5.0)), a_dose(2.0, 2))
    with pytest.raises(ValueError, match="between 0 and 1"):
        dvh.dose_to_share(1.1)


@pytest.mark.slow
@settings(deadline=None, max_examples=5)
@given(st.integers(0, 99))
def test_the_histogram_falls_from_the_whole_volume_and_sums_to_it(seed):
    grid = a_grid((3, 3, 3), 30)
    values = np.random.default_rng(seed).random(grid.shape).astype(np.float32) * 60
    dvh = dvh_of(a_soft(a_grid((2, 2, 2), 26), a_ball(8.0)), Volume(values, grid, "Gy"))
    assert (np.diff(dvh.cumulative_cm3) <= 1e-9).all()
    left = dvh.cumulative_cm3[-1]
    assert dvh.differential_cm3.sum() + left == pytest.approx(dvh.volume_cm3)
    assert dvh.least_gy <= dvh.dose_to_share(0.95) <= dvh.dose_to_share(0.5)
    assert dvh.dose_to_share(0.5) <= dvh.dose_to_volume(0.03) <= dvh.greatest_gy
