"""Image, labels, points and boxes change together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.learning.transforms import (
    IntensityRanges,
    Ranges,
    Sample,
    SpatialRanges,
    apply,
    draw,
    move_boxes,
    move_points,
    resample,
)
from tests.learning.transforms.drawn import blobs, values

PLAIN = Ranges(intensity=IntensityRanges(chance=0))
LOUD = Ranges(intensity=IntensityRanges(chance=1))


def a_sample(shape: tuple[int, ...], channels: int = 2) -> Sample:
    d = len(shape)
    boxes = np.stack([np.full((3, d), 1.5), np.full((3, d), 4.5)], axis=1)
    return Sample(values((channels, *shape)), blobs(shape), np.full((4, d), 3.0), boxes)


def drawn(sample: Sample, ranges: Ranges, seed: int = 0, **more):
    spacing = (1.0,) * (sample.image.ndim - 1)
    rng = np.random.default_rng(seed)
    return draw(rng, ranges, image=sample.image, spacing_mm=spacing, **more)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([(11, 13), (7, 11, 13)]), st.integers(0, 1000))
def test_all_of_a_sample_moves_along_one_warp(shape, seed):
    sample = a_sample(shape)
    augmentation = drawn(sample, PLAIN, seed, patch=tuple(side - 2 for side in shape))
    out = apply(sample, augmentation)
    image, labels = resample(augmentation.warp, sample.image, sample.labels)
    assert (out.image == image).all()
    assert (out.labels == labels).all()
    assert (out.points == move_points(augmentation.warp, sample.points)).all()
    same = move_boxes(augmentation.warp, sample.boxes)
    assert np.array_equal(out.boxes, same, equal_nan=True)


def test_labels_do_not_change_with_intensities():
    sample = a_sample((11, 13))
    loud, plain = apply(sample, drawn(sample, LOUD)), apply(sample, drawn(sample, PLAIN))
    assert (loud.labels == plain.labels).all()
    assert np.abs(loud.image - plain.image).max() > 0.01


def test_the_same_generator_gives_the_same_sample():
    sample = a_sample((7, 11, 13))
    one, two = (apply(sample, drawn(sample, LOUD, 3)) for _ in range(2))
    assert (one.image == two.image).all()
    assert (one.labels == two.labels).all()


def test_an_augmentation_can_be_applied_again():
    sample = a_sample((7, 11, 13))
    augmentation = drawn(sample, LOUD)
    assert (apply(sample, augmentation).image == apply(sample, augmentation).image).all()


def test_channels_change_alone_or_together():
    sample = a_sample((11, 13), channels=3)
    together = Ranges(intensity=IntensityRanges(chance=1, together=True))
    assert len(set(drawn(sample, together).changes)) == 1
    assert len(set(drawn(sample, LOUD).changes)) == 3


def test_what_a_sample_lacks_stays_absent():
    sample = Sample(values((1, 9, 9)))
    out = apply(sample, drawn(sample, LOUD, patch=(5, 6)))
    assert out.image.shape == (1, 5, 6)
    assert (out.labels, out.points, out.boxes) == (None, None, None)


def test_a_still_draw_returns_the_sample_and_leaves_it_whole():
    still = Ranges(
        SpatialRanges(affine_chance=0, elastic_chance=0, flip_chance=0),
        IntensityRanges(chance=0),
    )
    sample = a_sample((7, 11, 13))
    out = apply(sample, drawn(sample, still))
    assert (out.image == sample.image).all()
    assert not np.shares_memory(out.image, sample.image)
    assert out.boxes == pytest.approx(sample.boxes)
    assert out.points == pytest.approx(sample.points)
