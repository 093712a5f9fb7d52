import contextlib
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import UnsuitableError
from medloop.imaging.fundus import find_field
from medloop.imaging.landmarks import find_landmarks
from medloop.imaging.quality import judge_quality
from medloop.imaging.suitability import (
    measure_traits,
    require_color,
    require_field,
    require_retina,
)
from medloop.imaging.vessels import open_view
from tests.imaging.eyes import draw_eye
from tests.phantoms import a_fundus


def judge(picture):
    require_color(picture)
    field = require_field(find_field(np.ascontiguousarray(picture)))
    require_retina(measure_traits(open_view(np.ascontiguousarray(picture), field)))


def skimage_picture(name):
    data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    picture = getattr(data, name)()[..., :3]
    return np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture


def a_ball():
    y, x = np.mgrid[:500, :500]
    shade = np.sqrt(np.clip(1 - ((x - 250) ** 2 + (y - 250) ** 2) / 220**2, 0, 1))
    return (shade[..., None] * np.array((220, 120, 40))).astype(np.uint8)


def test_drawn_eyes_are_retinas():
    judge(draw_eye())
    judge(a_fundus().picture.array)


def test_a_photograph_out_of_focus_is_still_a_retina():
    judge(a_fundus(blur_px=12).picture.array)


def test_a_retina_without_its_dark_frame_is_a_retina():
    judge(skimage_picture("retina")[300:1100, 300:1100])


@pytest.mark.parametrize("name", ["retina"])
def test_a_real_retina_is_a_retina(name):
    judge(skimage_picture(name))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cat", "red to green"),
        ("astronaut", "gray"),
        ("coffee", "texture"),
        ("rocket", "red > green > blue"),
        ("colorwheel", "red > green > blue"),
        ("immunohistochemistry", "red > green > blue"),
        ("page", "gray"),
        ("moon", "gray"),
        ("coins", "gray"),
        ("clock", "gray"),
    ],
)
def test_other_pictures_are_refused_with_the_trait_that_decided(name, reason):
    with pytest.raises(UnsuitableError, match=reason):
        judge(skimage_picture(name))


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_red_free_photograph_is_refused_as_gray(channel):
    green = a_fundus().picture.array[..., channel]
    with pytest.raises(UnsuitableError, match="gray"):
        judge(np.repeat(green[..., None], 3, axis=2))
    with pytest.raises(UnsuitableError, match="gray"):
        require_color(green)


def test_swapped_colors_are_refused():
    with pytest.raises(UnsuitableError, match="red > green > blue"):
        judge(a_fundus().picture.array[..., ::-1])


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (np.full((300, 400, 3), 255, np.uint8), "gray"),
        (np.full((300, 400, 3), (200, 110, 50), np.uint8), "no structure"),
        (a_ball(), "no structure"),
        (np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8), "red > green"),
        (cv2.resize(draw_eye(), (80, 80)), "field of 7. px is under 100 px"),
    ],
    ids=["white", "orange", "ball", "noise", "thumbnail"],
)
def test_drawn_nonsense_is_refused(picture, reason):
    with pytest.raises(UnsuitableError, match=reason):
        judge(picture)


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    shapes=st.lists(
        st.tuples(
            st.sampled_from(["circle", "box", "noise"]),
            st.integers(-50, 450),
            st.integers(-50, 450),
            st.integers(1, 300),
            st.tuples(*[st.integers(0, 255)] * 3),
        ),
        max_size=4,
    ),
)
def test_any_drawing_is_judged_or_refused_never_a_crash(size, shapes):
    picture = np.zeros((*size, 3), np.uint8)
    for shape, x, y, extent, color in shapes:
        if shape == "circle":
            cv2.circle(picture, (x, y), extent, color, thickness=-1)
        elif shape == "box":
            cv2.rectangle(picture, (x, y), (x + extent, y + extent // 3), color, thickness=-1)
        else:
            rng = np.random.default_rng(extent)
            picture[::2] = rng.integers(0, max(color[0], 1), picture[::2].shape)
    with contextlib.suppress(UnsuitableError):
        judge(picture)
        field = find_field(picture)
        find_landmarks(open_view(picture, field))
        judge_quality(picture, field)


@pytest.mark.slow
@pytest.mark.data
def test_every_photograph_of_a_clinical_set_is_a_retina():
    folder = Path(os.environ.get("MEDLOOP_DATA", "/nonexistent")) / "idrid"
    paths = sorted(folder.glob("*/images/*.jpg"))
    if not paths:
        pytest.skip("MEDLOOP_DATA/idrid is not here")
    for path in paths:
        judge(cv2.imread(str(path))[..., ::-1])
