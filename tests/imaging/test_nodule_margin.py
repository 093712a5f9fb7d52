import numpy as np
import pytest

from medloop.imaging.nodule_margin import describe_margin
from medloop.imaging.nodule_outline import outline
from medloop.imaging.nodule_region import convexity, sphericity
from tests.imaging.nodules import Scanner, Scene, draw

RIGHT = np.array([0.0, 0.0, 1.0])


def margin(seed=0, scanner=None, half_mm=0.0, **scene):
    d = draw(Scene(**scene), scanner or Scanner(), np.random.default_rng(seed), half_mm)
    return describe_margin(outline(d.hu, d.spacing_mm, d.seed))


def grid(half=20):
    mm = np.arange(-half, half + 1, dtype=float)
    return np.meshgrid(mm, mm, mm, indexing="ij")


def test_a_ball_has_sphericity_one_and_a_cube_what_geometry_says():
    z, y, x = grid()
    assert sphericity(z**2 + y**2 + x**2 <= 14**2) == pytest.approx(1.0, abs=0.02)
    cube = np.maximum(np.maximum(np.abs(z), np.abs(y)), np.abs(x)) <= 14
    assert sphericity(cube) == pytest.approx(
        (np.pi / 6) ** (1 / 3), abs=0.06
    )  # 0.806; edges are rounded


def test_a_long_ellipsoid_is_less_spherical():
    z, y, x = grid()
    long = (z / 6) ** 2 + (y / 6) ** 2 + (x / 18) ** 2 <= 1
    # prolate, axes 1 : 3: surface by its formula
    e = np.sqrt(1 - 1 / 9)
    surface = 2 * np.pi * 36 * (1 + 3 / e * np.arcsin(e))
    ball = np.cbrt(np.pi) * (6 * (4 / 3 * np.pi * 6 * 6 * 18)) ** (2 / 3)
    assert sphericity(long) == pytest.approx(ball / surface, abs=0.03)


def test_two_balls_that_touch_fill_their_hull_by_what_geometry_says():
    z, y, x = grid()
    two = (z**2 + y**2 + (x - 9) ** 2 <= 83) | (z**2 + y**2 + (x + 9) ** 2 <= 83)
    # ball + ball over ball + cylinder of the same radius: (8 / 3) / (4 / 3 + 2)
    assert convexity(two) == pytest.approx(0.8, abs=0.05)
    assert convexity(z**2 + y**2 + x**2 <= 14**2) > 0.95


def test_a_ball_in_the_lung_has_no_spikes_and_is_far_from_the_wall():
    found = margin(radii_mm=(6, 6, 6))
    assert found.spiculation < 0.02
    assert found.strands == 0
    assert found.sphericity > 0.95
    assert found.wall_share == 0
    assert found.is_smooth
    assert not found.is_juxtapleural


def test_a_vessel_through_a_nodule_makes_two_strands():
    found = margin(radii_mm=(6, 6, 6), tube=(RIGHT, np.zeros(3), 1.2))
    assert found.strands == 2
    # two disks of radius 1.2 (and blur) on a ball of 8 mm
    assert 2 * 1.0**2 / 4 / 8**2 < found.spiculation < 2 * 2.5**2 / 4 / 8**2


def test_more_strands_make_more_spiculation():
    rng = np.random.default_rng(0)
    d = draw(Scene((6, 6, 6)), Scanner(), rng)
    place = (np.indices(d.hu.shape).T - np.array(d.seed)) * d.spacing_mm
    hu, values = d.hu.copy(), []
    for count, angle in enumerate(np.linspace(0, np.pi, 6, endpoint=False)):
        along = np.array([0, np.sin(angle), np.cos(angle)])
        aside = place - (place @ along)[..., None] * along
        near = (np.sqrt((aside**2).sum(-1)) < 0.9) & (np.sqrt((place**2).sum(-1)) < 11)
        hu[near.T] = np.maximum(hu[near.T], 0)
        if count in (0, 2, 5):
            values.append(describe_margin(outline(hu, d.spacing_mm, d.seed)))
    assert values[0].spiculation < values[1].spiculation < values[2].spiculation
    assert values[2].strands >= 8
    assert not values[2].is_smooth
    assert values[2].is_spiculated


def test_lobes_lower_convexity():
    smooth = margin(radii_mm=(8, 8, 8)).convexity
    lobed = margin(radii_mm=(8, 8, 8), ripple=(4, 0.3)).convexity
    assert lobed < smooth - 0.03


@pytest.mark.parametrize("blur_mm", [0.5, 0.8, 1.2])
def test_the_edge_is_as_wide_as_the_blur_makes_it(blur_mm):
    found = margin(radii_mm=(8, 8, 8), scanner=Scanner(blur_mm=blur_mm, slice_mm=1.0))
    assert found.edge_mm == pytest.approx(2.563 * np.hypot(blur_mm, 0.2), rel=0.2)


def test_a_nodule_at_the_wall_is_juxtapleural_and_one_away_tells_how_far():
    at = margin(radii_mm=(5, 5, 5), wall=(RIGHT, 3.5), half_mm=25)
    assert at.is_juxtapleural
    assert at.wall_mm == 0
    assert 0.05 < at.wall_share < 0.4
    away = margin(radii_mm=(4, 4, 4), wall=(RIGHT, 9.0), half_mm=25)
    assert away.wall_mm == pytest.approx(5.0, abs=1.0)
    assert not away.is_juxtapleural
