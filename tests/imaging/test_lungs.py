"""Lungs of drawn chests, whose outline is known, and of two public scans."""

import os
import tracemalloc
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import UnsuitableError
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.dicom.index import index
from medloop.dicom.read import read_volume
from medloop.imaging.balls import grow
from medloop.imaging.lungs import find_lungs
from tests.thorax import Ball, Chest, Drawn, a_chest, a_grid, a_head, ball_share

FLAT = a_grid(steps_mm=(5.0, 2.8, 2.8))
PLAIN = Chest()


@cache
def drawn(chest: Chest = PLAIN) -> Drawn:
    return a_chest(chest)


def dice(one, other) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def agreement(mask, truth: Drawn) -> float:
    """The worse of both sides' Dice coefficients."""
    return min(dice(mask == 1, truth.right), dice(mask == 2, truth.left))


def test_both_lungs_are_found_and_named():
    lungs = find_lungs(drawn().volume)
    assert lungs.mask.dtype == np.uint8
    assert lungs.mask.shape == drawn().volume.array.shape
    assert agreement(lungs.mask, drawn()) > 0.97
    assert lungs.notices == ()


def test_volumes_are_those_drawn():
    lungs, voxel_ml = find_lungs(drawn().volume), drawn().volume.grid.voxel_mm3 / 1000
    assert lungs.right_ml == pytest.approx(drawn().right.sum() * voxel_ml, rel=0.03)
    assert lungs.left_ml == pytest.approx(drawn().left.sum() * voxel_ml, rel=0.03)


@pytest.mark.parametrize("diameter_mm", [4.0, 8.0, 14.0, 20.0, 30.0])
@pytest.mark.parametrize(
    ("outward", "surface_mm"),
    [((-1, 0, 0), (-140, 0, 0)), ((0, 1, 0), (-60, 78, 10)), ((1, 0, 0), (140, 0, -10))],
)
def test_a_nodule_at_the_wall_stays_in(diameter_mm, outward, surface_mm):
    center = tuple(np.array(surface_mm) - np.array(outward) * diameter_mm / 2)
    chest = a_chest(Chest(balls=(Ball(center, diameter_mm),)))
    mask = find_lungs(chest.volume).mask
    share, box = ball_share(chest.volume.grid, center, diameter_mm)
    inside = (share * (mask[box] > 0)).sum() / share.sum()
    assert inside > 0.9


def test_a_nodule_half_sunk_into_the_wall_keeps_its_inner_half():
    chest = a_chest(Chest(balls=(Ball((-142.0, 0.0, 0.0), 16.0),)))
    mask = find_lungs(chest.volume).mask
    k, j, i = np.rint(chest.volume.grid.to_index(np.array([-138.0, 0.0, 0.0]))).astype(int)
    assert mask[k, j, i] == 1


@pytest.mark.parametrize("center_mm", [(-40.0, 12.0, -30.0), (44.0, 10.0, -28.0)])
def test_a_nodule_among_the_vessels_at_the_root_stays_in(center_mm):
    chest = a_chest(Chest(balls=(Ball(center_mm, 10.0),)))
    mask = find_lungs(chest.volume).mask
    share, box = ball_share(chest.volume.grid, center_mm, 10.0)
    assert (share * (mask[box] > 0)).sum() / share.sum() > 0.7


def test_a_mass_with_lung_all_around_is_filled():
    chest = a_chest(Chest(balls=(Ball((-75.0, 0.0, 20.0), 46.0),)))
    share, box = ball_share(chest.volume.grid, (-75.0, 0.0, 20.0), 46.0)
    assert (find_lungs(chest.volume).mask[box][share > 0.5] == 1).all()


def test_the_mask_grows_into_heart_and_chest_wall_by_a_few_millimeters_at_most():
    chest = drawn()
    mask = find_lungs(chest.volume).mask > 0
    steps = chest.volume.grid.spacing_mm[:2]
    near = grow(chest.right | chest.left, 5.0, steps_mm=steps)
    assert (mask & ~near).sum() < 0.002 * mask.sum()
    farther = grow(chest.right | chest.left, 10.0, steps_mm=steps)
    assert not (mask & ~farther).any()


def test_the_trachea_and_main_bronchi_are_left_out():
    chest = drawn()
    lungs = find_lungs(chest.volume)
    for place in (
        (0.0, 14.0, 60.0),
        (0.0, 14.0, 10.0),
        (-12.0, 14.5, -11.0),
        (12.0, 14.5, -11.0),
    ):
        k, j, i = np.rint(chest.volume.grid.to_index(np.array(place))).astype(int)
        assert lungs.mask[k, j, i] == 0
    assert 20 < lungs.airways.sum() * lungs.coarse.grid.voxel_mm3 / 1000 < 70


@pytest.mark.parametrize("junction_mm", [2.5, 1.0, 0.4])
def test_lungs_that_touch_in_front_are_told_apart(junction_mm):
    chest = drawn(Chest(junction_mm=junction_mm))
    assert agreement(find_lungs(chest.volume).mask, chest) > 0.96


@pytest.mark.parametrize(
    "brought",
    [
        {"padding_hu": -2000.0},
        {"padding_hu": -3024.0},
        {"blood_hu": 350.0},
        {"has_metal": True},
        {"has_table": False},
        {"effusion_mm": 35.0},
        {"noise_hu": 60.0},
        {"lung_hu": -930.0},
        {"lung_hu": -700.0},
    ],
    ids=str,
)
def test_what_scanners_and_patients_bring_does_no_harm(brought):
    chest = Chest(**brought)
    assert agreement(find_lungs(drawn(chest).volume).mask, drawn(chest)) > 0.95


def test_slices_of_5_mm_will_do():
    chest = a_chest(grid=FLAT)
    assert agreement(find_lungs(chest.volume).mask, chest) > 0.95


def test_five_slices_within_the_chest_will_do():
    chest = a_chest(
        grid=a_grid(steps_mm=(5.0, 2.8, 2.8), low_mm=(-180, -150, 5), high_mm=(180, 170, 30))
    )
    lungs = find_lungs(chest.volume)
    assert agreement(lungs.mask, chest) > 0.95
    assert [notice.code for notice in lungs.notices] == ["lungs-cut"]


def test_thin_slices_are_read_too():
    grid = a_grid(steps_mm=(0.8, 5.0, 5.0))
    chest = a_chest(grid=grid)
    lungs = find_lungs(chest.volume)
    assert lungs.coarse.array.shape[0] * 3 == pytest.approx(grid.shape[0], abs=3)
    assert agreement(lungs.mask, chest) > 0.96


def test_a_newborns_lungs_are_found():
    steps, scale = (1.2, 0.9, 0.9), 0.33
    low, high = (-62, -52, -66), (62, 58, 58)
    chest = a_chest(
        Chest(scale=scale, lung_hu=-550.0),
        a_grid(steps_mm=steps, low_mm=low, high_mm=high),
    )
    assert agreement(find_lungs(chest.volume).mask, chest) > 0.95


def test_a_lung_that_is_missing_is_said():
    chest = a_chest(Chest(has_left=False))
    lungs = find_lungs(chest.volume)
    assert dice(lungs.mask == 1, chest.right) > 0.95
    assert (lungs.left_ml, [notice.code for notice in lungs.notices]) == (0.0, ["lung-missing"])


@pytest.mark.parametrize(("low_mm", "high_mm", "side"), [(-175, 15, 1), (-15, 175, 2)])
def test_in_a_field_of_view_of_one_side_the_lung_keeps_its_side(low_mm, high_mm, side):
    grid = a_grid(low_mm=(low_mm, -150, -190), high_mm=(high_mm, 170, 170))
    chest = a_chest(grid=grid)
    mask = find_lungs(chest.volume).mask
    assert dice(mask == side, chest.right if side == 1 else chest.left) > 0.95


def test_lungs_that_the_field_of_view_cuts_are_found_and_said_to_be_cut():
    grid = a_grid(low_mm=(-110, -120, -190), high_mm=(110, 110, 170))
    chest = a_chest(Chest(has_table=False), grid)
    lungs = find_lungs(chest.volume)
    assert agreement(lungs.mask, chest) > 0.95
    assert [notice.values for notice in lungs.notices] == [(("ends", "sides"),)]


def test_the_order_of_slices_does_not_matter():
    chest = a_chest(grid=a_grid(feet_first=False))
    assert agreement(find_lungs(chest.volume).mask, chest) > 0.97


@pytest.mark.parametrize("axes", [(1, 0, 2), (2, 1, 0), (0, 2, 1)])
def test_axes_may_come_in_any_order_and_direction(axes):
    given = drawn().volume
    affine = given.grid.affine.copy()
    affine[:3, :3] = given.grid.affine[:3, list(axes)]
    array = given.array.transpose(axes)[::-1]
    affine[:3, 3] += affine[:3, 0] * (array.shape[0] - 1)
    affine[:3, 0] *= -1
    turned = find_lungs(Volume(array, Grid(array.shape, affine), "HU")).mask
    plain = find_lungs(given).mask
    assert np.array_equal(turned[::-1].transpose(np.argsort(axes)), plain)


def volume_of(hu: float) -> Volume:
    grid = a_grid(steps_mm=(8.0, 8.0, 8.0))
    return Volume(np.full(grid.shape, hu, np.float32), grid, "HU")


@pytest.mark.parametrize("hu", [-1000.0, 0.0, -850.0, -2048.0])
def test_an_empty_volume_is_refused(hu):
    with pytest.raises(UnsuitableError, match="no lungs found"):
        find_lungs(volume_of(hu))


def test_a_volume_in_no_hu_is_refused():
    with pytest.raises(UnsuitableError, match="'1', not in HU"):
        find_lungs(replace(drawn().volume, unit="1"))


def test_values_without_their_offset_are_refused():
    shifted = drawn().volume.with_array(drawn().volume.array + 1024)
    with pytest.raises(UnsuitableError, match="no lungs found: no air in the body"):
        find_lungs(shifted)


def test_a_single_slice_is_refused():
    volume = drawn().volume
    one = Grid((1, *volume.grid.shape[1:]), volume.grid.affine)
    with pytest.raises(UnsuitableError, match="only 1 x"):
        find_lungs(Volume(volume.array[60:61], one, "HU"))


def test_an_abdomen_with_the_bases_of_the_lungs_is_refused():
    grid = a_grid(low_mm=(-180, -150, -330), high_mm=(180, 170, -95))
    with pytest.raises(UnsuitableError, match=r"not enough lung: \d+ mm .* mm are needed"):
        find_lungs(a_chest(grid=grid).volume)


def test_a_neck_with_the_tips_of_the_lungs_is_refused():
    grid = a_grid(low_mm=(-180, -150, 95), high_mm=(180, 170, 290))
    with pytest.raises(UnsuitableError, match="not enough lung"):
        find_lungs(a_chest(grid=grid).volume)


def test_a_head_is_refused():
    with pytest.raises(UnsuitableError, match="lung"):
        find_lungs(a_head())


def test_a_chest_within_a_scan_of_the_whole_trunk_is_found():
    grid = a_grid(steps_mm=(5, 2.8, 2.8), low_mm=(-180, -150, -560), high_mm=(180, 170, 170))
    chest = a_chest(grid=grid)
    assert agreement(find_lungs(chest.volume).mask, chest) > 0.95


def test_memory_does_not_grow_with_the_number_of_slices_but_for_the_mask():
    thin = a_chest(grid=a_grid(steps_mm=(2.0, 5.0, 5.0))).volume
    array = np.repeat(np.repeat(np.repeat(thin.array, 4, axis=0), 2, axis=1), 2, axis=2)
    affine = thin.grid.affine.copy()
    affine[:3, :3] /= np.array([4, 2, 2])
    volume = Volume(array, Grid(array.shape, affine), "HU")
    tracemalloc.start()
    find_lungs(volume)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < array.size + 120e6


def scans():
    """Each public scan with the LPS places of its nodules, from the readers' contours."""
    return {
        "LIDC-IDRI-0001": [(315.8, 366.6, -116.0)],
        "LIDC-IDRI-0002": [(345.2, 361.0, -103.0)],
    }


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", scans())
def test_the_nodules_of_public_scans_are_inside(name):
    root = os.environ.get("MEDLOOP_DATA")
    folder = Path(root or "") / "lidc" / name
    if not root or not folder.is_dir():
        pytest.skip(f"MEDLOOP_DATA has no lidc/{name}")
    volume, _ = read_volume(index(sorted(folder.glob("*.dcm"))).studies[0].series[0])
    lungs = find_lungs(volume)
    assert 3000 < lungs.right_ml + lungs.left_ml < 7000
    assert 1.0 < lungs.right_ml / lungs.left_ml < 1.3
    for column, row, z_mm in scans()[name]:
        k = round((z_mm - volume.grid.affine[2, 3]) / volume.grid.spacing_mm[0])
        assert lungs.mask[k, round(row), round(column)] == 2


shapes = st.tuples(st.integers(1, 8), st.integers(1, 40), st.integers(1, 40))
spacings = st.tuples(*[st.sampled_from([0.3, 1.0, 5.0])] * 3)


@settings(max_examples=60)
@given(shapes, spacings, st.integers(0, 9999), st.sampled_from([np.int16, np.float32]))
def test_whatever_comes_in_lungs_are_found_or_refused(shape, steps, seed, kind):
    rng = np.random.default_rng(seed)
    array = rng.choice([-3024, -1000, -850, 50, 3071], shape).astype(kind)
    if kind is np.float32:
        array[rng.uniform(size=shape) < 0.1] = np.nan
    affine = np.eye(4)
    affine[:3, :3] = np.diag(steps)[::-1]
    volume = Volume(array, Grid(shape, affine), "HU")
    try:
        mask = find_lungs(volume).mask
    except UnsuitableError:
        return
    assert mask.shape == shape
