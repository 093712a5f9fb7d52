import numpy as np
import pytest

from medloop.clinical.report.figures import heat, heat_ramp, overlay, shrink, to_jpeg, trim
from medloop.core.code import Code
from medloop.core.finding import Finding
from medloop.core.image import HeatMap, LabelMap, Picture, Segment
from tests.clinical.cases import a_result
from tests.phantoms import a_fundus

CYAN = (0, 255, 255)
CODE = Code("99TEST", "spot", "Spot")


def gray_picture(size=(200, 300)):
    return Picture(np.full((*size, 3), 120, np.uint8))


def one_spot(size=(200, 300), rows=slice(80, 120), columns=slice(100, 160)):
    array = np.zeros(size, np.uint8)
    array[rows, columns] = 1
    return LabelMap(array, {1: Segment("spot", CODE, CODE, CYAN)})


def test_an_outline_leaves_the_tissue_inside_visible():
    picture = gray_picture()
    drawn = overlay(picture, one_spot()).astype(int)
    assert (drawn[82:118, 102:158] == 120).all()
    assert (drawn[70:130, 90:170, 2] - drawn[70:130, 90:170, 0]).max() > 150


def test_what_is_far_from_any_label_is_untouched():
    drawn = overlay(gray_picture(), one_spot())
    assert (drawn[:60] == 120).all()
    assert (drawn[140:] == 120).all()


def test_a_lesion_of_one_pixel_survives_shrinking():
    labels = one_spot((2000, 4000), slice(1500, 1501), slice(3000, 3001))
    drawn = overlay(gray_picture((2000, 4000)), labels, width_px=800)
    rows, columns = np.nonzero((drawn != 120).any(axis=2))
    assert abs(rows.mean() - 300) < 1
    assert abs(columns.mean() - 600) < 1


def test_a_finding_with_only_a_point_is_marked_there():
    finding = Finding(CODE, center_px=(150.0, 60.0))
    drawn = overlay(gray_picture(), None, [finding])
    rows, columns = np.nonzero((drawn != 120).any(axis=2))
    assert abs(rows.mean() - 60) < 1
    assert abs(columns.mean() - 150) < 1
    assert (drawn[60, 150] == 120).all()


def test_labels_without_a_segment_are_not_drawn():
    labels = LabelMap(one_spot().array, {})
    assert (overlay(gray_picture(), labels) == 120).all()


def test_drawing_changes_no_argument():
    picture, labels = gray_picture(), one_spot()
    overlay(picture, labels)
    assert (picture.array == 120).all()


def test_heat_is_colored_where_activation_is_high_and_gray_elsewhere():
    level = np.zeros((200, 300), np.uint8)
    level[50:100, 50:100] = 255
    drawn = heat(gray_picture(), HeatMap("grade", level, "class activation")).astype(int)
    spread = drawn.max(axis=2) - drawn.min(axis=2)
    assert (spread[60:90, 60:90] > 30).all()
    assert (spread[120:, 120:] == 0).all()


def test_heat_leaves_the_black_surround_black():
    fundus = a_fundus((240, 360))
    level = np.full((240, 360), 255, np.uint8)
    drawn = heat(fundus.picture, HeatMap("grade", level, "class activation")).astype(int)
    outside = drawn[~fundus.field]
    assert (outside.max(axis=1) - outside.min(axis=1)).max() <= 2
    assert outside.max() < 30


def test_heat_of_nothing_is_gray():
    level = np.zeros((200, 300), np.uint8)
    drawn = heat(gray_picture(), HeatMap("grade", level, "class activation"))
    assert (drawn == drawn[..., :1]).all()


def test_the_legend_grows_brighter_from_left_to_right():
    luminance = heat_ramp(64)[0].astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).mean() > 0.9
    assert luminance[-1] > luminance[0]


@pytest.mark.parametrize("kind", ["gray8", "gray16", "rgb16"])
def test_any_picture_becomes_eight_bit_color(kind):
    shape = (20, 30, 3) if kind == "rgb16" else (20, 30)
    dtype = np.uint8 if kind == "gray8" else np.uint16
    array = np.zeros(shape, dtype)
    array[10:] = np.iinfo(dtype).max
    shown = shrink(Picture(array))
    assert shown.shape == (20, 30, 3)
    assert shown.dtype == np.uint8
    assert (shown[15, 15] == 255).all()


def test_trimming_keeps_the_whole_field_and_little_else():
    fundus = a_fundus((240, 360))
    rows, columns = trim(fundus.picture.array)
    cut = fundus.field[rows, columns]
    assert cut.sum() > 0.995 * fundus.field.sum()
    assert cut.size < 0.7 * fundus.field.size


def test_a_black_picture_is_not_trimmed():
    black = np.zeros((20, 30, 3), np.uint8)
    assert trim(black) == (slice(0, 20), slice(0, 30))


def test_embedded_pictures_are_small_jpegs():
    encoded = to_jpeg(a_fundus((240, 360)).picture.array, width_px=300)
    assert encoded.startswith(b"\xff\xd8\xff")
    assert len(encoded) < 20_000


def test_lesions_of_a_photograph_are_outlined_in_their_colors():
    fundus = a_fundus((480, 720))
    result = a_result(fundus)
    drawn = overlay(fundus.picture, result.labels, result.findings)
    for segment in result.labels.segments.values():
        distance = np.abs(drawn.astype(int) - segment.color).max(axis=2)
        assert distance.min() < 40, segment.name
