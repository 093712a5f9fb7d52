"""Drawn nodules, and patches that show a case."""

from types import SimpleNamespace

import numpy as np
import pytest

from medloop.learning.lung.overlaps import shown_in
from medloop.learning.lung.readings import Contour, Reading, ScanReadings
from medloop.learning.lung.shapes import draw_nodule, shapes_of

SPACING = (1.25, 0.75, 0.75)


def a_ball(radius_mm, *, pixel_mm=0.7, step_mm=1.25):
    """Contours of a ball, their pixels the first outside."""
    contours = []
    for z in np.arange(-radius_mm, radius_mm + 0.1, step_mm):
        across = np.sqrt(max(radius_mm**2 - z**2, 0)) / pixel_mm + 1
        angles = np.linspace(0, 2 * np.pi, 80)
        points = np.c_[100 + across * np.cos(angles), 90 + across * np.sin(angles)]
        contours.append(Contour(float(z), np.rint(points).astype(int)))
    return Reading(tuple(contours), {})


def scan(*readings, patient="P"):
    slices = tuple(np.arange(-40, 40, 1.25))
    return ScanReadings("1.2", readings, patient, 0.7, 1.25, slices_mm=slices)


def test_an_outline_becomes_a_field_of_its_size():
    (shape,) = shapes_of([scan(a_ball(6.0), a_ball(6.0))])
    inside = (shape.field.astype(np.float32) >= 0.5).sum() * 0.75**3
    assert shape.diameter_mm == pytest.approx(12, abs=0.8)
    assert np.cbrt(6 * inside / np.pi) == pytest.approx(shape.diameter_mm, rel=0.08)


def test_patients_may_be_left_out_and_specks_are():
    assert shapes_of([scan(a_ball(6.0))], without=["P"]) == ()
    assert shapes_of([scan(a_ball(0.4))]) == ()
    assert len(shapes_of([scan(a_ball(6.0))] * 5, most=3)) == 3


def test_a_drawn_nodule_is_where_it_was_asked_for_and_changes_nothing_else():
    (shape,) = shapes_of([scan(a_ball(5.0))])
    center = np.array([12.0, 30.0, 20.0])
    at = np.stack(np.meshgrid(*(np.arange(n) for n in (24, 48, 48)), indexing="ij"), -1)
    far_mm = np.linalg.norm((at - center) * SPACING, axis=-1)
    for seed in range(12):
        hu = np.full((24, 48, 48), -850, np.float32)
        draw_nodule(hu, SPACING, shape, center, np.random.default_rng(seed))
        assert (hu[far_mm < 2.5] > -800).all()
        assert (hu[far_mm > 8.5] == -850).all()
        moved = np.argwhere(hu > -850).mean(axis=0)
        assert np.linalg.norm((moved - center) * SPACING) < 0.8


def test_the_same_seed_draws_the_same():
    (shape,) = shapes_of([scan(a_ball(5.0))])
    drawn = []
    for _ in range(2):
        hu = np.full((24, 48, 48), -850, np.float32)
        draw_nodule(hu, SPACING, shape, np.full(3, 12.0), np.random.default_rng(3))
        drawn.append(hu)
    assert np.array_equal(*drawn)


def test_a_patch_cut_from_a_case_is_recognized_through_compression():
    rng = np.random.default_rng(0)
    rough = rng.normal(0, 1, (2, 16, 16)).repeat(10, 1).repeat(10, 2)
    hu = np.clip(-500 + 250 * rough + rng.normal(0, 30, rough.shape), -1000, 400)
    lungs = np.ones(hu.shape, np.uint8)
    gray = (hu[1, 40:90, 70:120] + 1000) / 1400 * 255
    cut = np.rint(gray + rng.normal(0, 3, gray.shape)).clip(0, 255).astype(np.uint8)
    other = np.rot90(cut).copy()
    case = SimpleNamespace(hu=hu.astype(np.int16), lungs=lungs)
    assert shown_in(np.stack([cut, other]), [case]).tolist() == [True, False]
    assert shown_in(
        np.stack([cut]), [SimpleNamespace(hu=case.hu, lungs=0 * lungs)]
    ).tolist() == [False]
