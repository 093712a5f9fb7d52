"""What is painted on a voxel of the page is that voxel in the SEG, and on the page again."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
from pydicom import dcmread

from medloop.annotation.masks import decode, encode
from medloop.core.finding import Provenance, Result, Weights
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Segment
from medloop.core.study import SopUid
from medloop.dicom.read_results import read_segmentation
from medloop.dicom.write.seg import segmentation
from medloop.files.nifti import decode_nifti, encode_nifti
from medloop.imaging.viewing import to_viewing, viewing_grid
from tests.dicom.contoured import FRAME, slices_of
from tests.dicom.phantoms_written import ABNORMAL, NODULE, NOW

LABELS = (1, 2, 200)
SEGMENTS = {n: Segment(f"Nodule {n}", ABNORMAL, NODULE, (n, 90, 40)) for n in LABELS}


@st.composite
def oblique_grids(draw) -> Grid:
    """Draw scans in any direction, slices at right angles, counted one way or the other."""
    shape = draw(st.tuples(st.integers(2, 6), st.integers(2, 7), st.integers(2, 7)))
    seed = draw(st.integers(0, 2**32 - 1))
    turned, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    spacing = draw(st.tuples(*[st.sampled_from([0.5, 0.703125, 1.25, 3.0])] * 3))
    affine = np.eye(4)
    affine[:3, :3] = turned * np.array(spacing)
    affine[:3, 3] = draw(st.tuples(*[st.floats(-300, 300, width=32)] * 3))
    return Grid(shape, np.round(affine, 6), FRAME)


@st.composite
def painted(draw):
    grid = draw(oblique_grids())
    seen = viewing_grid(grid).shape
    mask = draw(hnp.arrays(np.uint8, seen, elements=st.sampled_from([0, 0, *LABELS])))
    return grid, mask


def written(labels: LabelMap) -> bytes:
    made = Provenance(
        "lung", "1.0", (Weights("nodules", "1", "ab" * 32),), (SopUid("2.25.1"),), "cd", NOW
    )
    data = segmentation(Result(made, (), {}, labels), slices_of(labels.grid))
    file = BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(painted())
def test_a_painted_mask_comes_back_from_its_seg_voxel_by_voxel(case):
    grid, page = case
    sent = encode_nifti(page, viewing_grid(grid))
    labels = LabelMap(decode(sent, grid, LABELS), SEGMENTS, grid)
    if not page.any():  # a SEG of nothing is not written
        return
    read = read_segmentation(dcmread(BytesIO(written(labels))), grid=grid)
    assert_array_equal(read.array, labels.array)
    assert_array_equal(to_viewing(read.array, grid), page)
    again, _ = decode_nifti(encode(read.array, grid), max_bytes=1 << 20)
    assert_array_equal(again.array, page)
    assert {n: each.name for n, each in read.segments.items()} == {
        n: f"Nodule {n}" for n in np.unique(page[page > 0]).tolist()
    }
