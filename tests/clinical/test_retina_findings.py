import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.clinical.retina.codes import AREA, AREA_SHARE, COUNT, FOVEA_DISTANCE, LABELS
from medloop.clinical.retina.findings import (
    Limit,
    Scene,
    count_lesions,
    describe,
    find_lesions,
    nearest_exudate_dd,
)
from medloop.imaging.disc import Disc
from medloop.imaging.fundus import Field
from medloop.imaging.landmarks import Fovea, Landmarks
from tests.phantoms import a_fundus

LIMITS = dict.fromkeys(("MA", "HE", "EX", "SE", "OD"), Limit(0.5))


def a_scene(size=(600, 600), *, fovea=(250.0, 300.0), disc=(430.0, 300.0), spacing=None):
    """A right eye unless the disc is moved: nasal is right of the fovea."""
    middle = (size[1] / 2 - 0.5, size[0] / 2 - 0.5)
    field = Field(middle, 0.48 * size[1], (0, 0, size[1], size[0]))
    eye = Landmarks(Disc(disc, 45.0, 1.0), Fovea(fovea, 1.0) if fovea else None, "R")
    return Scene(size, field, eye, spacing)


def blank(size=(600, 600)):
    return {kind: np.zeros(size, np.float16) for kind in LIMITS}


def value_of(finding, concept):
    return next(m.value for m in finding.measurements if m.concept == concept)


@pytest.mark.parametrize(
    ("x", "y", "quadrant"),
    [(100, 100, "ST"), (400, 100, "SN"), (100, 500, "IT"), (400, 500, "IN")],
)
def test_quadrants_lie_about_the_fovea_with_nasal_at_the_disc(x, y, quadrant):
    assert a_scene().quadrant(x, y) == quadrant
    mirrored = a_scene(fovea=(349.0, 300.0), disc=(169.0, 300.0))
    assert mirrored.quadrant(599 - x, y) == quadrant


def test_without_a_fovea_lesions_have_no_quadrant():
    scene = a_scene(fovea=None)
    maps = blank()
    maps["HE"][100:110, 100:110] = 0.9
    lesions, _ = find_lesions(maps, LIMITS, scene)
    assert [each.quadrant for each in lesions] == [""]
    assert describe(lesions, scene)[0].site is None
    assert nearest_exudate_dd(lesions, scene) is None


def test_lesions_of_a_phantom_are_counted_by_kind_and_quadrant():
    eye = a_fundus()
    maps = {kind: mask.astype(np.float16) for kind, mask in eye.masks.items()}
    disc = Disc(eye.disc_center_px, eye.disc_radius_px, 1.0)
    field = Field(eye.field_center_px, eye.field_radius_px, (0, 0, 1072, 712))
    landmarks = Landmarks(disc, Fovea(eye.fovea_center_px, 1.0), "R")
    scene = Scene((712, 1072), field, landmarks)
    lesions, labels = find_lesions(maps, LIMITS, scene)
    counts = count_lesions(lesions)
    for kind in ("MA", "HE", "EX", "SE"):
        assert counts.total(kind) == sum(each.kind == kind for each in eye.lesions)
        assert (labels.array == LABELS[kind]).sum() == pytest.approx(
            eye.masks[kind].sum(), rel=0.02
        )
    findings = describe(lesions, scene)
    assert len(findings) <= 16
    assert sum(value_of(each, COUNT) for each in findings) == len(eye.lesions)


def test_a_finding_says_number_area_place_and_probability():
    scene = a_scene(spacing=(0.015, 0.02))
    maps = blank()
    maps["HE"][100:110, 100:120] = 0.9
    maps["HE"][50:55, 60:64] = 0.7
    lesions, _ = find_lesions(maps, LIMITS, scene)
    (finding,) = describe(lesions, scene)
    assert finding.site is not None
    assert finding.site.value == "RET-ST"
    assert value_of(finding, COUNT) == 2
    areas = {m.unit: m.value for m in finding.measurements if m.concept == AREA}
    assert areas["{pixels}"] == 220
    assert areas["mm2"] == pytest.approx(220 * 0.015 * 0.02)
    share = 100 * 220 / (np.pi * (0.48 * 600) ** 2)
    assert value_of(finding, AREA_SHARE) == pytest.approx(share, rel=0.01)
    assert finding.center_px == (109.5, 104.5)
    assert finding.box is not None
    assert finding.box.low == (60.0, 50.0)
    assert finding.box.high == (119.0, 109.0)
    assert finding.probability == pytest.approx(0.9, abs=1e-3)
    assert finding.segment == LABELS["HE"]


def test_an_area_without_known_spacing_is_named_an_estimate():
    scene = a_scene()
    maps = blank()
    maps["HE"][100:110, 100:110] = 0.9
    lesions, _ = find_lesions(maps, LIMITS, scene)
    (area,) = [m for m in describe(lesions, scene)[0].measurements if m.unit == "mm2"]
    assert "estimated" in area.concept.meaning
    assert area.value == pytest.approx(100 * (1.8 / 90) ** 2)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.26, 0.26), (0.001, 0.001)])
def test_a_spacing_that_makes_no_human_disc_is_not_the_retinas(spacing):
    maps = blank()
    maps["HE"][100:110, 100:110] = 0.9
    lesions, _ = find_lesions(maps, LIMITS, a_scene(spacing=spacing))
    stated, unstated = (describe(lesions, a_scene(spacing=each)) for each in (spacing, None))
    assert stated == unstated


def test_nothing_found_is_nothing_said():
    scene = a_scene()
    lesions, labels = find_lesions(blank(), LIMITS, scene)
    assert lesions == ()
    assert describe(lesions, scene) == ()
    assert set(np.unique(labels.array)) == {0, LABELS["OD"]}
    assert set(labels.segments) == {LABELS["OD"]}


def test_the_nearest_exudate_is_measured_in_disc_diameters():
    scene = a_scene()
    maps = blank()
    maps["EX"][299:302, 340:343] = 0.9
    maps["EX"][100:103, 100:103] = 0.9
    lesions, _ = find_lesions(maps, LIMITS, scene)
    expected = (91 - np.sqrt(9 / np.pi)) / 90
    assert nearest_exudate_dd(lesions, scene) == pytest.approx(expected, abs=0.02)
    nearest = [value_of(each, FOVEA_DISTANCE) for each in describe(lesions, scene)]
    assert min(nearest) == pytest.approx(expected, abs=0.02)


def test_an_exudate_on_the_fovea_is_at_distance_zero():
    scene = a_scene()
    maps = blank()
    maps["EX"][280:320, 230:270] = 0.9
    lesions, _ = find_lesions(maps, LIMITS, scene)
    assert nearest_exudate_dd(lesions, scene) == 0


@pytest.mark.parametrize(("kind", "number"), [("EX", 0), ("SE", 0), ("HE", 1), ("MA", 1)])
def test_brightness_on_the_disc_is_the_disc_and_blood_is_blood(kind, number):
    maps = blank()
    maps[kind][295:305, 425:435] = 0.9
    lesions, _ = find_lesions(maps, LIMITS, a_scene())
    assert len(lesions) == number


def test_hundreds_of_lesions_make_a_bounded_number_of_findings():
    maps = blank()
    for kind in ("MA", "HE", "EX", "SE"):
        offset = 10 * LABELS[kind]
        for n in range(4):
            maps[kind][offset + n :: 50, offset::50] = 0.8
            maps[kind][offset + n :: 50, offset + 1 :: 50] = 0.8
    lesions, _ = find_lesions(maps, LIMITS, a_scene())
    assert len(lesions) > 400
    assert len(describe(lesions, a_scene())) == 16


@settings(max_examples=15, deadline=None)
@given(
    x=st.integers(30, 520),
    y=st.integers(30, 520),
    step=st.sampled_from([1, 2, 4]),
)
def test_labels_and_places_are_on_the_pixels_of_a_large_picture(x, y, step):
    size = (600 * step, 1200 * step)
    maps = {"HE": np.zeros(size, np.float16)}
    x, y = x * step, y * step
    maps["HE"][y : y + 10 * step, x : x + 10 * step] = 1
    lesions, labels = find_lesions(maps, LIMITS, a_scene(size, disc=(1150.0, 20.0)))
    assert labels.array.shape == size
    (lesion,) = lesions
    middle = (x + 5 * step - 0.5, y + 5 * step - 0.5)
    assert lesion.center_px == pytest.approx(middle, abs=0.6 * step)
    assert lesion.area_px == pytest.approx((10 * step) ** 2, rel=0.25)
    found = labels.array == LABELS["HE"]
    inside = found[y : y + 10 * step, x : x + 10 * step].mean()
    assert inside > 0.8


@pytest.mark.slow
def test_a_twelve_megapixel_photograph_is_labeled_quickly():
    size = (2848, 4288)
    maps = {kind: np.zeros(size, np.float16) for kind in LIMITS}
    maps["MA"][::60, ::60] = 1
    scene = a_scene(size, fovea=(2100.0, 1424.0), disc=(3400.0, 1424.0))
    started = time.process_time()
    lesions, _ = find_lesions(maps, LIMITS, scene)
    describe(lesions, scene)
    assert time.process_time() - started < 1.5


def test_a_lesion_counts_only_if_its_surest_pixel_reaches_the_peak():
    maps = blank()
    maps["HE"][100:110, 100:110] = 0.6
    maps["HE"][300:310, 100:110] = 0.6
    maps["HE"][304, 104] = 0.8
    lesions, labels = find_lesions(maps, {**LIMITS, "HE": Limit(0.5, peak=0.75)}, a_scene())
    (lesion,) = lesions
    assert lesion.area_px == 100
    assert lesion.center_px == pytest.approx((104.5, 304.5), abs=0.1)
    assert not (labels.array[100:110, 100:110] == LABELS["HE"]).any()
