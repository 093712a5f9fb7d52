"""Pictures of objects."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.apps.web.dicomweb.test_wado import INSTANCE, place
from tests.dicom.slices import pixels
from tests.dicom.web.objects import CT_SERIES, PDF, STUDY


def got(node, path, takes="image/png", /, **asked):
    headers = {"Accept": takes}
    return node.client().get(f"/dicom-web/{path}", headers=headers, params=asked)


def picture(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def hounsfield(number=1):
    return pixels(number, rows=24, columns=32).astype(float) - 1024


def windowed(values, center, width):
    """PS3.3 C.11.2.1.2.1, written out for 0 to 255."""
    shown = ((values - (center - 0.5)) / (width - 1) + 0.5) * 255
    return np.clip(np.round(shown), 0, 255)


def test_the_window_of_the_object_is_used(filled):
    assert np.array_equal(
        picture(got(filled, INSTANCE + "1/rendered")), windowed(hounsfield(), 40, 400)
    )


def test_another_window_can_be_asked_for(filled):
    shown = picture(got(filled, INSTANCE + "3/rendered", window="-600,1500,linear"))
    assert np.array_equal(shown, windowed(hounsfield(3), -600, 1500))


def test_functions_of_the_window_differ_as_the_standard_says(filled):
    values = hounsfield()
    exact = np.clip(np.round(((values - 40) / 400 + 0.5) * 255), 0, 255)
    shown = picture(got(filled, INSTANCE + "1/rendered", window="40,400,linear-exact"))
    assert np.abs(shown - exact).max() <= 1
    sigmoid = np.round(255 / (1 + np.exp(-4 * (values - 40) / 400)))
    shown = picture(got(filled, INSTANCE + "1/rendered", window="40,400,sigmoid"))
    assert np.abs(shown - sigmoid).max() <= 1


def test_the_viewport_bounds_the_size_and_keeps_the_shape(filled):
    assert picture(got(filled, INSTANCE + "1/rendered", viewport="16,16")).shape == (12, 16)
    assert picture(got(filled, INSTANCE + "1/rendered", viewport="64,480")).shape == (48, 64)


def test_a_region_is_cut_out_and_flipped(filled):
    whole = windowed(hounsfield(), 40, 400)
    cut = picture(got(filled, INSTANCE + "1/rendered", viewport="10,5,4,8,10,5"))
    assert np.array_equal(cut, whole[8:13, 4:14])
    flipped = picture(got(filled, INSTANCE + "1/rendered", viewport="10,5,4,8,-10,-5"))
    assert np.array_equal(flipped, whole[8:13, 4:14][::-1, ::-1])


def test_frames_are_drawn_one_by_one(filled):
    for number in (1, 2, 3):
        frame = got(filled, f"{place('3')}/frames/{number}/rendered", window="2,3")
        assert set(picture(frame).ravel()) == {{1: 64, 2: 191, 3: 255}[number]}


def test_colors_stay(filled):
    shown = picture(got(filled, place("2") + "/rendered"))
    assert np.allclose(shown[20, [5, 55]], [[200, 0, 0], [0, 0, 200]], atol=6)


def test_jpeg_is_the_default_and_has_a_quality(filled):
    coarse = got(filled, INSTANCE + "1/rendered", "*/*", quality=10)
    fine = got(filled, INSTANCE + "1/rendered", "*/*", quality=100)
    assert coarse.headers["content-type"] == fine.headers["content-type"] == "image/jpeg"
    assert len(coarse.content) < len(fine.content)
    assert coarse.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(
    "path",
    [
        INSTANCE + "1/thumbnail",
        INSTANCE + "1/frames/1/thumbnail",
        f"studies/{STUDY}/series/{CT_SERIES}/thumbnail",
        f"studies/{STUDY}/thumbnail",
    ],
)
def test_thumbnails_are_small(filled, path):
    assert picture(got(filled, path)).shape == (96, 128)


def test_a_report_is_given_as_pdf(filled):
    answer = got(filled, place("5") + "/rendered", "application/pdf")
    assert (answer.headers["content-type"], answer.content) == ("application/pdf", PDF)
    assert got(filled, place("5") + "/rendered", "image/png").status_code == 406


@pytest.mark.parametrize(
    ("path", "accept", "asked", "status"),
    [
        (INSTANCE + "1/rendered", "image/gif", {}, 406),
        (INSTANCE + "1/rendered", "image/gif, image/jpeg", {}, 200),
        (INSTANCE + "1/rendered", "image/gif", {"accept": "image/png"}, 200),
        (INSTANCE + "1/rendered", "*/*", {"window": "40"}, 400),
        (INSTANCE + "1/rendered", "*/*", {"window": "40,0"}, 400),
        (INSTANCE + "1/rendered", "*/*", {"window": "40,400,cubic"}, 400),
        (INSTANCE + "1/rendered", "*/*", {"window": "nan,1"}, 400),
        (INSTANCE + "1/rendered", "*/*", {"viewport": "0,10"}, 400),
        (INSTANCE + "1/rendered", "*/*", {"viewport": "99999,10"}, 400),
        (INSTANCE + "1/rendered", "*/*", {"viewport": "10"}, 400),
        (INSTANCE + "1/rendered", "*/*", {"viewport": "10,10,0,0,99,99"}, 422),
        (INSTANCE + "1/rendered", "*/*", {"viewport": "10,10,0,0,0,0"}, 400),
        (INSTANCE + "1/rendered", "*/*", {"quality": "101"}, 400),
        (INSTANCE + "1/frames/2/rendered", "*/*", {}, 404),
        (INSTANCE + "1/frames/x/rendered", "*/*", {}, 400),
        (INSTANCE + "9/rendered", "*/*", {}, 404),
        (place("5") + "/thumbnail", "*/*", {}, 406),
        ("studies/1.2.3/thumbnail", "*/*", {}, 404),
    ],
)
def test_each_trouble_has_its_status(filled, path, accept, asked, status):
    assert got(filled, path, accept, **asked).status_code == status
