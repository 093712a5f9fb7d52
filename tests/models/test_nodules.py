"""Places that may be nodules, and the cubes around them."""

import json
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from scipy import ndimage

from medloop.core.errors import InputError
from medloop.imaging.hounsfield import quantiles
from medloop.models.architecture import densenet
from medloop.models.nodule_plan import NodulePlan, nodule_plan_from
from medloop.models.nodules import (
    cubes_at,
    cubes_in_hu,
    curve_for,
    find_spots,
    hidden_parts,
    lung_values,
    middle_slices,
    probabilities,
    review,
)

PLAN = NodulePlan(densenet(3, 12, 1, blocks=(2, 2), small=True))


def lungs_with(balls, size=(40, 120, 120), spacing=(2.5, 0.7, 0.7)):
    """Air at -850 HU within a box of muscle, with balls (center mm, radius mm, HU)."""
    at = np.stack(
        np.meshgrid(
            *(np.arange(n) * s for n, s in zip(size, spacing, strict=True)), indexing="ij"
        ),
        axis=-1,
    )
    hu = np.full(size, 40.0)
    lungs = np.zeros(size, np.uint8)
    lungs[2:-2, 10:-10, 10:-10] = 1
    hu[lungs > 0] = -850
    for center, radius, value in balls:
        far = np.linalg.norm(at - np.array(center), axis=-1)
        cover = np.clip(radius + 0.35 - far, 0, 0.7) / 0.7
        hu = hu * (1 - cover) + value * cover
    return np.rint(hu).astype(np.int16), lungs, np.array(spacing)


def test_balls_are_found_where_they_are_and_the_wall_is_not():
    balls = [((50.0, 40.0, 42.0), 3.0, 30), ((30.0, 30.0, 55.0), 6.0, -20)]
    hu, lungs, spacing = lungs_with(balls)
    found = find_spots(hu, lungs, spacing, replace(PLAN, least_hu=60.0))
    far = np.array(
        [np.linalg.norm(found.centers * spacing - c, axis=1) - r for c, r, _ in balls]
    )
    assert (far.min(axis=0) < 2).all()  # on a ball or its rim: none at the wall
    for center, radius, _ in balls:
        apart = np.linalg.norm(found.centers[:2] * spacing - center, axis=1)
        assert apart.min() < 0.8
        assert 0.6 < found.radii_mm[apart.argmin()] / radius < 1.8


def test_a_pale_ball_needs_a_lower_bar():
    hu, lungs, spacing = lungs_with([((50.0, 40.0, 42.0), 4.0, -650)])
    assert len(find_spots(hu, lungs, spacing, replace(PLAN, least_hu=60.0))) == 0
    assert len(find_spots(hu, lungs, spacing, replace(PLAN, least_hu=20.0))) == 1


def test_no_lung_has_no_places():
    hu, lungs, spacing = lungs_with([((50.0, 40.0, 42.0), 4.0, 30)])
    assert len(find_spots(hu, 0 * lungs, spacing, PLAN)) == 0


def test_a_cube_is_linear_interpolation_where_it_gets_finer():
    rng = np.random.default_rng(0)
    hu = rng.integers(-1000, 400, (40, 60, 60)).astype(np.int16)
    spacing, center = np.array([2.5, 0.9, 0.8]), np.array([20.3, 29.6, 31.2])
    (cube,) = cubes_in_hu(hu, spacing, center[None], PLAN)
    zoom = np.array(PLAN.spacing_mm) / spacing
    lines = [
        c + (np.arange(n) - (n - 1) / 2) * z
        for c, n, z in zip(center, PLAN.cube, zoom, strict=True)
    ]
    at = np.stack(np.meshgrid(*lines, indexing="ij"))
    expected = ndimage.map_coordinates(hu.astype(float), at, order=1, mode="nearest")
    assert np.abs(cube[0] - expected).max() < 0.05


def test_a_cube_averages_where_it_gets_coarser_and_holds_the_last_value_beyond():
    hu = np.zeros((80, 60, 60), np.int16)
    hu[::2] = 100  # thinner slices than the cube has
    spacing = np.array([0.5, 0.75, 0.75])
    (inside,) = cubes_in_hu(hu, spacing, np.array([[40.0, 30, 30]]), PLAN)
    assert np.abs(inside - 50).max() < 12
    (corner,) = cubes_in_hu(hu * 0 + 7, spacing, np.array([[0.0, 0, 0]]), PLAN)
    assert np.allclose(corner, 7)


def test_hu_become_minus_one_to_one():
    hu = np.full((30, 60, 60), -300, np.int16)
    center = np.array([[15.0, 30, 30]])
    assert np.allclose(cubes_at(hu, np.array([2.5, 0.7, 0.7]), center, PLAN), 0)
    assert np.allclose(cubes_at(hu * 0 + 3000, np.array([2.5, 0.7, 0.7]), center, PLAN), 1)


@dataclass
class Brightness:
    """A network that answers the brightness of its input, and counts what it saw."""

    seen: list[int] = field(default_factory=list)

    def run(self, x_BCHW):  # noqa: N803
        self.seen.append(len(x_BCHW))
        logits = x_BCHW.reshape(len(x_BCHW), -1).mean(axis=1, keepdims=True)
        return {"logits": logits}


def test_the_likeliest_are_reviewed_and_the_others_are_not():
    cubes = np.linspace(-1, 1, 40, dtype=np.float32)[:, None, None, None, None] * np.ones(
        (1, 1, *PLAN.cube), np.float32
    )
    screen, second = Brightness(), Brightness()
    answer = review(screen, second, cubes, replace(PLAN, reviewed=10))
    assert np.isfinite(answer.logits).tolist() == [False] * 30 + [True] * 10
    assert np.allclose(answer.logits[30:], answer.screened[30:])
    assert set(screen.seen + second.seen) == {16}  # one shape


@dataclass
class Corner:
    """A network that answers the brightest value of the first 12 rows and columns."""

    def run(self, x_BCHW):  # noqa: N803
        return {"logits": x_BCHW[:, :, :12, :12].reshape(len(x_BCHW), -1).max(1)[:, None]}


def test_what_a_network_goes_by_is_hot_and_nothing_else():
    cube = np.full((1, *PLAN.cube), -0.8, np.float32)
    cube[:, :, 2:8, 3:9] = 1.0  # what it sees
    cube[:, :, 30:40, 30:40] = 1.0  # what it does not
    heat = hidden_parts(Corner(), cube, PLAN)
    assert heat.shape == PLAN.cube[1:]
    assert heat[2:8, 3:9].min() > 0
    assert heat[24:, 24:].max() == 0
    assert np.unravel_index(heat.argmax(), heat.shape) < (12, 12)


def test_the_middle_slices_straddle_the_center():
    cubes = np.arange(PLAN.cube[0], dtype=np.float32)[None, None, :, None, None] * np.ones(
        (1, 1, *PLAN.cube), np.float32
    )
    assert middle_slices(cubes)[0, :, 0, 0].tolist() == [10.5, 11.5, 12.5]


def test_probabilities_are_calibrated_logits():
    plan = replace(PLAN, temperature=2.0)
    assert probabilities(np.array([0.0, 2.0, -np.inf]), plan) == pytest.approx(
        [0.5, 1 / (1 + np.exp(-1.0)), 0.0]
    )


def test_a_plan_survives_its_file_and_a_foreign_frame_is_refused():
    raw = json.loads(PLAN.to_json())
    assert nodule_plan_from(raw) == PLAN
    known = replace(PLAN, reference=quantiles(np.arange(-1000.0, 0.0)))
    assert nodule_plan_from(json.loads(known.to_json())) == known
    with pytest.raises(InputError, match="coordinate frame"):
        nodule_plan_from({**raw, "frame": "ras/ijk"})
    with pytest.raises(InputError, match="no plan for nodules"):
        nodule_plan_from({key: raw[key] for key in raw if key != "cube"})


def test_lungs_that_are_alike_are_left_as_they_are():
    hu, lungs, _ = lungs_with([((50.0, 40.0, 42.0), 6.0, 30)])
    rng = np.random.default_rng(0)
    noisy = (hu + rng.normal(0, 60, hu.shape)).astype(np.int16)
    reference = quantiles(lung_values(noisy, lungs))
    assert curve_for(noisy, lungs, PLAN) is None  # nothing to match with
    assert curve_for(noisy, lungs, replace(PLAN, reference=reference)) is None
    assert curve_for(noisy, 0 * lungs, replace(PLAN, reference=reference)) is None


def test_lungs_of_another_scanner_are_matched_before_a_network_sees_them():
    hu, lungs, spacing = lungs_with([((50.0, 40.0, 42.0), 6.0, 30)])
    rng = np.random.default_rng(0)
    noisy = (hu + rng.normal(0, 60, hu.shape)).astype(np.int16)
    plan = replace(PLAN, reference=quantiles(lung_values(noisy, lungs)))
    other = (noisy + 80).astype(np.int16)
    curve = curve_for(other, lungs, plan)
    assert curve is not None
    center = np.array([[20.0, 57.0, 60.0]])
    wanted = cubes_at(noisy, spacing, center, plan)
    assert np.abs(cubes_at(other, spacing, center, plan, curve=curve) - wanted).mean() < 0.02
    assert np.abs(cubes_at(other, spacing, center, plan) - wanted).mean() > 0.08
    found = find_spots(other, lungs, spacing, replace(plan, least_hu=60.0), curve=curve)
    assert np.linalg.norm(found.centers[0] * spacing - (50, 40, 42)) < 1
