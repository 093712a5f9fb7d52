"""One resampling equals the composed map of scipy, and labels stay labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medloop.learning.transforms import Sampling, SpatialRanges, draw_warp, resample
from tests.learning.transforms.drawn import EXACT, blobs, composed, values, warps

EDGES = {True: "nearest", False: "grid-constant"}


def peer(array: np.ndarray, warp, *, order: int, edge: bool, fill: float) -> np.ndarray:
    return ndimage.map_coordinates(
        array.astype(np.float64), composed(warp), order=order, mode=EDGES[edge], cval=fill
    )


@settings(max_examples=20, deadline=None)
@given(warps(), st.integers(1, 5), st.booleans(), st.sampled_from([0.0, -3.0]))
def test_an_image_equals_the_reference(drawn, channels, edge, fill):
    warp, shape = drawn
    image = values((channels, *shape))
    out, _none = resample(warp, image, sampling=Sampling(edge=edge, fill=fill))
    expected = [peer(channel, warp, order=1, edge=edge, fill=fill) for channel in image]
    assert out.dtype == np.float32
    assert out == pytest.approx(np.stack(expected), abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(warps(), st.booleans())
def test_labels_equal_the_nearest_of_the_reference(drawn, edge):
    warp, shape = drawn
    labels = blobs(shape)
    _image, out = resample(
        warp, values((1, *shape)), labels, sampling=Sampling(edge=edge, label=7)
    )
    expected = peer(labels, warp, order=0, edge=edge, fill=7)
    tied = (np.abs((composed(warp) % 1) - 0.5) < 1e-3).any(axis=0)
    assert out.dtype == np.uint8
    assert (out == expected)[~tied].all()


@settings(max_examples=20, deadline=None)
@given(warps())
def test_smooth_labels_are_the_likeliest_of_the_reference(drawn):
    warp, shape = drawn
    labels = blobs(shape)
    _image, out = resample(
        warp, values((1, *shape)), labels, sampling=Sampling(smooth_labels=True)
    )
    known = np.array([0, 1, 5], np.uint8)
    shares = np.stack(
        [
            peer(labels == label, warp, order=1, edge=False, fill=float(label == 0))
            for label in known
        ]
    )
    first, second = np.sort(shares, axis=0)[[-1, -2]]
    clear = first - second > 3e-3
    assert (out == known[shares.argmax(axis=0)])[clear].all()
    assert set(np.unique(out)) <= {0, 1, 5}


@settings(max_examples=20, deadline=None)
@given(warps(), st.booleans())
def test_a_cubic_image_equals_the_reference(drawn, edge):
    warp, shape = drawn
    image = ndimage.gaussian_filter(values((1, *shape)), 1.0)
    out, _none = resample(warp, image, sampling=Sampling(cubic=True, edge=edge))
    if warp.is_exact:
        expected = peer(image[0], warp, order=0, edge=edge, fill=0)
    else:
        expected = peer(image[0], warp, order=3, edge=edge, fill=0)
    assert out[0] == pytest.approx(expected, abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(warps(EXACT), st.booleans())
def test_exact_warps_copy_voxels(drawn, edge):
    warp, shape = drawn
    image, labels = values((2, *shape)), blobs(shape).astype(np.int64)
    out, moved = resample(warp, image, labels, sampling=Sampling(edge=edge, fill=2.5, label=9))
    for channel, result in zip(image, out, strict=True):
        assert (result == peer(channel, warp, order=0, edge=edge, fill=2.5)).all()
    assert (moved == peer(labels, warp, order=0, edge=edge, fill=9)).all()


@settings(max_examples=20, deadline=None)
@given(
    warps(),
    st.sampled_from([np.uint8, np.int16, np.int32, np.uint16, np.float64, np.float32]),
    st.integers(1, 3),
)
def test_dtypes_are_kept_and_whole_numbers_rounded(drawn, dtype, channels):
    warp, shape = drawn
    image = (values((channels, *shape)) * 30 + 120).clip(0, 250).astype(dtype)
    out, labels = resample(warp, image, image[0].astype(dtype))
    expected = np.stack([peer(each, warp, order=1, edge=False, fill=0) for each in image])
    slack = 0.5 if np.dtype(dtype).kind in "iu" else 0.0
    assert out.dtype == labels.dtype == dtype
    assert np.abs(out - expected).max() <= slack + 0.02


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_whole_numbers_are_off_by_half_a_step_at_most(dtype, channels):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 250, (channels, 40, 31)).astype(dtype)
    warp = draw_warp(rng, SpatialRanges(), spacing_mm=(1, 1), shape=(40, 31))
    out, _ = resample(warp, image)
    expected = np.stack([peer(each, warp, order=1, edge=False, fill=0) for each in image])
    assert np.abs(out - expected).max() <= 0.52


def test_labels_of_any_kind_stay_labels():
    ranges = SpatialRanges(elastic_chance=1)
    warp = draw_warp(np.random.default_rng(3), ranges, spacing_mm=(1, 1, 1), shape=(9, 10, 11))
    for dtype in (bool, np.int8, np.int64, np.uint32):
        labels = blobs((9, 10, 11)).astype(dtype)
        _image, out = resample(warp, values((1, 9, 10, 11)), labels)
        assert out.dtype == dtype
        assert set(np.unique(out)) <= set(np.unique(labels)) | {0}


def test_the_arguments_stay_as_they_were():
    ranges = SpatialRanges(elastic_chance=1)
    warp = draw_warp(np.random.default_rng(3), ranges, spacing_mm=(1, 1, 1), shape=(9, 10, 11))
    image, labels = values((1, 9, 10, 11)), blobs((9, 10, 11))
    before = image.copy(), labels.copy()
    resample(warp, image, labels)
    assert (image == before[0]).all()
    assert (labels == before[1]).all()


@pytest.mark.slow
def test_a_source_too_tall_for_one_plane_is_cut_into_blocks():
    shape = (60, 700, 3)
    image = ndimage.gaussian_filter(values(shape), 2)
    ranges = SpatialRanges(elastic_chance=1, tilt_deg=45)
    warp = draw_warp(np.random.default_rng(1), ranges, spacing_mm=(1, 1, 1), shape=shape)
    out, labels = resample(warp, image[None], (image > 0).astype(np.uint8))
    assert out[0] == pytest.approx(peer(image, warp, order=1, edge=False, fill=0), abs=1e-3)
    nearest = peer(image > 0, warp, order=0, edge=False, fill=0)
    assert (labels != nearest).mean() < 1e-3


@pytest.mark.slow
def test_a_picture_longer_than_a_plane_is_cut_into_blocks():
    shape = (40_000, 3)
    image = ndimage.gaussian_filter(values(shape), 2)
    ranges = SpatialRanges(elastic_chance=1, rotation_deg=0.01, scale=0.01)
    warp = draw_warp(np.random.default_rng(1), ranges, spacing_mm=(1, 1), shape=shape)
    out, _none = resample(warp, image[None])
    # single precision of an index near 40 000 is 0.004
    assert out[0] == pytest.approx(peer(image, warp, order=1, edge=False, fill=0), abs=5e-3)


def test_shapes_that_disagree_are_refused():
    warp = draw_warp(np.random.default_rng(0), EXACT, spacing_mm=(1, 1), shape=(5, 6))
    with pytest.raises(ValueError, match="do not suit"):
        resample(warp, values((5, 6)))
    with pytest.raises(ValueError, match="do not suit"):
        resample(warp, values((1, 5, 6)), blobs((6, 5)))
