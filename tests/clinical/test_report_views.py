"""Three planes through a labelled volume, seen as radiologists do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.clinical.brain.codes import SEGMENTS
from medloop.clinical.report.views import PANEL_PX, PLANES, columns_of, views
from medloop.clinical.reports import report_for
from medloop.core.finding import Provenance, Result
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Volume
from tests.clinical.brains import NOW, a_case

SIZE = (30, 40, 36)
UPRIGHT = np.array([[0, 0, 1.0, -18], [0, 1, 0, -20], [1, 0, 0, -15], [0, 0, 0, 1]])
ORANGE = np.array(SEGMENTS[1].color)


def a_volume(corner: tuple[int, int, int] | None = None) -> tuple[Volume, LabelMap]:
    """A gray block with a label in its middle, and a bright cube near `corner`."""
    array = np.full(SIZE, 60, np.int16)
    if corner is not None:
        k, j, i = corner
        array[k : k + 6, j : j + 6, i : i + 6] = 200
    marked = np.zeros(SIZE, np.uint8)
    marked[12:18, 15:25, 14:22] = 1
    grid = Grid(SIZE, UPRIGHT)
    return Volume(array, grid, "1"), LabelMap(marked, SEGMENTS, grid)


def top_panels(picture: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(PLANES, (part[: PANEL_PX[0]] for part in columns_of(picture)), strict=True))


def brightest(panel: np.ndarray) -> tuple[float, float]:
    """Where the bright cube is, as shares of height and width; letters are drawn in white."""
    rows, columns = np.nonzero((panel[..., 0] > 230) & _is_gray(panel))
    inner = (rows > 60) & (rows < 420) & (columns > 60) & (columns < 540)
    return rows[inner].mean() / PANEL_PX[0], columns[inner].mean() / PANEL_PX[1]


def _is_gray(panel: np.ndarray) -> np.ndarray:
    return np.ptp(panel.astype(int), axis=-1) == 0


def test_planes_stand_side_by_side_plain_above_outlined():
    picture = views(*a_volume())
    assert picture.shape == (2 * PANEL_PX[0], 3 * PANEL_PX[1], 3)
    for part in columns_of(picture):
        assert _is_gray(part[: PANEL_PX[0]]).all()
        assert (part[PANEL_PX[0] :] == ORANGE).all(axis=-1).any()


def test_the_patients_left_is_at_the_right_and_front_at_the_top_of_an_axial_view():
    panels = top_panels(views(*a_volume((12, 4, 27))))  # anterior, left, at the label's height
    row, column = brightest(panels["axial"])
    assert row < 0.4
    assert column > 0.55


def test_superior_is_at_the_top_of_coronal_and_sagittal_views():
    panels = top_panels(views(*a_volume((22, 16, 15))))  # above the label
    assert brightest(panels["coronal"])[0] < 0.4
    assert brightest(panels["sagittal"])[0] < 0.4


def test_anterior_is_at_the_left_of_a_sagittal_view():
    panels = top_panels(views(*a_volume((13, 4, 15))))
    assert brightest(panels["sagittal"])[1] < 0.45


def test_outlines_run_at_the_border_of_the_label_to_scale():
    picture = views(*a_volume())
    outlined = columns_of(picture)[0][PANEL_PX[0] :]
    rows, columns = np.nonzero((outlined == ORANGE).all(axis=-1))
    side_mm = 10 + 2 * 12.0  # the longest side of the label and the margin
    px_mm = PANEL_PX[0] / side_mm
    assert np.ptp(rows) == pytest.approx(10 * px_mm, abs=6)
    assert np.ptp(columns) == pytest.approx(8 * px_mm, abs=6)


@settings(max_examples=5)
@given(st.permutations((0, 1, 2)), st.tuples(*[st.booleans()] * 3))
def test_how_the_voxels_are_stored_makes_no_difference(axes, backward):
    volume, labels = a_volume((12, 4, 27))
    flipped = tuple(axis for axis, back in enumerate(backward) if back)
    change = np.eye(4)[[*axes, 3]].T
    for axis in flipped:
        change[:3, 3] += change[:3, axis] * (SIZE[axes[axis]] - 1)
        change[:3, axis] *= -1
    arrays = [np.flip(a.array.transpose(axes), flipped).copy() for a in (volume, labels)]
    grid = Grid(arrays[0].shape, UPRIGHT @ change)
    stored = views(Volume(arrays[0], grid, "1"), replace(labels, array=arrays[1], grid=grid))
    assert np.array_equal(stored, views(volume, labels))


def test_labels_of_another_size_are_misuse():
    volume, labels = a_volume()
    grid = Grid((3, 3, 3), np.eye(4))
    with pytest.raises(ValueError, match="labels are"):
        views(volume, replace(labels, array=np.zeros((3, 3, 3), np.uint8), grid=grid))


@pytest.mark.parametrize(("language", "first"), [("en", "Axial"), ("zh", "横断面")])
def test_a_labelled_volume_without_wording_shows_its_planes(language, first):
    volume, labels = a_volume()
    case = a_case(volume)
    made = Provenance("other", "1", (), (), "", NOW)
    result = Result(made, (), {}, labels)
    page = report_for(case, result, language=language, now=NOW)
    assert page.count("<figcaption>") == 3
    assert f"<figcaption>{first}</figcaption>" in page
    assert "Anterior hippocampus" in page
