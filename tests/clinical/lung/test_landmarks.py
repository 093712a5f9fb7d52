"""Places of two drawn scans are brought together: moved, in a deeper breath, cut off."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.clinical.lung.growth import match
from medloop.clinical.lung.landmarks import (
    Landmarks,
    Side,
    brought,
    landmarks_of,
    recorded,
    remembered,
)
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.imaging.lungs import find_lungs
from tests.thorax import Chest, a_chest

# Places all over both lungs (LPS mm), some of them close to each other.
PLACES = np.array(
    [
        [-85.0, 10, 40],
        [-85, 10, 62],
        [-60, 45, 90],
        [-100, 20, -60],
        [-70, 60, -110],
        [-70, 38, -110],
        [-45, -50, 10],
        [85, 10, 40],
        [70, 50, 85],
        [100, 20, -40],
        [80, 55, -105],
        [95, 30, -90],
        [60, -45, 20],
    ]
)
LUNG = Landmarks(
    {"right": Side((-75.0, 10.0, -10.0), (30.0, 40.0, 60.0))},
    (-180.0, -150.0, -190.0),
    (180.0, 170.0, 170.0),
)


@pytest.fixture(scope="module")
def drawn() -> Volume:
    return a_chest(Chest()).volume


@pytest.fixture(scope="module")
def here(drawn) -> Landmarks:
    return marks(drawn)


def marks(volume: Volume) -> Landmarks:
    return landmarks_of(find_lungs(volume), volume.grid)


def elsewhere(volume: Volume, move: np.ndarray) -> Volume:
    """The same voxels where an affine map of the world brings them."""
    grid = volume.grid
    return replace(volume, grid=Grid(grid.shape, move @ grid.affine))


def a_move(shift=(0.0, 0.0, 0.0), stretch=(1.0, 1.0, 1.0)) -> np.ndarray:
    move = np.diag([*stretch, 1.0])
    move[:3, 3] = shift
    return move


def test_each_lung_is_where_it_was_drawn(here):
    right, left = here.sides["right"].center_mm, here.sides["left"].center_mm
    assert -90 < right[0] < -60 < 60 < left[0] < 90
    assert here.low_mm == pytest.approx((-181.4, -151.4, -191.5), abs=1.5)
    assert here.high_mm == pytest.approx((178.6, 168.6, 168.5), abs=3.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "move",
    [
        a_move(shift=(25.0, -40.0, 310.0)),  # another table, another zero
        a_move(stretch=(1.02, 1.04, 1.15)),  # a deeper breath
        a_move(shift=(-12.0, 8.0, -500.0), stretch=(0.98, 0.96, 0.85)),
    ],
    ids=["shifted", "deeper breath", "shifted, breathed out"],
)
def test_all_pairs_are_right_wherever_the_patient_lies_and_breathes(drawn, here, move):
    there = marks(elsewhere(drawn, move))
    true = PLACES @ move[:3, :3].T + move[:3, 3]
    moved = brought(PLACES, here, there)
    assert np.linalg.norm(moved - true, axis=1).max() < 5.0
    assert dict(match(moved, true)) == {n: n for n in range(len(PLACES))}


@pytest.mark.slow
def test_pairs_are_right_when_only_the_bases_go_down(drawn, here):
    """What lies below the carina sinks by up to 26 mm at the base; what lies above stays."""
    grid = drawn.grid
    z = grid.to_world(np.array([[k, 0.0, 0.0] for k in range(grid.shape[0])]))[:, 2]
    sunk = np.where(z < 0, z / 1.2, z)
    k = np.clip(np.rint((sunk - z[0]) / grid.spacing_mm[0]).astype(int), 0, grid.shape[0] - 1)
    there = marks(replace(drawn, array=drawn.array[k]))
    true = PLACES * np.where(PLACES[:, 2:] < 0, (1.0, 1.0, 1.2), 1.0)
    moved = brought(PLACES, here, there)
    assert np.linalg.norm(moved - true, axis=1).max() < 11.0
    assert dict(match(moved, true)) == {n: n for n in range(len(PLACES))}


def test_one_lung_lower_than_the_other_does_not_mix_them_up(here):
    """The left diaphragm stands higher now: places in that lung move, others do not."""
    left = here.sides["left"]
    lifted = replace(
        here,
        sides=here.sides
        | {"left": Side((*left.center_mm[:2], left.center_mm[2] + 15.0), left.spread_mm)},
    )
    moved = brought(PLACES, here, lifted)
    by = np.where(PLACES[:, 0] > 0, 15.0, 0.0)
    assert moved - PLACES == pytest.approx(np.stack([0 * by, 0 * by, by], axis=1), abs=1e-6)


@given(
    shift=st.tuples(*[st.floats(-300, 300)] * 3),
    stretch=st.tuples(*[st.floats(0.75, 1.3)] * 3),
)
def test_there_and_back_is_where_it_was(shift, stretch):
    side = LUNG.sides["right"]
    other = replace(
        LUNG,
        sides={
            "right": Side(
                tuple(np.array(side.center_mm) + shift),
                tuple(np.array(side.spread_mm) * stretch),
            )
        },
    )
    there = brought(PLACES, LUNG, other)
    assert brought(there, other, LUNG) == pytest.approx(PLACES, abs=1e-6)


def test_half_a_lung_is_not_taken_for_a_breath():
    half = replace(LUNG, sides={"right": Side((-75.0, 10.0, 50.0), (30.0, 40.0, 20.0))})
    top = np.array([[-75.0, 10.0, 50.0]])
    assert brought(top, LUNG, half)[0, 2] == pytest.approx(50 + 60 * 0.7)


def test_scans_without_a_lung_in_common_are_not_compared():
    left = replace(LUNG, sides={"left": LUNG.sides["right"]})
    assert brought(PLACES, LUNG, left) is None


def test_what_a_result_keeps_is_remembered(here):
    assert remembered(recorded(here)) == here
    assert remembered({}) is None
    broken = recorded(here) | {"scan_low_mm": (1.0, float("nan"), 0.0)}
    assert remembered(broken) is None


def test_a_scan_covers_what_is_not_at_its_border():
    high = LUNG.high_mm[2]
    at = np.array([[0.0, 0, 0], [0, 0, high - 4], [0, 0, high - 2], [0, 0, high + 5]])
    assert LUNG.covers(at).tolist() == [True, True, False, False]
