"""Lobes of drawn chests, whose fissures are known."""

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from medloop.core.study import Notice
from medloop.dicom.index import index
from medloop.dicom.read import read_volume
from medloop.imaging.lobes import Lobe, find_lobes
from medloop.imaging.lungs import LEFT, RIGHT, find_lungs
from tests.thorax import Chest, a_chest, a_grid, above_horizontal, above_oblique

FINE = a_grid(steps_mm=(2.5, 2.0, 2.0))


@cache
def chest(*, has_fissures: bool):
    drawn = a_chest(Chest(has_fissures=has_fissures), FINE)
    lungs = find_lungs(drawn.volume)
    return drawn.volume, lungs, find_lobes(drawn.volume, lungs)


def places(side: int) -> np.ndarray:
    """Random places in one lung, in LPS mm."""
    _, lungs, _ = chest(has_fissures=True)
    inside = np.argwhere(lungs.labels == side)
    picked = np.random.default_rng(0).choice(inside, 2000, replace=False)
    return lungs.coarse.grid.to_world(picked.astype(float))


def true_lobes(points: np.ndarray, side: int) -> np.ndarray:
    over = above_oblique(points.T, 1 if side == LEFT else -1) > 0
    if side == LEFT:
        return np.where(over, Lobe.LEFT_UPPER, Lobe.LEFT_LOWER)
    front = np.where(above_horizontal(points.T) > 0, Lobe.RIGHT_UPPER, Lobe.RIGHT_MIDDLE)
    return np.where(over, front, Lobe.RIGHT_LOWER)


@pytest.mark.parametrize("side", [RIGHT, LEFT])
def test_an_oblique_fissure_that_shows_is_found_within_its_stated_error(side):
    _, _, lobes = chest(has_fissures=True)
    fissure = lobes.oblique[side]
    assert fissure.is_seen
    points = places(side)
    truth = above_oblique(points.T, 1 if side == LEFT else -1)
    near = np.abs(truth) < 25
    off = fissure.above_mm(points)[near] - truth[near]
    assert np.sqrt((off**2).mean()) < fissure.sd_mm


def test_a_horizontal_fissure_that_shows_is_found_within_its_stated_error():
    _, _, lobes = chest(has_fissures=True)
    assert lobes.horizontal.is_seen
    points = places(RIGHT)
    truth = above_horizontal(points.T)
    near = (np.abs(truth) < 20) & (above_oblique(points.T, -1) > 5)
    off = lobes.horizontal.above_mm(points)[near] - truth[near]
    assert np.sqrt((off**2).mean()) < lobes.horizontal.sd_mm


@pytest.mark.parametrize("side", [RIGHT, LEFT])
def test_places_get_the_lobe_they_are_in_as_often_as_is_said(side):
    _, _, lobes = chest(has_fissures=True)
    points = places(side)[:400]
    answers = lobes.at(points)
    right = np.array([a.lobe for a in answers]) == true_lobes(points, side)
    assert right.mean() > 0.93
    assert right.mean() > np.mean([a.probability for a in answers]) - 0.03


def test_every_voxel_of_the_lungs_has_a_lobe_of_its_side():
    _, lungs, lobes = chest(has_fissures=True)
    assert ((lobes.labels > 0) == (lungs.labels > 0)).all()
    assert set(np.unique(lobes.labels[lungs.labels == RIGHT])) == {1, 2, 3}
    assert set(np.unique(lobes.labels[lungs.labels == LEFT])) == {4, 5}


def test_labels_are_the_likeliest_lobes():
    _, lungs, lobes = chest(has_fissures=True)
    picked = np.argwhere(lobes.labels > 0)[::5000]
    answers = lobes.at(lungs.coarse.grid.to_world(picked.astype(float)))
    assert [a.lobe for a in answers] == [Lobe(lobes.labels[tuple(k)]) for k in picked]


def test_without_fissures_lobes_are_where_anatomy_has_them_and_less_sure():
    _, _, shown = chest(has_fissures=True)
    _, _, lobes = chest(has_fissures=False)
    assert not lobes.horizontal.is_seen
    assert not any(fissure.is_seen for fissure in lobes.oblique.values())
    points = places(LEFT)[:100]
    assert sum(a.probability for a in lobes.at(points)) < sum(
        a.probability for a in shown.at(points)
    )
    names = np.concatenate([[a.lobe for a in lobes.at(places(s)[:300])] for s in (RIGHT, LEFT)])
    truth = np.concatenate([true_lobes(places(s)[:300], s) for s in (RIGHT, LEFT)])
    assert (names == truth).mean() > 0.75


def test_places_at_a_fissure_are_unsure_and_far_ones_are_not():
    _, _, lobes = chest(has_fissures=True)
    points = places(LEFT)
    away = np.abs(lobes.oblique[LEFT].above_mm(points))
    nearest, farthest = lobes.at(points[[away.argmin(), away.argmax()]])
    assert nearest.probability < 0.6
    assert farthest.probability == 0.95


def test_a_place_in_the_wall_beside_a_lung_belongs_to_its_lobe():
    _, _, lobes = chest(has_fissures=True)
    (answer,) = lobes.at(np.array([[-125.0, 0.0, 90.0]]))
    assert answer.lobe is Lobe.RIGHT_UPPER


def test_a_place_far_from_the_lungs_has_no_lobe():
    _, _, lobes = chest(has_fissures=True)
    with pytest.raises(ValueError, match="more than 30 mm from the lungs"):
        lobes.at(np.array([[0.0, 0.0, -400.0]]))


def test_in_a_part_of_the_lungs_lobes_are_unsure():
    volume, lungs, _ = chest(has_fissures=True)
    cut = replace(lungs, notices=(Notice("lungs-cut", "cut", (("ends", "lower end"),)),))
    lobes = find_lobes(volume, cut)
    assert not any(fissure.is_seen for fissure in lobes.oblique.values())
    assert np.median([a.probability for a in lobes.at(places(RIGHT)[:200])]) < 0.8


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["LIDC-IDRI-0001", "LIDC-IDRI-0002"])
def test_left_fissures_of_public_scans_are_seen_and_lobes_have_usual_volumes(name):
    folder = Path(os.environ.get("MEDLOOP_DATA", "")) / "lidc" / name
    if not folder.is_dir():
        pytest.skip(f"MEDLOOP_DATA has no lidc/{name}")
    volume, _ = read_volume(index(sorted(folder.glob("*.dcm"))).studies[0].series[0])
    lungs = find_lungs(volume)
    lobes = find_lobes(volume, lungs)
    assert lobes.oblique[LEFT].is_seen
    total = (lobes.labels > 0).sum()
    shares = {lobe: float((lobes.labels == lobe).sum() / total) for lobe in Lobe}
    assert all(0.05 < share < 0.35 for share in shares.values())
    assert min(shares, key=lambda lobe: shares[lobe]) is Lobe.RIGHT_MIDDLE
