import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.imaging.fundus import (
    Field,
    blur,
    find_field,
    flatten,
    green_clahe,
    shrink_to,
)
from tests.imaging.eyes import draw_eye


def a_disc(size, center, radius, *, color=(170, 90, 50)):
    y, x = np.ogrid[: size[0], : size[1]]
    picture = np.zeros((*size, 3), np.uint8)
    picture[(x - center[0]) ** 2 + (y - center[1]) ** 2 <= radius**2] = color
    return picture


@settings(max_examples=25, deadline=None)
@given(x=st.floats(180, 320), y=st.floats(150, 250), radius=st.floats(110, 180))
def test_a_disc_is_found_wherever_it_lies_and_however_it_is_cut(x, y, radius):
    field = find_field(a_disc((400, 500), (x, y), radius))
    assert field is not None
    assert field.center_px == pytest.approx((x, y), abs=1.0)
    assert field.radius_px == pytest.approx(radius, abs=1.0)


def test_a_disc_cut_above_and_below_has_a_box_that_ends_at_the_picture():
    field = find_field(a_disc((300, 500), (240, 150), 200))
    assert field is not None
    assert field.box[1] == 0
    assert field.box[3] == 300
    assert field.box[0] == pytest.approx(40, abs=2)
    assert field.box[2] == pytest.approx(441, abs=2)


def test_a_disc_cut_inside_its_dark_frame_keeps_the_circle_and_a_flat_box():
    picture = a_disc((600, 600), (300, 300), 250)
    picture[:120] = 0
    picture[480:] = 0
    field = find_field(picture)
    assert field is not None
    assert field.radius_px == pytest.approx(250, abs=2)
    assert field.box[1] == pytest.approx(120, abs=3)
    assert field.box[3] == pytest.approx(480, abs=3)


def test_a_notch_on_the_rim_does_not_move_the_circle():
    picture = a_disc((500, 500), (250, 250), 200)
    picture[60:110, 380:430] = (170, 90, 50)
    field = find_field(picture)
    assert field is not None
    assert field.center_px == pytest.approx((250, 250), abs=1)
    assert field.radius_px == pytest.approx(200, abs=1)


def test_a_dark_sector_of_the_field_does_not_move_the_circle():
    picture = a_disc((500, 500), (250, 250), 200)
    cv2.fillPoly(picture, [np.array([[250, 250], [0, 200], [0, 400]])], (0, 0, 0))
    field = find_field(picture)
    assert field is not None
    assert field.center_px == pytest.approx((250, 250), abs=2)
    assert field.radius_px == pytest.approx(200, abs=2)


def test_a_picture_cropped_to_the_field_keeps_its_circle():
    picture = a_disc((401, 401), (200, 200), 200.5)
    field = find_field(picture)
    assert field is not None
    assert field.center_px == pytest.approx((200, 200), abs=1)
    assert field.radius_px == pytest.approx(200, abs=2)
    assert field.box == (0, 0, 401, 401)


def test_a_picture_without_dark_frame_is_all_field():
    picture = np.full((300, 400, 3), (170, 90, 50), np.uint8)
    field = find_field(picture)
    assert field is not None
    assert field.box == (0, 0, 400, 300)
    assert field.radius_px == pytest.approx(250)
    assert field.roundness == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (40, 30), (300, 400)])
def test_a_black_picture_has_no_field(size):
    assert find_field(np.zeros((*size, 3), np.uint8)) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3, 2), (40, 30)])
def test_a_tiny_white_picture_is_all_field(size):
    field = find_field(np.full((*size, 3), 255, np.uint8))
    assert field is None or field.box == (0, 0, size[1], size[0])


def test_the_same_picture_has_the_same_field_every_time():
    picture = draw_eye()
    assert find_field(picture) == find_field(picture)


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(0.2, 4))
def test_a_scaled_field_is_the_field_of_the_scaled_picture(factor):
    field = Field((120.0, 90.0), 70.0, (50, 20, 191, 161))
    back = field.scaled(factor).scaled(1 / factor)
    assert back.center_px == pytest.approx(field.center_px, abs=1e-6)
    assert back.radius_px == pytest.approx(field.radius_px)


def test_the_mask_is_the_circle_inside_the_box():
    field = Field((50.0, 50.0), 40.0, (10, 30, 91, 91))
    mask = field.mask((100, 120))
    assert mask[31, 50]
    assert not mask[29, 50]
    assert not mask[32, 12]
    assert field.mask((100, 120), shrink=0.5).sum() < mask.sum()


def test_shrinking_keeps_the_mean_and_never_enlarges():
    picture = draw_eye()
    small = shrink_to(picture, side_px=100)
    assert small.shape == (100, 100, 3)
    assert small.mean() == pytest.approx(picture.mean(), abs=1)
    assert shrink_to(picture, side_px=5000) is picture


def test_flattening_removes_a_ramp_of_light_and_keeps_a_spot():
    ramp = np.linspace(60, 180, 400)[None, :].repeat(400, axis=0)
    ramp[200:210, 200:210] *= 0.6
    field = Field((199.5, 199.5), 190.0, (10, 10, 390, 390))
    flat = flatten(ramp.astype(np.uint8), field)
    assert abs(flat[200, 60:340].mean()) < 0.05
    assert flat[205, 205] < -0.3
    assert flat[5, 5] == 0


@settings(max_examples=10, deadline=None)
@given(sigma=st.floats(0.5, 60), value=st.floats(0, 255))
def test_blurring_keeps_a_constant(sigma, value):
    image = np.full((97, 131), value, np.float32)
    assert blur(image, sigma_px=sigma) == pytest.approx(image, abs=1e-2)


def test_clahe_raises_the_contrast_of_a_faint_vessel():
    ramp = np.linspace(60, 160, 256)[None, :].repeat(256, axis=0)
    picture = np.repeat(ramp[..., None], 3, axis=2)
    picture[:, 126:130, 1] -= 10
    picture = picture.astype(np.uint8)
    before, after = picture[..., 1].astype(int), green_clahe(picture).astype(int)
    assert after[128, 122] - after[128, 128] > 1.3 * (before[128, 122] - before[128, 128])


def test_a_small_arc_in_a_large_lit_part_is_not_its_field():
    picture = np.full((400, 600, 3), 120, np.uint8)
    picture[:, 300:] = 0
    cv2.circle(picture, (300, 200), 100, (120, 120, 120), thickness=-1)
    field = find_field(picture)
    assert field is not None
    x0, y0, x1, y1 = field.box
    assert x0 < x1
    assert y0 < y1
