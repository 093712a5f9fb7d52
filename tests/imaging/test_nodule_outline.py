import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from medloop.imaging.nodule_outline import outline
from medloop.imaging.nodule_size import measure
from tests.imaging.nodules import GROUND, LUNG, Scanner, Scene, draw

RIGHT = np.array([0.0, 0.0, 1.0])


def drawn(seed=0, scanner=None, half_mm=0.0, **scene):
    rng = np.random.default_rng(seed)
    return draw(Scene(**scene), scanner or Scanner(), rng, half_mm)


def overlap(nodule, d, radius_mm):
    middle = (np.array(d.hu.shape) - 1) / 2
    offset = [
        (np.arange(n) - m) * s for n, m, s in zip(d.hu.shape, middle, d.spacing_mm, strict=True)
    ]
    away = offset[0][:, None, None] ** 2 + offset[1][:, None] ** 2 + offset[2] ** 2
    truth = away <= radius_mm**2
    return 2 * (truth & nodule.mask).sum() / (truth.sum() + nodule.mask.sum())


@pytest.mark.parametrize("density_hu", [40.0, GROUND])
@pytest.mark.parametrize("slice_mm", [0.5, 1.25, 2.5, 5.0])
def test_a_ball_is_outlined_in_thin_and_thick_slices(density_hu, slice_mm):
    d = drawn(scanner=Scanner(slice_mm=slice_mm), radii_mm=(6, 6, 6), density_hu=density_hu)
    nodule = outline(d.hu, d.spacing_mm, d.seed)
    assert overlap(nodule, d, 6.0) > 0.9
    assert not nodule.touches_edge


def test_lung_without_a_nodule_gives_none():
    hu = np.full((20, 40, 40), LUNG, np.float32)
    hu += np.random.default_rng(0).normal(0, 25, hu.shape).astype(np.float32)
    assert outline(hu, (1.25, 0.7, 0.7), (10, 20, 20)) is None


def test_a_seed_beside_the_nodule_finds_it():
    d = drawn(radii_mm=(4, 4, 4))
    k, j, i = d.seed
    aside = outline(d.hu, d.spacing_mm, (k + 1, j + 4, i - 5))
    assert overlap(aside, d, 4.0) > 0.9


def test_a_vessel_through_the_nodule_is_cut_off():
    d = drawn(radii_mm=(5, 5, 5), tube=(RIGHT, np.zeros(3), 1.5))
    nodule = outline(d.hu, d.spacing_mm, d.seed)
    assert overlap(nodule, d, 5.0) > 0.9
    k, j, _ = d.seed
    assert not nodule.mask[k, j, [2, -3]].any()


@pytest.mark.parametrize("has_mask", [True, False])
def test_the_wall_behind_the_nodule_is_left_out(has_mask):
    d = drawn(radii_mm=(5, 5, 5), wall=(RIGHT, 3.5), half_mm=25)
    nodule = outline(d.hu, d.spacing_mm, d.seed, lung=d.lung if has_mask else None)
    in_wall = nodule.mask & ~d.lung
    assert in_wall.sum() < 0.03 * nodule.mask.sum()
    assert measure(nodule).volume_mm3 == pytest.approx(d.volume_mm3, rel=0.08)


def test_a_mask_that_leaves_the_nodule_out_does_not_cut_it():
    d = drawn(radii_mm=(5, 5, 5), wall=(RIGHT, 3.5), half_mm=25)
    without = d.lung & (d.hu < -400)
    nodule = outline(d.hu, d.spacing_mm, d.seed, lung=without)
    assert measure(nodule).volume_mm3 == pytest.approx(d.volume_mm3, rel=0.1)


def test_ground_glass_around_a_solid_core_belongs_to_the_nodule():
    d = drawn(radii_mm=(8, 8, 8), density_hu=GROUND, core=(3.5, 40.0))
    nodule = outline(d.hu, d.spacing_mm, d.seed)
    assert overlap(nodule, d, 8.0) > 0.9
    assert nodule.levels.nodule_hu == pytest.approx(GROUND, abs=40)
    assert nodule.solid.sum() == pytest.approx(nodule.mask.sum() * (3.5 / 8) ** 3, rel=0.4)


def test_a_vessel_in_ground_glass_is_not_taken_for_the_nodule():
    d = drawn(radii_mm=(6, 6, 6), density_hu=GROUND, tube=(RIGHT, np.zeros(3), 1.5))
    assert overlap(outline(d.hu, d.spacing_mm, d.seed), d, 6.0) > 0.85


def test_a_nodule_at_the_crops_border_says_so():
    d = drawn(radii_mm=(6, 6, 6))
    hu = d.hu[:, :, : d.seed[2] + 4]
    assert outline(hu, d.spacing_mm, d.seed).touches_edge


def test_density_shifts_do_not_move_the_border():
    d = drawn(radii_mm=(5, 5, 5))
    shifted = outline(d.hu + 50, d.spacing_mm, d.seed)
    here = outline(d.hu, d.spacing_mm, d.seed)
    assert measure(shifted).mean_mm == pytest.approx(measure(here).mean_mm, abs=0.15)


def test_the_same_crop_gives_the_same_outline_and_is_not_changed():
    d = drawn(radii_mm=(5, 4, 6))
    before = d.hu.copy()
    first = outline(d.hu, d.spacing_mm, d.seed)
    second = outline(d.hu, d.spacing_mm, d.seed)
    assert np.array_equal(first.mask, second.mask)
    assert np.array_equal(d.hu, before)


@pytest.mark.parametrize(
    ("spacing", "seed", "words"),
    [((1.0, 1.0, 1.0), (0, 0, 99), "outside"), ((1.0, 0.0, 1.0), (1, 1, 1), "positive")],
)
def test_misuse_is_refused(spacing, seed, words):
    hu = np.full((10, 10, 10), LUNG, np.float32)
    with pytest.raises(ValueError, match=words):
        outline(hu, spacing, seed)


def test_one_slice_is_enough_for_an_outline():
    d = drawn(radii_mm=(5, 5, 5), scanner=Scanner(slice_mm=2.5))
    k, j, i = d.seed
    nodule = outline(d.hu[k : k + 1], d.spacing_mm, (0, j, i))
    assert nodule.touches_edge
    assert measure(nodule).mean_mm == pytest.approx(10, abs=0.7)


@pytest.mark.parametrize("fill", [-1024.0, 3071.0])
def test_a_crop_of_one_value_is_no_nodule(fill):
    hu = np.full((6, 12, 12), fill, np.float32)
    nodule = outline(hu, (2.5, 0.7, 0.7), (3, 6, 6))
    assert nodule is None or nodule.touches_edge


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 100_000))
def test_anything_gives_measurable_outlines_or_none(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, [20, 40, 40]))
    blobs = gaussian_filter(rng.normal(size=shape), rng.uniform(0.5, 4)) > 0.02
    hu = (rng.normal(-850, rng.uniform(5, 150), shape) + 900 * blobs).astype(np.float32)
    lung = None if seed % 3 else ~blobs
    place = tuple(int(rng.integers(0, n)) for n in shape)
    nodule = outline(hu, (float(rng.uniform(0.5, 5)), 0.7, 0.7), place, lung=lung)
    if nodule is not None:
        size = measure(nodule)
        assert 0 < size.short_mm <= size.long_mm <= size.greatest_mm < 150
        assert np.isfinite(size.volume_mm3)
        assert nodule.inside.any()
