"""From a mask or a probability to a file of contours and back, against what was drawn."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from medloop.core.geometry import Grid
from medloop.core.study import Selection
from medloop.dicom.read_rtstruct import read_structures, structures_of
from medloop.dicom.write import dicom_objects, save
from medloop.workflow.intake import gather, read_case
from tests.dicom.contoured import FRAME, a_result, a_structure, an_axial_grid, written
from tests.dicom.test_write_objects import errors_of
from tests.dicom.test_write_rtstruct import dice

SPACINGS_MM = [(2.5, 3.9, 3.9), (1.0, 1.0, 1.0), (3.0, 0.98, 0.98), (5.0, 0.6, 0.7)]
AXES_MM = np.array([19.0, 14.0, 22.0])
MIDDLE_MM, TUBE_MM = 18.0, 8.0  # of the torus, and of the C that is three quarters of it


def ellipsoid(at: np.ndarray) -> np.ndarray:
    """Distance to an ellipsoid, to first order; below 0 inside."""
    rho = np.linalg.norm(at / AXES_MM, axis=-1)
    slope = np.linalg.norm(at / AXES_MM**2, axis=-1) / np.maximum(rho, 1e-9)
    return (rho - 1) / np.maximum(slope, 1e-9)


def torus(at: np.ndarray) -> np.ndarray:
    """Distance to a torus around z."""
    return np.hypot(np.hypot(at[..., 0], at[..., 1]) - MIDDLE_MM, at[..., 2]) - TUBE_MM


def c_shape(at: np.ndarray) -> np.ndarray:
    """Distance to three quarters of that torus with round ends."""
    angle = np.arctan2(at[..., 1], at[..., 0])
    turned = np.clip(angle, -0.75 * np.pi, 0.75 * np.pi)
    middle = np.stack([np.cos(turned), np.sin(turned), np.zeros_like(turned)], axis=-1)
    return np.linalg.norm(at - MIDDLE_MM * middle, axis=-1) - TUBE_MM


SHAPES = {"ellipsoid": ellipsoid, "torus": torus, "c_shape": c_shape}
CENTER_MM = np.array([0.3, -1.7, 2.1])
_BENT_MM3 = 1.5 * np.pi**2 * MIDDLE_MM * TUBE_MM**2
_ENDS_MM3 = 4 / 3 * np.pi * TUBE_MM**3
VOLUMES_MM3 = {
    "ellipsoid": 4 / 3 * np.pi * AXES_MM.prod(),
    "torus": 2 * np.pi**2 * MIDDLE_MM * TUBE_MM**2,
    "c_shape": _BENT_MM3 + _ENDS_MM3,
}


def true_centroid_mm(shape) -> np.ndarray:
    """Of the C by Pappus: a bent tube, and two halves of a ball at its ends."""
    if shape != "c_shape":
        return CENTER_MM
    angle = 0.75 * np.pi
    bent = (MIDDLE_MM + TUBE_MM**2 / (4 * MIDDLE_MM)) * np.sin(angle) / angle
    ends = MIDDLE_MM * np.cos(angle) - 3 / 8 * TUBE_MM * np.sin(angle)
    along = (bent * _BENT_MM3 + ends * _ENDS_MM3) / (_BENT_MM3 + _ENDS_MM3)
    return CENTER_MM + np.array([along, 0, 0])


def a_grid(spacing_mm, reach_mm=33.0) -> Grid:
    """A grid around the origin, from -33 to 33 mm."""
    shape = tuple(int(np.ceil(2 * reach_mm / step)) for step in spacing_mm)
    return an_axial_grid(shape, spacing_mm, (-reach_mm, -reach_mm, -reach_mm))


def softly(shape, grid: Grid) -> np.ndarray:
    """Draw a shape as a probability that falls over a voxel's width at its surface."""
    index = np.stack(np.indices(grid.shape), axis=-1).astype(float)
    distance = SHAPES[shape](grid.to_world(index) - CENTER_MM)
    return np.clip(0.5 - distance / max(grid.spacing_mm), 0, 1).astype(np.float32)


def centroid_mm(mask: np.ndarray, grid: Grid) -> np.ndarray:
    return grid.to_world(np.argwhere(mask).astype(float)).mean(axis=0)


@pytest.mark.parametrize("spacing_mm", SPACINGS_MM)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("hard", [False, True])
def test_a_mask_comes_back_from_its_file(tmp_path, spacing_mm, shape, hard):
    grid = a_grid(spacing_mm)
    field = softly(shape, grid)
    mask = field >= 0.5
    assert mask.sum() * grid.voxel_mm3 > 1000
    data = written([a_structure(mask if hard else field, grid)], grid, tmp_path / "rs.dcm")
    back = read_structures(data, grid)["Parotid_L"]
    assert dice(back, mask) >= 0.995
    assert np.linalg.norm(centroid_mm(back, grid) - centroid_mm(mask, grid)) < 0.1


@pytest.mark.parametrize("shape", SHAPES)
def test_at_one_millimeter_the_whole_chain_errs_by_less_than_a_tenth(tmp_path, shape):
    grid = a_grid((1.0, 1.0, 1.0))
    structure = a_structure(softly(shape, grid), grid)
    data = written([structure], grid, tmp_path / "rs.dcm")
    contours = structures_of(data)[0].contours
    points = np.concatenate([c.points_mm for c in contours])
    mask = read_structures(data, grid)["Parotid_L"]
    assert np.abs(SHAPES[shape](points - CENTER_MM)).mean() < 0.1
    assert np.linalg.norm(centroid_mm(mask, grid) - true_centroid_mm(shape)) < 0.1
    drawn_mm3 = sum(c.area_mm2 for c in contours) * grid.spacing_mm[0]
    for volume_mm3 in (mask.sum() * grid.voxel_mm3, drawn_mm3):
        assert abs(radius_mm(volume_mm3) - radius_mm(VOLUMES_MM3[shape])) < 0.1


def radius_mm(volume_mm3: float) -> float:
    """Radius of the ball of a volume."""
    return (volume_mm3 * 0.75 / np.pi) ** (1 / 3)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(*[st.floats(0.3, 5)] * 3),
    st.tuples(*[st.floats(-1, 1)] * 3),
    st.booleans(),
)
def test_any_mask_comes_back_on_any_slices(tmp_path_factory, seed, spacing_mm, turn, hard):
    grid = an_oblique_grid((4, 17, 21), spacing_mm, turn)
    noise = gaussian_filter(np.random.default_rng(seed).random(grid.shape), (0, 1, 1))
    field = ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)
    mask = field >= 0.5
    folder = tmp_path_factory.mktemp("any")
    data = written([a_structure(mask if hard else field, grid)], grid, folder / "rs.dcm")
    assert (read_structures(data, grid)["Parotid_L"] == mask).all()
    assert all("ContourImageSequence" in c for c in data.ROIContourSequence[0].ContourSequence)


def an_oblique_grid(shape, spacing_mm, turn) -> Grid:
    """A grid turned about all three axes."""
    x, y, z = turn
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation = np.linalg.solve(np.eye(3) + cross, np.eye(3) - cross)  # Cayley
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.fliplr(np.diag(spacing_mm[::-1]))
    affine[:3, 3] = (-31.25, 12.5, 400.0)
    return Grid(shape, affine, FRAME)


def test_sagittal_slices_take_contours_too(tmp_path):
    affine = np.array(
        [[2.0, 0, 0, -20], [0, 0, 1.0, -30], [0, -1.0, 0, 35], [0, 0, 0, 1]], float
    )
    grid = Grid((20, 60, 60), affine, FRAME)
    index = np.stack(np.indices(grid.shape), axis=-1) - np.array([9.0, 30, 30])
    away = np.linalg.norm(index * np.array(grid.spacing_mm), axis=-1)
    field = np.clip(15.5 - away, 0, 1).astype(np.float32)
    data = written([a_structure(field, grid)], grid, tmp_path / "rs.dcm")
    contours = data.ROIContourSequence[0].ContourSequence
    assert all(len(set(c.ContourData[::3])) == 1 for c in contours)  # x is the slice
    assert (read_structures(data, grid)["Parotid_L"] == (field >= 0.5)).all()


@pytest.mark.slow
@pytest.mark.data
def test_air_and_bone_of_a_public_ct_come_back_voxel_by_voxel(tmp_path):
    folder = Path(os.environ.get("MEDLOOP_DATA", "none")) / "lidc/LIDC-IDRI-0001"
    if not folder.is_dir():
        pytest.skip("MEDLOOP_DATA has no lidc/LIDC-IDRI-0001")
    (study,) = gather(sorted(folder.glob("*.dcm"))[60:64], scratch=tmp_path).studies
    case = read_case(study, Selection(study.series))
    volume = case.images[0]
    masks = {"Air": volume.array < -500, "Bone": volume.array > 400}
    structures = [
        a_structure(mask, volume.grid, name, number)
        for number, (name, mask) in enumerate(masks.items(), start=1)
    ]
    data = dicom_objects(case, a_result(*structures))["rtstruct.dcm"]
    save(data, tmp_path / "rs.dcm")
    assert errors_of(tmp_path / "rs.dcm") == []
    back = read_structures(data, volume.grid)
    for name, mask in masks.items():
        assert (back[name] == mask).all(), name
    images = {
        str(contour.ContourImageSequence[0].ReferencedSOPInstanceUID)
        for item in data.ROIContourSequence
        for contour in item.ContourSequence
    }
    assert images == {instance.uid for instance in study.series[0].instances}
