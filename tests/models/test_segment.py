"""Labels on the grid an image was stored on, whatever its axes, spacing and size."""

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.models.architecture import unet
from medloop.models.segment import (
    labels_of,
    on_image,
    prepare,
    probabilities,
    scale,
    segment,
)
from medloop.models.segmentation_plan import (
    PICTURES,
    Intensity,
    SegmentationPlan,
    segmentation_plan_from,
)
from medloop.models.window import slide

PLAN = SegmentationPlan(
    channels=("T1",),
    classes=("bright",),
    spacing_mm=(1.0, 1.0, 1.0),
    patch=(16, 16, 16),
    intensities=(Intensity(0, 200, 100, 50),),
    architecture=unet(3, 1, 2, widths=(4, 8)),
)


class Bright:
    """A network that knows one thing: what is above the mean is class 1."""

    def run(self, x_BCHW):  # noqa: N803
        inside = 1 / (1 + np.exp(-8 * x_BCHW[:, 0]))
        return {"probability": np.stack([1 - inside, inside], axis=1).astype(np.float32)}


def a_ball(grid, center_mm=(3.0, -2.0, 5.0), radius_mm=9.0):
    places = grid.to_world(np.stack(np.indices(grid.shape), -1).astype(float))
    return np.linalg.norm(places - center_mm, axis=-1) < radius_mm


def a_grid(shape, spacing, order=(2, 1, 0), signs=(1, 1, 1)):
    """A grid about the origin whose axes run along `order` of the world's x, y, z."""
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, list(order)] * signs * np.array(spacing)
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    return Grid(shape, affine)


@settings(max_examples=15)
@given(
    st.permutations([0, 1, 2]),
    st.tuples(*[st.sampled_from([-1, 1])] * 3),
    st.tuples(*[st.floats(0.7, 2.0)] * 3),
)
def test_a_ball_is_found_where_it_lies_on_any_grid(order, signs, spacing):
    shape = tuple(int(44 / step) for step in spacing)
    grid = a_grid(shape, spacing, order, signs)
    truth = a_ball(grid)
    found = segment(Bright(), np.where(truth, 150, 50)[None].astype(np.int16), grid, PLAN)
    assert found.shape == shape
    assert found.dtype == np.uint8
    overlap = 2 * (found.astype(bool) & truth).sum() / (found.astype(bool).sum() + truth.sum())
    assert overlap > 0.93


def test_an_image_smaller_than_a_window_is_answered_whole():
    grid = a_grid((7, 20, 9), (1, 1, 1))
    truth = a_ball(grid, (0, 0, 0), 3)
    found = segment(Bright(), np.where(truth, 150.0, 50.0)[None], grid, PLAN)
    assert (found == truth).all()


def test_a_picture_is_labelled_on_its_pixels():
    plan = replace(PLAN, spacing_mm=(), patch=(16, 16), frame=PICTURES)
    picture = np.full((1, 30, 41), 50, np.uint8)
    picture[0, 4:9, 20:33] = 150
    assert (segment(Bright(), picture, None, plan) == (picture[0] == 150)).all()


def test_windows_agree_with_one_look_where_the_network_sees_one_voxel():
    image = np.random.default_rng(0).standard_normal((1, 21, 40, 33)).astype(np.float32)
    whole = Bright().run(image[None])["probability"][0]
    for overlap, flips in ((0.5, ()), (0.25, (0, 2)), (0.0, (1,))):
        slid = slide(Bright(), image, patch=(16, 16, 16), overlap=overlap, flips=flips)
        np.testing.assert_allclose(slid, whole, atol=1e-5)


def test_windows_are_blended_as_monai_does():
    torch = pytest.importorskip("torch")
    inferers = pytest.importorskip("monai.inferers")

    class Place:
        """Answers with the place in the window: what windows disagree on most."""

        def run(self, x_BCHW):  # noqa: N803
            ramp = np.linspace(0, 1, x_BCHW.shape[2] * 20 * 24, dtype=np.float32)
            ramp = ramp.reshape(1, 1, x_BCHW.shape[2], 20, 24)
            return {"probability": np.concatenate([1 - ramp, ramp], axis=1)}

    image = np.zeros((1, 48, 40, 36), np.float32)
    ours = slide(Place(), image, patch=(16, 20, 24), overlap=0.5)
    theirs = inferers.sliding_window_inference(
        torch.from_numpy(image[None]),
        (16, 20, 24),
        1,
        lambda x: torch.from_numpy(Place().run(x.numpy())["probability"]),
        overlap=0.5,
        mode="gaussian",
        sigma_scale=0.125,
    )
    np.testing.assert_allclose(ours, theirs[0].numpy(), atol=2e-3)


class Sides:
    """A network that calls what is bright 1 in the lower half of the last axis, 2 beyond."""

    def run(self, x_BCHW):  # noqa: N803
        bright = x_BCHW[:, 0] > 0
        upper = np.broadcast_to(np.arange(bright.shape[-1]) >= 8, bright.shape)
        parts = [~bright, bright & ~upper, bright & upper]
        return {"probability": np.stack(parts, axis=1).astype(np.float32)}


def test_a_mirror_images_right_and_left_are_exchanged_back():
    plan = replace(PLAN, classes=("right", "left"), patch=(4, 4, 16), flips=(2,))
    plan = replace(plan, exchanged=((1, 2),))
    image = np.zeros((1, 4, 4, 16))
    image[..., 2:4] = image[..., 11:15] = 200
    grid = a_grid((4, 4, 16), (1, 1, 1))
    sides = np.where(np.arange(16) < 8, 1, 2) * (image[0] > 0)
    both = probabilities(Sides(), prepare(image, grid, plan), plan)
    assert np.array_equal(both.argmax(axis=0), sides)
    assert set(np.unique(both)) == {0, 1}
    mixed = replace(plan, exchanged=())
    unsure = probabilities(Sides(), prepare(image, grid, mixed), mixed)
    assert set(np.unique(unsure)) == {0, 0.5, 1}


class Levels:
    """A network of three classes: dark, middling and bright, none of them sharply."""

    def __init__(self):
        self.calls = 0

    def run(self, x_BCHW):  # noqa: N803
        self.calls += 1
        odds = np.stack([-((x_BCHW[:, 0] - level) ** 2) for level in (-1, 0, 1)], axis=1)
        odds = np.exp(2 * odds)
        return {"probability": np.float32(odds / odds.sum(axis=1, keepdims=True))}


LEVELS = replace(PLAN, classes=("middling", "bright"), patch=(8, 10, 12))


@settings(max_examples=15, deadline=None)
@given(
    st.permutations([0, 1, 2]),
    st.tuples(*[st.floats(0.6, 2.2)] * 3),
    st.tuples(*[st.integers(4, 40)] * 3),
    st.booleans(),
)
def test_a_few_rows_at_a_time_are_labelled_as_the_whole_is(order, spacing, shape, own):
    plan = replace(LEVELS, intensities=(Intensity(0, 200, 100, 50, own=own),))
    grid = a_grid(shape, spacing, order, (1, -1, 1))
    image = np.random.default_rng(0).integers(-50, 250, (1, *shape)).astype(np.int16)
    prepared = prepare(image, grid, plan)
    shares = probabilities(Levels(), prepared, plan)
    likeliest = np.argmax([on_image(each, prepared) for each in shares], axis=0)
    close = np.sort([on_image(each, prepared) for each in shares], axis=0)
    is_clear = close[-1] - close[-2] > 1e-5
    found = segment(Levels(), image, grid, plan)
    assert np.array_equal(found[is_clear], likeliest[is_clear])
    assert np.array_equal(found, labels_of(shares, prepared))
    assert np.array_equal(found, segment(Levels(), image, grid, plan, batch=4))


def test_memory_grows_by_a_byte_a_voxel():
    def peak(slices):
        image = np.zeros((1, slices, 32, 32), np.int16)
        image[:, ::3] = 90
        grid = a_grid(image.shape[1:], (1, 1, 1))
        tracemalloc.start()
        plan = replace(LEVELS, spacing_mm=(1.5, 1.2, 1.2), patch=(8, 16, 16), overlap=0.25)
        segment(Levels(), image, grid, plan)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(240) - peak(120) < 1.5 * 120 * 32 * 32


@pytest.mark.parametrize("own", [False, True])
def test_background_around_a_body_is_not_asked_where_the_plan_says_so(own):
    grid = a_grid((40, 40, 40), (1, 1, 1))
    body = a_ball(grid, (0, 0, 0), 11)
    noise = np.random.default_rng(0).integers(0, 3, body.shape)
    image = np.where(body, 150, noise)[None].astype(np.int16)
    plan = replace(LEVELS, intensities=(Intensity(0, 200, 100, 50, own=own),))
    plan = replace(plan, patch=(8, 8, 8))
    every, some = Levels(), Levels()
    skipping = replace(plan, skip_air=True)
    asked = segment(every, image, grid, plan)
    found = segment(some, image, grid, skipping)
    assert some.calls < 0.6 * every.calls
    assert np.array_equal(found[body], asked[body])
    prepared = prepare(image, grid, skipping)
    again = labels_of(probabilities(Levels(), prepared, skipping), prepared)
    assert np.array_equal(found, again)


def test_own_mean_and_deviation_leave_the_cut_away_out():
    channel = np.zeros((4, 10), np.float32)
    channel[1:3] = np.arange(20).reshape(2, 10) + 100
    how = Intensity(0, 1000, 0, 1, own=True)
    scaled = scale(channel, how)
    assert scaled[1:3].mean() == pytest.approx(0, abs=1e-5)
    assert scaled[1:3].std() == pytest.approx(1, abs=1e-5)
    full = scale(channel + 1, how)
    assert full.mean() == pytest.approx(0, abs=1e-5)


def test_another_number_of_channels_is_refused():
    grid = a_grid((4, 4, 4), (1, 1, 1))
    with pytest.raises(InputError, match=r"2 channels, the network reads 1 \(T1\)"):
        prepare(np.zeros((2, 4, 4, 4)), grid, PLAN)
    with pytest.raises(InputError, match="another kind of image"):
        prepare(np.zeros((1, 4, 4)), None, PLAN)


def test_a_plan_is_read_as_it_was_written():
    raw = json.loads(PLAN.to_json())
    assert segmentation_plan_from(raw) == PLAN
    other = replace(PLAN, spread=False, skip_air=True)
    assert segmentation_plan_from(json.loads(other.to_json())) == other
    with pytest.raises(InputError, match="has frame 'ras'"):
        segmentation_plan_from(raw | {"frame": "ras"})
    with pytest.raises(InputError, match="is not a plan: KeyError"):
        segmentation_plan_from({})
    with pytest.raises(InputError, match=r"exchanges labels \[1, 2\] of 1"):
        segmentation_plan_from(raw | {"exchanged": [[1, 2]]})
    for name in ("exchanged", "spread", "skip_air"):
        del raw[name]  # as earlier versions wrote it
    assert segmentation_plan_from(raw) == PLAN
    with pytest.raises(InputError, match="scales 0 of 1 channels"):
        segmentation_plan_from(raw | {"intensities": []})
