import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from medloop.imaging.fundus import find_field
from medloop.imaging.landmarks import find_landmarks
from medloop.imaging.quality import judge_quality
from medloop.imaging.vessels import open_view
from tests.phantoms import a_fundus


def quality_of(picture):
    picture = np.ascontiguousarray(picture)
    field = find_field(picture)
    assert field is not None
    return judge_quality(picture, field, landmarks=find_landmarks(open_view(picture, field)))


def codes(quality):
    return {notice.code for notice in quality.notices}


@pytest.fixture(scope="module")
def eye():
    return a_fundus().picture.array


def test_a_sharp_well_lit_eye_is_gradable(eye):
    quality = quality_of(eye)
    assert quality.gradable
    assert codes(quality) <= {"quality.uneven"}


def test_focus_falls_with_blur_until_the_eye_is_ungradable(eye):
    field = find_field(eye)
    blurred = [eye] + [
        cv2.GaussianBlur(eye, (0, 0), share * field.radius_px) for share in (0.01, 0.02, 0.04)
    ]
    qualities = [quality_of(picture) for picture in blurred]
    assert np.all(np.diff([q.focus for q in qualities]) < 0)
    assert not qualities[2].gradable
    assert "quality.focus" in codes(qualities[2])


def test_an_underexposed_eye_is_ungradable(eye):
    quality = quality_of((eye * 0.2).astype(np.uint8))
    assert not quality.gradable
    assert "quality.dark" in codes(quality)


def test_a_burnt_out_eye_is_ungradable(eye):
    quality = quality_of(np.clip(eye * 4.0, 0, 255).astype(np.uint8))
    assert not quality.gradable
    assert "quality.burnt" in codes(quality)


def test_a_veiled_eye_is_ungradable(eye):
    veil = eye * 0.15 + np.array((150, 110, 80)) * 0.85
    quality = quality_of(
        np.where(eye.max(axis=2, keepdims=True) > 20, veil, 0).astype(np.uint8)
    )
    assert not quality.gradable
    assert "quality.contrast" in codes(quality)


def test_half_an_eye_is_ungradable(eye):
    half = eye.copy()
    half[:, eye.shape[1] // 2 :] = 0
    quality = quality_of(half)
    assert not quality.gradable
    assert codes(quality) & {"quality.field", "quality.shadow", "quality.macula"}
    assert quality.visible_share < 0.6


def test_a_shadow_over_the_field_is_said(eye):
    shaded = eye.copy()
    shaded[eye.shape[0] // 2 :] = (shaded[eye.shape[0] // 2 :] * 0.15).astype(np.uint8)
    quality = quality_of(shaded)
    assert not quality.gradable
    assert quality.dark_share > 0.3


def test_a_cut_out_says_that_no_edge_is_seen(eye):
    quality = quality_of(eye[170:540, 350:720])
    assert "quality.frameless" in codes(quality)


def test_quality_does_not_depend_on_the_size_of_the_picture(eye):
    large = quality_of(cv2.resize(eye, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
    small = quality_of(eye)
    assert large.brightness == pytest.approx(small.brightness, rel=0.03)
    assert large.visible_share == pytest.approx(small.visible_share, abs=0.02)
    assert large.contrast == pytest.approx(small.contrast, rel=0.15)


def test_every_notice_carries_its_value_and_limit(eye):
    for notice in quality_of((eye * 0.15).astype(np.uint8)).notices:
        assert dict(notice.values).keys() == {"value", "limit"}


@pytest.mark.slow
@pytest.mark.data
def test_nearly_every_photograph_of_a_clinical_set_is_gradable():
    folder = Path(os.environ.get("MEDLOOP_DATA", "/nonexistent")) / "idrid"
    paths = sorted(folder.glob("lesions/images/*.jpg"))
    if not paths:
        pytest.skip("MEDLOOP_DATA/idrid is not here")
    gradable = [quality_of(cv2.imread(str(path))[..., ::-1]).gradable for path in paths]
    assert np.mean(gradable) > 0.95
