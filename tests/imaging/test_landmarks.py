import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.imaging.disc import disc_from_map
from medloop.imaging.fundus import Field, find_field
from medloop.imaging.landmarks import find_landmarks
from medloop.imaging.vessels import open_view
from tests.imaging.eyes import Eye, draw_eye


def landmarks_of(picture, **options):
    field = find_field(picture)
    assert field is not None
    return find_landmarks(open_view(picture, field), **options)


@settings(max_examples=8, deadline=None)
@given(
    disc_x=st.floats(400, 480),
    disc_y=st.floats(240, 340),
    radius=st.floats(34, 50),
    side=st.sampled_from([1, -1]),
)
def test_a_drawn_disc_is_found_within_six_thousandths_of_the_width(
    disc_x, disc_y, radius, side
):
    eye = Eye(disc=(disc_x, disc_y), disc_radius=radius, fovea=(disc_x - 215, disc_y + 25))
    picture = draw_eye(eye)
    truth = eye.disc
    if side < 0:
        picture = np.ascontiguousarray(picture[:, ::-1])
        truth = (599 - disc_x, disc_y)
    found = landmarks_of(picture)
    assert np.hypot(*np.subtract(found.disc.center_px, truth)) < 0.006 * 600
    assert found.disc.radius_px == pytest.approx(radius, rel=0.15)
    assert found.laterality == ("R" if side > 0 else "L")


def test_the_fovea_is_the_dark_spot_beside_the_disc():
    eye = Eye(fovea=(215.0, 315.0))
    found = landmarks_of(draw_eye(eye))
    assert found.fovea is not None
    assert found.fovea.center_px == pytest.approx(eye.fovea, abs=8)
    assert found.fovea.confidence > 0.5


def test_landmarks_scale_with_the_picture():
    picture = draw_eye()
    small = landmarks_of(picture)
    large = landmarks_of(cv2.resize(picture, (1500, 1500)))
    assert np.array(large.disc.center_px) / 2.5 == pytest.approx(small.disc.center_px, abs=2)
    assert small.fovea is not None
    assert large.fovea is not None
    assert np.array(large.fovea.center_px) / 2.5 == pytest.approx(small.fovea.center_px, abs=6)


def test_a_map_of_the_disc_takes_precedence_when_it_is_sure():
    picture = draw_eye()
    y, x = np.ogrid[:600, :600]
    probability = np.where((x - 150) ** 2 + (y - 300) ** 2 < 42**2, 0.95, 0.01)
    found = landmarks_of(picture, disc_map=probability.astype(np.float16))
    assert found.disc.center_px == pytest.approx((150, 300), abs=0.5)
    assert found.disc.radius_px == pytest.approx(42, abs=0.5)
    unsure = landmarks_of(picture, disc_map=np.full((600, 600), 0.3, np.float16))
    assert unsure.disc.center_px == pytest.approx(Eye().disc, abs=4)
    assert disc_from_map(np.where(x + 0 * y > 300, 0.9, 0.0), field_radius_px=280.0) is None


def test_a_map_with_two_discs_is_not_believed():
    y, x = np.ogrid[:600, :600]
    disc, plaque = (
        (x - 150) ** 2 + (y - 300) ** 2 < 42**2,
        (x - 380) ** 2 + (y - 300) ** 2 < 48**2,
    )
    probability = np.where(disc | plaque, 0.95, 0.01)
    assert disc_from_map(probability, field_radius_px=280.0) is None
    speck = (x - 380) ** 2 + (y - 300) ** 2 < 12**2
    found = disc_from_map(np.where(disc | speck, 0.95, 0.01), field_radius_px=280.0)
    assert found is not None
    assert found.center_px == pytest.approx((150, 300), abs=0.5)


def test_a_map_on_many_pixels_gives_the_same_disc():
    y, x = np.ogrid[:2400, :2400]
    probability = np.where((x - 601.5) ** 2 + (y - 1201.5) ** 2 < 168**2, 0.95, 0.01)
    found = disc_from_map(probability.astype(np.float16), field_radius_px=1120.0)
    assert found is not None
    assert found.center_px == pytest.approx((601.5, 1201.5), abs=1)
    assert found.radius_px == pytest.approx(168, abs=1.5)


@pytest.mark.parametrize("value", [0.55, 0.0])
def test_a_faint_map_of_the_disc_is_not_believed(value):
    y, x = np.ogrid[:600, :600]
    spot = np.where((x - 300) ** 2 + (y - 300) ** 2 < 42**2, value, 0)
    assert disc_from_map(spot, field_radius_px=280.0) is None


def test_a_fovea_outside_the_picture_is_not_invented():
    picture = draw_eye()[:, 380:]
    field = replace(find_field(picture), box=(0, 20, 200, 580))
    found = find_landmarks(open_view(np.ascontiguousarray(picture), field))
    assert found.fovea is None
    assert found.laterality == ""


@settings(max_examples=8, deadline=None)
@given(x=st.floats(-50, 900), y=st.floats(-50, 900))
def test_places_carry_to_the_working_copy_and_back(x, y):
    picture = draw_eye()
    view = open_view(picture, Field((299.5, 299.5), 280.0, (19, 19, 581, 581)))
    assert view.to_picture(*view.to_view(x, y)) == pytest.approx((x, y), abs=1e-6)


def idrid_lesions():
    root = os.environ.get("MEDLOOP_DATA")
    folder = Path(root or "/nonexistent") / "idrid" / "lesions"
    if not folder.is_dir():
        pytest.skip("MEDLOOP_DATA/idrid/lesions is not here")
    return folder


@pytest.mark.slow
@pytest.mark.data
def test_the_disc_of_real_eyes_is_within_six_thousandths_of_the_width_in_the_median():
    folder = idrid_lesions()
    errors = []
    for path in sorted((folder / "masks" / "OD").iterdir()):
        name = path.stem.removesuffix("_OD")
        picture = cv2.imread(str(folder / "images" / f"{name}.jpg"))[..., ::-1]
        y, x = np.nonzero(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        found = landmarks_of(np.ascontiguousarray(picture))
        error = np.hypot(found.disc.center_px[0] - x.mean(), found.disc.center_px[1] - y.mean())
        errors.append(error / picture.shape[1])
    assert len(errors) >= 50
    assert np.median(errors) < 0.006
    assert np.percentile(errors, 90) < 0.012
