"""A mask comes back voxel by voxel, and one that belongs elsewhere is refused in one line."""

import gzip
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medloop.annotation.masks import decode, decode_flat, encode, encode_flat, present
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.files.nifti import decode_nifti, encode_nifti
from medloop.imaging.viewing import from_viewing_index, to_viewing, viewing_grid


def a_grid(shape, axes=(0, 1, 2), signs=(1, 1, 1), spacing=(2.5, 0.7, 0.7)) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = 0
    for column, (axis, sign, mm) in enumerate(zip(axes, signs, spacing, strict=True)):
        affine[2 - axis, column] = sign * mm
    affine[:3, 3] = (-30.0, 12.0, 5.5)
    return Grid(shape, affine)


GRIDS = st.builds(
    a_grid,
    st.tuples(*[st.integers(1, 6)] * 3),
    st.permutations([0, 1, 2]),
    st.tuples(*[st.sampled_from([-1, 1])] * 3),
)


@st.composite
def labels_on_grids(draw):
    grid = draw(GRIDS)
    labels = draw(hnp.arrays(np.uint16, grid.shape, elements=st.sampled_from([0, 1, 2, 300])))
    return labels, grid


@given(labels_on_grids())
def test_a_mask_comes_back_voxel_by_voxel(case):
    labels, grid = case
    again = decode(encode(labels, grid), grid, known=(1, 2, 300))
    assert again.dtype in (np.uint8, np.uint16)
    assert (again == labels).all()


@given(labels_on_grids())
def test_what_is_drawn_on_a_voxel_of_the_page_lies_on_that_voxel_of_the_volume(case):
    labels, grid = case
    seen = np.ascontiguousarray(to_viewing(labels, grid))
    z, y, x = (n // 2 for n in seen.shape)
    seen[z, y, x] = 2
    drawn = decode(encode_nifti(seen, viewing_grid(grid)), grid, known=(1, 2, 300))
    k, j, i = from_viewing_index(np.array([x, y, z]), grid)
    assert drawn[k, j, i] == 2
    assert (drawn != labels).sum() <= 1


def test_the_same_mask_gives_the_same_bytes():
    grid, labels = a_grid((3, 4, 5)), np.arange(60).reshape(3, 4, 5) % 3
    assert encode(labels, grid) == encode(labels.copy(), grid)
    assert decode_nifti(encode(labels, grid))[0].array.dtype == np.uint8


def test_a_mask_on_the_volumes_own_axes_is_understood_too():
    grid = a_grid((3, 4, 5), signs=(-1, 1, -1))
    labels = (np.arange(60).reshape(3, 4, 5) % 3).astype(np.uint8)
    assert (decode(encode_nifti(labels, grid), grid, known=(1, 2)) == labels).all()


def sent(array, grid=None) -> bytes:
    return encode_nifti(np.asarray(array), grid or viewing_grid(a_grid(np.shape(array))))


ONES = np.ones((3, 4, 5), np.uint8)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "truncated"),
        (b"not a mask at all" * 40, "NIfTI has shape"),
        (gzip.compress(sent(ONES))[:60], "NIfTI"),
        (sent(np.ones((3, 4, 6), np.uint8)), "shape 3 x 4 x 6 differs from 3 x 4 x 5"),
        (sent(ONES, a_grid((3, 4, 5), spacing=(2.5, 0.8, 0.7))), "position differs"),
        (sent(ONES * 7), "holds label 7; there are 1, 2"),
        (sent(ONES * np.float32(0.5)), "between whole numbers"),
        (sent(ONES * np.int16(-1)), "labels are 0 to 65535"),
        (gzip.compress(sent(np.zeros((300, 400, 500), np.uint16))), "the limit is"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_in_one_line(data, said):
    with pytest.raises(InputError, match=said) as caught:
        decode(data, a_grid((3, 4, 5)), known=(1, 2))
    assert "\n" not in str(caught.value)


@given(hnp.arrays(np.uint16, (5, 7), elements=st.sampled_from([0, 1, 2, 300])))
def test_the_mask_of_a_picture_comes_back_pixel_by_pixel(labels):
    assert (decode_flat(encode_flat(labels), (5, 7), known=(1, 2, 300)) == labels).all()


def a_png(array) -> bytes:
    return cv2.imencode(".png", np.asarray(array, np.uint8))[1].tobytes()


def test_gray_pixels_of_a_canvas_are_labels():
    flat = (np.arange(35).reshape(5, 7) % 3).astype(np.uint8)
    opaque = np.dstack([flat, flat, flat, np.full_like(flat, 255)])
    assert (decode_flat(a_png(opaque), (5, 7), known=(1, 2)) == flat).all()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"GIF89a", "sent as PNG"),
        (a_png(np.ones((5, 8))), "8 x 5 pixels, the picture 7 x 5"),
        (a_png(np.ones((5, 7)))[:50], "damaged"),
        (a_png(np.ones((5, 7)) * 9), "holds label 9"),
        (a_png(np.random.default_rng(0).integers(0, 2, (5, 7, 3))), "has colors"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + struct.pack(">II", 7, 5) + b"\0" * 20, "damaged"),
    ],
)
def test_a_picture_that_is_no_mask_is_refused_in_one_line(data, said):
    with pytest.raises(InputError, match=said):
        decode_flat(data, (5, 7), known=(1, 2))


def test_labels_that_are_there_are_named():
    labels = np.zeros((40, 3, 3), np.uint16)
    labels[39, 0, 0], labels[3] = 65535, 4
    assert present(labels) == {4, 65535}
