"""A head is drawn, and its face is taken out; the brain is not touched."""

import numpy as np
import pytest

from medloop.core.errors import UnsuitableError
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.imaging.deface import face_mask

SPACING = 3.0
SHAPE = (87, 80, 67)  # 26 x 24 x 20 cm; z up, y back, x left


def ball(points, center, radii):
    return (((points - center) / radii) ** 2).sum(axis=-1) <= 1


def a_head(*, scale=1.0):
    """Masks in mm around the middle of the skull: nose, eyes, mouth, brain, and all tissue."""
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    zyx = (index - (np.array(SHAPE) - 1) / 2) * SPACING - np.array([20, 0, 0])
    zyx = zyx / scale
    skull = ball(zyx, (0, 0, 0), (100, 95, 75))
    brain = ball(zyx, (8, 2, 0), (80, 84, 66)) & (zyx[..., 0] > -45)
    # The brain ends at the orbits in front: its underside rises toward the forehead.
    brain &= zyx[..., 0] > -12 - 0.9 * (zyx[..., 1] + 70).clip(0, 40)
    jaw = ball(zyx, (-85, -40, 0), (55, 50, 50))
    neck = (np.hypot(zyx[..., 1] - 10, zyx[..., 2]) < 50) & (zyx[..., 0] < -60)
    nose = ball(zyx, (-50, -98, 0), (22, 18, 14))
    eyes = ball(zyx, (-27, -72, 32), (12, 12, 12)) | ball(zyx, (-27, -72, -32), (12, 12, 12))
    mouth = ball(zyx, (-90, -82, 0), (10, 10, 24))
    tissue = skull | jaw | neck | nose | eyes | mouth
    return {"nose": nose, "eyes": eyes, "mouth": mouth, "brain": brain, "tissue": tissue}


def volume_of(parts, *, air=-1000.0, soft=40.0, noise=10.0):
    rng = np.random.default_rng(0)
    array = np.where(parts["tissue"], soft, air) + rng.normal(0, noise, SHAPE)
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    affine[2, 0], affine[1, 1], affine[0, 2] = SPACING, SPACING, SPACING
    return Volume(array.astype(np.float32), Grid(SHAPE, affine), "1")


def share(mask, part):
    return float((mask & part).sum() / part.sum())


@pytest.mark.parametrize("values", [(-1000.0, 40.0), (5.0, 400.0)], ids=["CT", "MR"])
def test_nose_eyes_and_mouth_are_gone_and_the_brain_is_whole(values):
    parts = a_head()
    mask = face_mask(volume_of(parts, air=values[0], soft=values[1], noise=3.0))
    assert share(mask, parts["nose"]) > 0.97
    assert share(mask, parts["eyes"]) > 0.6
    assert share(mask, parts["mouth"]) > 0.97
    assert not (mask & parts["brain"]).any()


def test_a_child_of_half_the_size_loses_its_face_alone():
    parts = a_head(scale=0.75)
    mask = face_mask(volume_of(parts))
    assert share(mask, parts["nose"]) > 0.9
    assert not (mask & parts["brain"]).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_order_of_slices_rows_and_columns_does_not_matter(axis):
    volume = volume_of(a_head())
    affine = volume.grid.affine.copy()
    affine[:3, 3] += affine[:3, axis] * (SHAPE[axis] - 1)
    affine[:3, axis] *= -1
    turned = Volume(np.flip(volume.array, axis), Grid(SHAPE, affine), "1")
    assert np.array_equal(np.flip(face_mask(turned), axis), face_mask(volume))


def test_sagittal_slices_are_as_good_as_axial_ones():
    volume = volume_of(a_head())
    order = (2, 0, 1)
    array = np.ascontiguousarray(volume.array.transpose(order))
    affine = volume.grid.affine[:, [*order, 3]]
    sagittal = Volume(array, Grid(array.shape, affine), "1")
    assert np.array_equal(face_mask(sagittal), face_mask(volume).transpose(order))


def test_a_chest_is_no_head():
    parts = a_head()
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    parts["tissue"] = (np.abs(index[..., 1] - 40) < 33) & (np.abs(index[..., 2] - 33) < 32)
    with pytest.raises(UnsuitableError, match="top of the head"):
        face_mask(volume_of(parts))


def test_a_brain_without_its_skull_has_no_face():
    parts = a_head()
    parts["tissue"] = parts["brain"]
    with pytest.raises(UnsuitableError, match="no nose"):
        face_mask(volume_of(parts))


def test_a_head_without_its_top_is_refused():
    parts = a_head()
    volume = volume_of(parts)
    cut = volume.array[:54]
    with pytest.raises(UnsuitableError, match="top of the head"):
        face_mask(Volume(cut, Grid(cut.shape, volume.grid.affine), "1"))


def test_an_empty_volume_is_refused():
    grid = Grid((8, 8, 8), np.eye(4)[[2, 1, 0, 3]])
    with pytest.raises(UnsuitableError):
        face_mask(Volume(np.zeros((8, 8, 8), np.float32), grid, "1"))
