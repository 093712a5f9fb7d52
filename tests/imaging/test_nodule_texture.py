import numpy as np
import pytest

from medloop.imaging.nodule_outline import outline
from medloop.imaging.nodule_texture import describe_content
from tests.imaging.nodules import GROUND, Scanner, Scene, draw


def content(seed=0, scanner=None, **scene):
    d = draw(Scene(**scene), scanner or Scanner(), np.random.default_rng(seed))
    return describe_content(outline(d.hu, d.spacing_mm, d.seed))


@pytest.mark.parametrize("radius", [2.5, 4.0, 8.0])
@pytest.mark.parametrize("slice_mm", [1.0, 2.5])
def test_a_solid_nodule_is_solid_in_all_sizes_and_slices(radius, slice_mm):
    found = content(radii_mm=(radius,) * 3, scanner=Scanner(slice_mm=slice_mm))
    assert found.kind == "solid"
    assert found.solid_share > 0.8
    assert found.calcium == "none"
    assert found.fat_share < 0.02


@pytest.mark.parametrize("radius", [2.5, 4.0, 8.0])
@pytest.mark.parametrize("density_hu", [-680.0, GROUND, -480.0])
def test_pure_ground_glass_is_non_solid(radius, density_hu):
    found = content(radii_mm=(radius,) * 3, density_hu=density_hu)
    assert found.kind == "non-solid"
    assert found.solid_share < 0.05


def test_a_solid_core_in_ground_glass_is_part_solid():
    found = content(radii_mm=(8, 8, 8), density_hu=GROUND, core=(4.0, 40.0))
    assert found.kind == "part-solid"
    assert 0.05 < found.solid_share < 0.35  # (4 / 8)^3 = 0.125, more without the rim


def test_the_mean_density_is_that_of_the_inside():
    assert content(radii_mm=(7, 7, 7)).mean_hu == pytest.approx(40, abs=25)
    assert content(radii_mm=(7, 7, 7), density_hu=GROUND).mean_hu == pytest.approx(-600, abs=25)


def test_calcium_all_through_is_diffuse():
    found = content(radii_mm=(4, 4, 4), density_hu=500.0)
    assert found.calcium == "diffuse"
    assert found.calcium_share > 0.8


def test_calcium_in_the_middle_is_central():
    found = content(radii_mm=(7, 7, 7), core=(4.0, 500.0))
    assert found.calcium == "central"
    assert 0.1 < found.calcium_share < 0.5


def test_calcium_aside_is_eccentric():
    rng = np.random.default_rng(0)
    d = draw(Scene((7, 7, 7)), Scanner(noise_hu=10), rng)
    k, j, i = np.indices(d.hu.shape)
    middle = np.add(d.seed, (0, 0, 4))
    away = np.sqrt(
        (1.25 * (k - middle[0])) ** 2
        + (0.7 * (j - middle[1])) ** 2
        + (0.7 * (i - middle[2])) ** 2
    )
    hu = np.where(away < 3.3, 500, d.hu).astype(np.float32)
    found = describe_content(outline(hu, d.spacing_mm, d.seed))
    assert found.calcium == "eccentric"


def test_fat_inside_tissue_is_seen_and_a_rim_of_mixed_voxels_is_not():
    assert content(radii_mm=(8, 8, 8), core=(4.0, -80.0)).fat_share > 0.05
    assert content(radii_mm=(8, 8, 8)).fat_share == pytest.approx(0, abs=0.01)


def test_noise_makes_no_calcium():
    found = content(radii_mm=(5, 5, 5), scanner=Scanner(noise_hu=120))
    assert found.calcium == "none"
    assert found.kind == "solid"
