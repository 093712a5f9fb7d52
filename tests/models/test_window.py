"""Windows over an image larger than a network's input."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.models.window import Air, Windows, slabs, slide, slide_windows

axes = st.sampled_from([2, 3])


class Place:
    """Answers with what it sees and where in the window: what windows disagree on most."""

    def __init__(self):
        self.batches = []

    def run(self, x_BCHW):  # noqa: N803
        self.batches.append(len(x_BCHW))
        ramp = np.linspace(0, 1, x_BCHW[0, 0].size, dtype=np.float32)
        seen = x_BCHW[:, 0] * ramp.reshape(x_BCHW.shape[2:])
        return {"probability": np.stack([1 - seen, seen], axis=1)}


def an_image(size, seed=0):
    return np.random.default_rng(seed).random((1, *size), np.float32)


def reader(image, log=None):
    def rows(first, last):
        if log is not None:
            log.append((first, last))
        return image[:, first:last]

    return rows


@st.composite
def cases(draw):
    """Size of an image, smaller or larger than the window along any axis; window; overlap."""
    dims = draw(axes)
    patch = tuple(draw(st.integers(3, 8)) for _ in range(dims))
    size = tuple(draw(st.integers(2, 20)) for _ in range(dims))
    return size, patch, draw(st.sampled_from([0.0, 0.25, 0.5, 0.6]))


@settings(max_examples=25, deadline=None)
@given(cases(), st.integers(1, 3))
def test_a_fixed_step_blends_as_monai_does(case, batch):
    torch = pytest.importorskip("torch")
    inferers = pytest.importorskip("monai.inferers")
    size, patch, overlap = case
    image = an_image(size)
    how = Windows(patch, overlap=overlap, batch=batch, spread=False)
    theirs = inferers.sliding_window_inference(
        torch.from_numpy(image[None]),
        patch,
        1,
        lambda x: torch.from_numpy(Place().run(x.numpy())["probability"]),
        overlap=overlap,
        mode="gaussian",
        sigma_scale=0.125,
    )
    ours = slide_windows(Place(), image, how)
    np.testing.assert_allclose(ours, theirs[0].numpy(), atol=1e-5)


@given(cases())
def test_rows_are_read_once_and_handed_on_as_soon_as_no_window_reaches_them(case):
    size, patch, overlap = case
    image, log, out = an_image(size), [], []
    done = 0
    for first, slab in slabs(Place(), reader(image, log), size, Windows(patch, overlap)):
        assert first == done
        assert first + slab.shape[1] == size[0] or log[-1][1] - first <= 2 * patch[0]
        done += slab.shape[1]
        out.append(slab)
    assert log[0][0] == 0
    assert [a for _, a in log[:-1]] == [a for a, _ in log[1:]]
    whole = slide(Place(), image, patch=patch, overlap=overlap)
    assert np.array_equal(np.concatenate(out, axis=1), whole)


def test_twice_as_many_rows_take_no_more_memory():
    def peak(rows):
        def read(first, last):
            return np.zeros((1, last - first, 32, 32), np.float32)

        tracemalloc.start()
        for _ in slabs(Place(), read, (rows, 32, 32), Windows((16, 16, 16))):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(160) < 1.1 * peak(80)


@given(cases(), st.integers(2, 5))
def test_batches_are_of_one_size_and_change_no_answer(case, batch):
    size, patch, overlap = case
    one, many = Place(), Place()
    alone = slide_windows(one, an_image(size), Windows(patch, overlap, flips=(0,)))
    how = Windows(patch, overlap, flips=(0,), batch=batch)
    np.testing.assert_array_equal(slide_windows(many, an_image(size), how), alone)
    windows = len(one.batches) // 2
    assert set(many.batches) == {min(batch, windows)}
    assert len(many.batches) == 2 * -(-windows // batch)


@given(cases(), st.integers(0, 2**32 - 1))
def test_air_that_is_nowhere_changes_no_bit(case, seed):
    size, patch, overlap = case
    image = an_image(size, seed) + 1
    asked = slide_windows(Place(), image, Windows(patch, overlap))
    skipping = Windows(patch, overlap, air=Air((0.5,), 2, share=0))
    assert slide_windows(Place(), image, skipping).tobytes() == asked.tobytes()


def test_only_windows_with_more_than_air_are_asked():
    image = np.full((1, 32, 16), -2, np.float32)
    image[0, 17, 3] = 1
    network = Place()
    how = Windows((8, 8), overlap=0, air=Air((-1.9,), 2, share=0))
    found = slide_windows(network, image, how)
    assert network.batches == [1]
    outside = np.ones((32, 16), bool)
    outside[16:24, :8] = False
    assert (found[0, outside] == 1).all()
    assert (found[1, outside] == 0).all()


def test_a_share_of_bright_voxels_is_still_air():
    image = np.full((1, 10, 10), -2, np.float32)
    image[0, 4, 4] = 1
    for share, calls in ((0.009, 1), (0.01, 0)):
        network = Place()
        how = Windows((10, 10), air=Air((-1.9,), 2, share=share))
        slide_windows(network, image, how)
        assert len(network.batches) == calls


def test_air_is_dark_in_all_channels_and_padding_does_not_count():
    dark = np.full((2, 3, 5), -2, np.float32)
    how = Windows((8, 8), air=Air((-1.9, -1.9), 3, share=0))
    network = Place()
    found = slide_windows(network, dark, how)
    assert found.shape == (3, 3, 5)
    assert (found[0] == 1).all()
    dark[1, 1, 1] = 0
    assert network.batches == []
    slide_windows(network, dark, how)
    assert network.batches == [1]
