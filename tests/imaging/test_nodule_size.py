import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.imaging.nodule_cube import frame_around
from medloop.imaging.nodule_outline import Levels, Outline, outline
from medloop.imaging.nodule_size import measure, measure_solid
from tests.imaging import nodule_study as ns
from tests.imaging.nodules import GROUND, Scanner, Scene, a_turn, draw

SHARP = Scanner(pixel_mm=0.5, slice_mm=0.5, blur_mm=0.65, noise_hu=1.0)


def a_box(long_mm, short_mm, high_mm, angle=0.0):
    """Outline a box by hand: no blur, half a voxel of border, on a cube of 0.5 mm."""
    frame = frame_around((40.0, 40.0, 40.0), (0.5, 0.5, 0.5), half_mm=20.0, step_mm=0.5)
    mm = frame.from_center_mm()
    z, y, x = np.meshgrid(mm, mm, mm, indexing="ij")
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    deep = np.minimum(
        np.minimum(long_mm / 2 - np.abs(along), short_mm / 2 - np.abs(across)),
        high_mm / 2 - np.abs(z),
    )
    hu = -860 + 900 * np.clip(deep / 0.5 + 0.5, 0, 1)
    inside = deep > 0
    return Outline(
        mask=inside,
        solid=inside,
        touches_edge=False,
        frame=frame,
        hu=hu,
        even_hu=hu,
        inside=inside,
        depth_mm=np.full(hu.shape, 50.0),
        smoothing_mm=0.0,
        levels=Levels(-860.0, 40.0, 40.0, -410.0, -300.0),
    )


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.2])
def test_a_box_has_its_diagonal_as_long_axis_and_its_volume(angle):
    size = measure(a_box(12.0, 5.0, 6.0, angle))
    assert size.long_mm == pytest.approx(13.0, abs=0.4)  # corners are rounded by a voxel
    assert size.greatest_mm == pytest.approx(np.sqrt(13**2 + 6**2), abs=0.8)
    assert size.volume_mm3 == pytest.approx(360, rel=0.04)
    assert size.diameter_mm == pytest.approx(np.cbrt(6 * 360 / np.pi), rel=0.02)
    # across the diagonal a line runs from side to side: 5 / cos(atan(5 / 12))
    assert size.short_mm == pytest.approx(5 * 13 / 12, abs=0.35)


def test_the_ends_of_the_axes_are_where_they_were_measured():
    size = measure(a_box(12.0, 5.0, 6.0))
    for line, length in ((size.long_line, size.long_mm), (size.short_line, size.short_mm)):
        (k0, *start), (k1, *end) = line
        assert k0 == k1 == pytest.approx(40.0, abs=12)
        assert np.hypot(*(np.subtract(end, start) * 0.5)) == pytest.approx(length, abs=0.3)


@pytest.mark.parametrize("diameter_mm", [4.0, 6.0, 10.0, 20.0])
def test_a_ball_has_its_diameter_in_all_sizes(diameter_mm):
    d = draw(Scene((diameter_mm / 2,) * 3), SHARP, np.random.default_rng(0))
    size = measure(outline(d.hu, d.spacing_mm, d.seed))
    assert size.long_mm == pytest.approx(diameter_mm, abs=0.25)
    assert size.short_mm == pytest.approx(diameter_mm, abs=0.25)
    assert size.greatest_mm == pytest.approx(diameter_mm, abs=0.4)
    assert size.volume_mm3 == pytest.approx(np.pi / 6 * diameter_mm**3, rel=0.08)


def test_a_ball_cut_by_a_wall_keeps_its_axes_from_turning():
    """All its diameters within 30 degrees of the wall are equally long."""
    for seed in range(2):
        scene = Scene((5, 5, 5), wall=(np.array([0, 0, 1.0]), 2.5))
        d = draw(scene, Scanner(), np.random.default_rng(seed), 25)
        size = measure(outline(d.hu, d.spacing_mm, d.seed, lung=d.lung))
        assert size.short_mm == pytest.approx(7.5, abs=0.6)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10_000))
def test_axes_do_not_depend_on_where_between_voxels_a_nodule_lies(seed):
    rng = np.random.default_rng(seed)
    turn, scanner = a_turn(rng), Scanner()
    means = []
    for _ in range(2):
        scene = Scene((3, 4, 5), turn=turn, offset_mm=tuple(rng.uniform(-0.6, 0.6, 3)))
        d = draw(scene, scanner, rng)
        means.append(measure(outline(d.hu, d.spacing_mm, d.seed)).mean_mm)
    assert abs(means[0] - means[1]) < 0.5


def test_the_solid_part_of_a_part_solid_nodule_has_its_own_size():
    d = draw(Scene((8, 8, 8), GROUND, core=(3.5, 40.0)), Scanner(), np.random.default_rng(1))
    nodule = outline(d.hu, d.spacing_mm, d.seed)
    solid = measure_solid(nodule)
    assert measure(nodule).mean_mm == pytest.approx(16, abs=0.6)
    assert solid.mean_mm == pytest.approx(7, abs=0.5)
    assert solid.volume_mm3 == pytest.approx(np.pi / 6 * 7**3, rel=0.15)


def test_pure_ground_glass_has_no_solid_part():
    d = draw(Scene((5, 5, 5), GROUND), Scanner(), np.random.default_rng(1))
    assert measure_solid(outline(d.hu, d.spacing_mm, d.seed)) is None


def test_the_solid_part_of_a_solid_nodule_is_all_of_it():
    d = draw(Scene((5, 5, 5)), Scanner(), np.random.default_rng(1))
    nodule = outline(d.hu, d.spacing_mm, d.seed)
    assert measure_solid(nodule) == measure(nodule)


def test_a_larger_nodule_measures_larger():
    means = []
    for radius in (2.5, 3.0, 3.5, 4.0, 4.5):
        d = draw(Scene((radius,) * 3), Scanner(), np.random.default_rng(2))
        means.append(measure(outline(d.hu, d.spacing_mm, d.seed)).mean_mm)
    assert np.all(np.diff(means) > 0.7)


@pytest.mark.parametrize("place", ns.PLACES)
@pytest.mark.parametrize("density", ns.DENSITIES)
def test_a_few_drawn_nodules_measure_what_was_drawn(place, density):
    rng = np.random.default_rng(11)
    trials = [ns.try_one(rng, place, density, has_mask=True, largest_mm=9.0) for _ in range(3)]
    bias, _ = ns.bias_and_sd(trials)
    assert abs(bias) < 0.5


@pytest.mark.whole
@pytest.mark.parametrize("has_mask", [True, False])
def test_mean_axes_are_right_within_0_3_mm_and_scatter_by_at_most_0_6_mm(has_mask):
    """4 to 20 mm, slices of 1 to 2.5 mm, with and without a mask of the lung."""
    trials = ns.study(np.random.default_rng(7), 14, has_mask=has_mask)
    for place in ns.PLACES:
        for density in ns.DENSITIES:
            bias, sd = ns.bias_and_sd(ns.chosen(trials, place, density))
            assert abs(bias) <= 0.3, (place, density, bias)
            assert sd <= 0.6, (place, density, sd)
