"""Contours become the voxels whose centers they enclose."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from medloop.core.code import Code
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.structure import RoiKind
from medloop.dicom.annotations import AnnotationKind, read_annotation
from medloop.dicom.pixels import open_dataset
from medloop.dicom.read_rtstruct import fill, read_structures, structure_names, structures_of
from tests.dicom.slices import save

FRAME = "2.25.9"


def a_grid(shape=(5, 40, 48)) -> Grid:
    affine = np.array(
        [[0, 0, 0.7, -20], [0, 0.8, 0, -30], [2.5, 0, 0, 35], [0, 0, 0, 1]], float
    )
    return Grid(shape, affine, FRAME)


def a_contour(points_mm: np.ndarray, kind="CLOSED_PLANAR") -> Dataset:
    contour = Dataset()
    contour.ContourGeometricType = kind
    contour.NumberOfContourPoints = len(points_mm)
    contour.ContourData = [f"{v:.6f}" for v in np.asarray(points_mm).reshape(-1)]
    return contour


def a_structure_set(structures: dict[str, list[Dataset]], frame=FRAME) -> Dataset:
    data = Dataset()
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    data.SOPInstanceUID = "2.25.31"
    data.StudyInstanceUID, data.SeriesInstanceUID = "2.25.6", "2.25.32"
    data.Modality = "RTSTRUCT"
    data.StructureSetROISequence, data.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(structures.items(), start=1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber = drawn.ReferencedROINumber = number
        roi.ROIName, roi.ReferencedFrameOfReferenceUID = name, frame
        drawn.ContourSequence = contours
        data.StructureSetROISequence.append(roi)
        data.ROIContourSequence.append(drawn)
    return data


def a_circle(grid: Grid, k: float, center=(20.0, 24.0), radius_mm=8.0, points=360):
    """Points in LPS mm of a circle around (row, column) of slice `k`."""
    angle = np.arange(points) * 2 * np.pi / points
    middle = grid.to_world(np.array([k, *center]))
    return middle + radius_mm * np.stack(
        [np.cos(angle), np.sin(angle), np.zeros(points)], axis=1
    )


def a_disk(grid: Grid, k: int, center=(20.0, 24.0), radius_mm=8.0) -> np.ndarray:
    index = np.stack(np.indices(grid.shape[1:]), axis=-1).reshape(-1, 2)
    world = grid.to_world(np.column_stack([np.full(len(index), float(k)), index]))
    middle = grid.to_world(np.array([k, *center]))
    return (np.linalg.norm(world - middle, axis=1) <= radius_mm).reshape(grid.shape[1:])


def a_square(low: float, high: float) -> np.ndarray:
    return np.array([[low, low], [low, high], [high, high], [high, low]])


def test_a_square_fills_the_pixels_whose_centers_it_encloses():
    expected = np.zeros((8, 8), bool)
    expected[2:5, 2:5] = True
    assert (fill([a_square(1.5, 4.5)], (8, 8)) == expected).all()


def test_squares_that_share_an_edge_on_pixel_centers_share_no_pixel():
    left = np.array([[1, 1], [1, 3], [5, 3], [5, 1]], float)
    right = left + np.array([0, 2])
    assert not (fill([left], (8, 8)) & fill([right], (8, 8))).any()
    both = fill([left], (8, 8)) | fill([right], (8, 8))
    assert (both == fill([np.array([[1, 1], [1, 5], [5, 5], [5, 1]], float)], (8, 8))).all()


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.floats(-5, 25, width=32), st.floats(-5, 25, width=32)),
        min_size=3,
        max_size=9,
    )
)
def test_filling_agrees_with_points_in_polygon_of_scikit_image(points):
    measure = pytest.importorskip("skimage.measure", reason="scikit-image is absent")
    points = np.array(points, float)
    row, column = np.indices((20, 20)).reshape(2, -1) + 0.123  # off all edges but by chance
    inside = measure.points_in_poly(np.column_stack([row, column]), points)
    ours = fill([points - 0.123], (20, 20)).reshape(-1)
    nearest = np.full(row.shape, np.inf)
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        nearest = np.minimum(nearest, _distance(np.column_stack([row, column]), start, end))
    clear = nearest > 1e-4
    assert (ours[clear] == inside[clear]).all()


def _distance(at, start, end):
    along = end - start
    t = ((at - start) @ along / max(along @ along, 1e-30)).clip(0, 1)
    return np.linalg.norm(at - (start + t[:, None] * along), axis=1)


def test_a_circle_on_each_slice_makes_the_cylinder():
    grid = a_grid()
    contours = [a_contour(a_circle(grid, k)) for k in (1, 2, 3)]
    mask = read_structures(a_structure_set({"cord": contours}), grid)["cord"]
    for k in range(5):
        expected = a_disk(grid, k) if k in (1, 2, 3) else np.zeros(grid.shape[1:], bool)
        assert (mask[k] != expected).sum() <= 2  # a 360-gon is a little smaller


def test_an_inner_contour_is_a_hole():
    grid = a_grid()
    contours = [
        a_contour(a_circle(grid, 2)),
        a_contour(a_circle(grid, 2, radius_mm=4.1)),
    ]
    mask = read_structures(a_structure_set({"wall": contours}), grid)["wall"][2]
    expected = a_disk(grid, 2) & ~a_disk(grid, 2, radius_mm=4.1)
    assert (mask != expected).sum() <= 3


def test_a_keyhole_is_the_same_hole():
    grid = a_grid()
    outer, inner = a_circle(grid, 2), a_circle(grid, 2, radius_mm=4.1)
    keyhole = np.concatenate([outer, outer[:1], inner[:1], inner[:0:-1], inner[:1]])
    apart = a_structure_set({"wall": [a_contour(outer), a_contour(inner)]})
    joined = a_structure_set({"wall": [a_contour(keyhole)]})
    expected = read_structures(apart, grid)["wall"]
    assert expected.sum() > 100
    assert (read_structures(joined, grid)["wall"] == expected).all()


def test_a_contour_stored_twice_counts_once():
    grid = a_grid()
    once = read_structures(a_structure_set({"a": [a_contour(a_circle(grid, 2))]}), grid)
    twice = read_structures(a_structure_set({"a": [a_contour(a_circle(grid, 2))] * 2}), grid)
    assert once["a"].any()
    assert (once["a"] == twice["a"]).all()


def test_a_plane_between_slices_goes_to_the_nearest_which_takes_the_nearest_plane():
    grid = a_grid()
    far = a_contour(a_circle(grid, 2.4, radius_mm=4.1))
    near = a_contour(a_circle(grid, 1.9))
    mask = read_structures(a_structure_set({"a": [far, near]}), grid)["a"]
    assert (mask.any(axis=(1, 2)) == [False, False, True, False, False]).all()
    assert (mask[2] != a_disk(grid, 2)).sum() <= 2


def ring(grid: Grid, k: float) -> list[np.ndarray]:
    return [a_circle(grid, k), a_circle(grid, k, radius_mm=4.1)]


def mask_of(contours, grid: Grid) -> np.ndarray:
    return read_structures(a_structure_set({"a": contours}), grid)["a"]


def test_exclusive_or_is_meant_by_its_own_type_too():
    grid = a_grid()
    xor = [a_contour(points, "CLOSEDPLANAR_XOR") for points in ring(grid, 2)]
    plain = [a_contour(points) for points in ring(grid, 2)]
    assert (mask_of(xor, grid) == mask_of(plain, grid)).all()
    assert not mask_of(xor, grid)[2, 20, 24]


@pytest.mark.parametrize("off_slices", [-0.45, -0.2, 0.2, 0.45])
def test_contours_off_their_slices_are_those_of_the_nearest(off_slices):
    grid = a_grid()
    there = [a_contour(a_circle(grid, k)) for k in (1, 2, 3)]
    off = [a_contour(a_circle(grid, k + off_slices)) for k in (1, 2, 3)]
    assert (mask_of(off, grid) == mask_of(there, grid)).all()


def test_contours_halfway_between_slices_leave_no_slice_out():
    grid = a_grid()
    noise = np.array([1e-3, -2e-3, 0]) / 2.5
    contours = [
        a_contour(a_circle(grid, k + 0.5 + e)) for k, e in zip((0, 1, 2), noise, strict=True)
    ]
    assert mask_of(contours, grid).any(axis=(1, 2)).tolist() == [False, True, True, True, False]


def test_slices_between_the_planes_stay_empty():
    grid = a_grid()
    mask = mask_of([a_contour(a_circle(grid, k)) for k in (0, 2, 4)], grid)
    assert mask.any(axis=(1, 2)).tolist() == [True, False, True, False, True]


def test_the_order_of_contours_and_the_sense_of_their_points_do_not_matter():
    grid = a_grid()
    pieces = [points for k in (1, 2, 3) for points in ring(grid, k)]
    ordered = mask_of([a_contour(points) for points in pieces], grid)
    mixed = [pieces[n][:: (-1) ** n] for n in (3, 0, 5, 2, 4, 1)]
    rolled = [a_contour(np.roll(points, 100, axis=0)) for points in mixed]
    assert (mask_of(rolled, grid) == ordered).all()


def test_noise_in_z_keeps_a_hole_a_hole():
    grid = a_grid()
    rng = np.random.default_rng(4)
    noisy = [
        a_contour(points + np.array([0, 0, 0.02]) * rng.standard_normal((len(points), 1)))
        for points in ring(grid, 2)
    ]
    plain = [a_contour(points) for points in ring(grid, 2)]
    assert (mask_of(noisy, grid) == mask_of(plain, grid)).all()


def test_the_first_point_repeated_at_the_end_adds_nothing():
    grid = a_grid()
    circle = a_circle(grid, 2)
    closed = np.concatenate([circle, circle[:1]])
    assert (mask_of([a_contour(closed)], grid) == mask_of([a_contour(circle)], grid)).all()
    assert (mask_of([a_contour(c) for c in (closed, circle)], grid)[2]).any()  # it is one


@pytest.mark.parametrize("points", [0, 1, 2])
def test_fragments_of_less_than_three_points_are_none(points):
    grid = a_grid()
    whole, piece = a_contour(a_circle(grid, 2)), a_contour(a_circle(grid, 2)[:points])
    assert (mask_of([piece, whole], grid) == mask_of([whole], grid)).all()


def test_tiny_fragments_fill_nothing_and_disturb_nothing():
    grid = a_grid()
    whole = a_contour(a_circle(grid, 2))
    crumbs = [a_contour(a_circle(grid, 2, (8.3, 8.4), radius_mm=0.1)) for _ in range(3)]
    assert (mask_of([*crumbs, whole], grid) == mask_of([whole], grid)).all()


def test_empty_contour_data_is_no_contour():
    grid = a_grid()
    empty = a_contour(a_circle(grid, 2))
    empty.ContourData = None
    bare = Dataset()
    whole = a_contour(a_circle(grid, 2))
    assert (mask_of([empty, bare, whole], grid) == mask_of([whole], grid)).all()


def test_numbers_need_not_begin_at_one_nor_follow_the_order():
    grid = a_grid()
    data = a_structure_set(
        {"a": [a_contour(a_circle(grid, 1))], "b": [a_contour(a_circle(grid, 3))]}
    )
    for items, key in (("StructureSetROISequence", "ROINumber"), ("ROIContourSequence", "")):
        for number, item in zip((17, 0), data[items].value, strict=True):
            setattr(item, key or "ReferencedROINumber", number)
    data.ROIContourSequence = data.ROIContourSequence[::-1]
    stray = Dataset()
    stray.ReferencedROINumber, stray.ContourSequence = 5, [a_contour(a_circle(grid, 2))]
    data.ROIContourSequence.append(stray)
    masks = read_structures(data, grid)
    assert {name: int(np.argmax(m.any(axis=(1, 2)))) for name, m in masks.items()} == {
        "a": 1,
        "b": 3,
    }
    assert [(s.number, s.name) for s in structures_of(data)] == [(17, "a"), (0, "b")]


def test_structures_of_one_name_become_one_mask_and_stay_two_structures():
    grid = a_grid()
    data = a_structure_set(
        {"a": [a_contour(a_circle(grid, 1))], "b": [a_contour(a_circle(grid, 3))]}
    )
    data.StructureSetROISequence[1].ROIName = "a"
    mask = read_structures(data, grid)["a"]
    assert mask.any(axis=(1, 2)).tolist() == [False, True, False, True, False]
    assert [(s.number, s.name) for s in structures_of(data)] == [(1, "a"), (2, "a")]


def test_a_structure_in_another_frame_of_reference_is_left_out():
    grid = a_grid()
    data = a_structure_set({name: [a_contour(a_circle(grid, 2))] for name in ("here", "there")})
    data.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "2.25.1"
    assert list(read_structures(data, grid)) == ["here"]
    with pytest.raises(InputError, match="no structure 'there'"):
        read_structures(data, grid, names=["there"])


def test_structures_keep_their_points_slices_codes_and_colors():
    grid = a_grid()
    circle = a_circle(grid, 2, points=7)
    data = a_structure_set({"Parotid_L": [a_contour(circle)], "GTVp": []})
    data.ROIContourSequence[0].ROIDisplayColor = [255, 160, 0]
    seen, concept, side = Dataset(), Dataset(), Dataset()
    seen.ReferencedROINumber, seen.RTROIInterpretedType = 1, "ORGAN"
    concept.CodeValue, concept.CodingSchemeDesignator = "45289007", "SCT"
    concept.CodeMeaning = "Parotid gland"
    side.CodeValue, side.CodingSchemeDesignator, side.CodeMeaning = "7771000", "SCT", "Left"
    concept.SegmentedPropertyTypeModifierCodeSequence = [side]
    seen.RTROIIdentificationCodeSequence = [concept]
    data.RTROIObservationsSequence = [seen]
    parotid, tumor = structures_of(data, grid=grid)
    (contour,) = parotid.contours
    assert np.abs(contour.points_mm - circle).max() < 1e-6
    assert contour.k == 2
    assert (parotid.kind, parotid.color) == (RoiKind.ORGAN, (255, 160, 0))
    assert parotid.concept == Code("SCT", "45289007", "Parotid gland")
    assert parotid.site == Code("SCT", "7771000", "Left")
    assert (tumor.name, tumor.contours, tumor.kind) == ("GTVp", (), RoiKind.OTHER)
    assert structures_of(data)[0].contours[0].k is None


def test_structures_of_another_maker_are_read():
    data = open_dataset(Path(get_testdata_file("rtstruct.dcm", download=False)))
    (patient, *_others) = structures_of(data)
    assert patient.name == "patient"
    assert [round(c.area_mm2) for c in patient.contours] == [120_000] * 3
    assert patient.kind is RoiKind.EXTERNAL


def test_contours_beyond_the_image_are_cut_off():
    grid = a_grid()
    contours = [
        a_contour(a_circle(grid, -1)),
        a_contour(a_circle(grid, 0, center=(0.0, 0.0))),
    ]
    mask = read_structures(a_structure_set({"a": contours}), grid)["a"]
    assert (mask[0] != a_disk(grid, 0, center=(0.0, 0.0))).sum() <= 2
    assert not mask[1:].any()


def test_open_contours_and_points_fill_nothing():
    grid = a_grid()
    contours = [
        a_contour(a_circle(grid, 2), "OPEN_PLANAR"),
        a_contour(np.zeros((1, 3)), "POINT"),
    ]
    assert read_structures(a_structure_set({"a": contours}), grid) == {}
    assert not read_structures(a_structure_set({"a": contours}), grid, names=["a"])["a"].any()


def test_a_sagittal_contour_is_refused():
    grid = a_grid()
    upright = a_circle(grid, 2)[:, [2, 1, 0]]
    with pytest.raises(InputError, match=r"'a' crosses \d+\.\d slices"):
        read_structures(a_structure_set({"a": [a_contour(upright)]}), grid)


def test_a_foreign_frame_and_a_missing_structure_are_refused():
    grid = a_grid()
    contours = [a_contour(a_circle(grid, 2))]
    with pytest.raises(InputError, match="another frame of reference"):
        read_structures(a_structure_set({"a": contours}, frame="2.25.1"), grid)
    with pytest.raises(InputError, match="no structure 'b'"):
        read_structures(a_structure_set({"a": contours}), grid, names=["b"])
    with pytest.raises(InputError, match="not an RT structure set"):
        structure_names(Dataset())


@pytest.mark.parametrize("values", [["1", "2"], ["nan"] * 9, ["1"] * 10, ["x"] * 9])
def test_damaged_coordinates_are_refused(values):
    contour = a_contour(np.zeros((3, 3)))
    contour["ContourData"]._value = values
    structures = a_structure_set({"a": [contour]})
    with pytest.raises(InputError, match=r"damaged|no numbers"):
        read_structures(structures, a_grid())
    with pytest.raises(InputError, match=r"damaged|no numbers"):
        structures_of(structures)


def test_a_structure_set_of_another_maker_keeps_its_areas():
    """Three contours of 400 x 300 mm at z -200, -190 and -180, in a file that pydicom ships."""
    data = open_dataset(Path(get_testdata_file("rtstruct.dcm", download=False)))
    affine = np.array([[0, 0, 2, -219], [0, 2, 0, -199], [10, 0, 0, -210], [0, 0, 0, 1]], float)
    mask = read_structures(data, Grid((5, 200, 220), affine))["patient"]
    assert (mask.sum(axis=(1, 2)) * 4).tolist() == [0, 120_000, 120_000, 120_000, 0]


def test_an_annotation_says_its_names_and_series(tmp_path):
    data = a_structure_set({"Cord": [], "Brain": []})
    frame, study, series = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = "2.25.5"
    study.RTReferencedSeriesSequence = [series]
    frame.RTReferencedStudySequence = [study]
    data.ReferencedFrameOfReferenceSequence = [frame]
    found = read_annotation(save(data, tmp_path / "rs.dcm"))
    assert (found.kind, found.names, found.series) == (
        AnnotationKind.RTSTRUCT,
        {1: "Cord", 2: "Brain"},
        ("2.25.5",),
    )
