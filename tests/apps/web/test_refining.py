"""A few clicks on the page become a mask of the region about them; gaps between slices fill."""

import numpy as np
import pytest

from medloop.apps.web import refining
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.files.patches import write_patches
from medloop.imaging.likely import likely_patch
from medloop.imaging.packed import pack, slices_of, unpack
from medloop.imaging.viewing import from_viewing, to_viewing, to_viewing_index
from medloop.store.users import Role
from tests.apps.web.jobs_done import a_ball, a_ct, a_photograph
from tests.apps.web.nodes import node_of

BALL, MM = (-14.0, 2.0, 40.0), 22.0


@pytest.fixture(scope="module")
def volume() -> Volume:
    """Noisy air with a ball of soft tissue, slices from the head down."""
    affine = np.array(
        [[0, 0, 1.5, -50.0], [0, 1.5, 0, -40.0], [-3.0, 0, 0, 90.0], [0, 0, 0, 1.0]]
    )
    grid = Grid((30, 48, 60), affine, "2.25.816")
    noise = np.random.default_rng(0).integers(-1000, -900, grid.shape)
    return Volume(np.where(a_ball(grid, BALL, MM), 60, noise).astype(np.int16), grid, "HU")


@pytest.fixture
def ct(store, tmp_path, clock, volume):
    return a_ct(store, tmp_path / "ct", volume, [(BALL, MM)], now=clock())


@pytest.fixture
def web(context, clock):
    return node_of(context, clock, (refining.router,))


@pytest.fixture
def client(web):
    return web.program(Role.ANNOTATOR)


@pytest.fixture
def reading(context, clock):
    return lambda job, reader="a-annotator": context.store.readings.open(
        job.id, reader, now=clock()
    )


def dice(one, other) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def click_on(volume) -> list[int]:
    index = np.rint(volume.grid.to_index(np.array(BALL))).astype(int)
    return to_viewing_index(index, volume.grid).tolist()


def test_one_click_on_the_page_draws_the_ball_of_the_volume(client, ct, reading, volume):
    asked = {"segment": 1, "inside": [click_on(volume)], "reach": 16.0}
    told = client.post(f"/api/readings/{reading(ct).id}/refine", json=asked).json()
    box = (tuple(told["box"][0]), tuple(told["box"][1]))
    truth = to_viewing(a_ball(volume.grid, BALL, MM), volume.grid)
    page = np.zeros(truth.shape, bool)
    inner = slices_of(box)
    page[inner] = unpack(told["mask"], page[inner].shape)
    assert dice(page, truth) > 0.95
    assert dice(from_viewing(page, volume.grid), a_ball(volume.grid, BALL, MM)) > 0.95
    assert told["seconds"] < 5


def test_marks_go_on_from_the_mask_that_the_page_sends(client, ct, reading, volume):
    truth = to_viewing(a_ball(volume.grid, BALL, MM), volume.grid)
    leak = truth | np.roll(truth, 15, axis=2)
    x, y, z = click_on(volume)
    box = ((0, 0, 0), leak.shape[::-1])
    asked = {"outside": [[x + 14, y, z]], "reach": 15.0, "box": box, "mask": pack(leak)}
    told = client.post(f"/api/readings/{reading(ct).id}/refine", json=asked).json()
    mended = unpack(told["mask"], leak.shape)
    assert dice(mended, truth) > dice(leak, truth)
    assert not mended[z, y, x + 14]
    assert mended[z, y, x]


def test_a_photograph_is_refined_as_one_slice(client, store, tmp_path, clock, reading):
    rows, columns = np.ogrid[:120, :160]
    disc = np.hypot(rows - 60, columns - 80) < 20
    array = np.where(disc[..., None], (200, 60, 40), (180, 120, 60)).astype(np.uint8)
    job = a_photograph(store, tmp_path / "eye", array, now=clock())
    asked = {"inside": [[80, 60, 0]], "reach": 40.0}
    told = client.post(f"/api/readings/{reading(job).id}/refine", json=asked).json()
    (x, y, _), (x_end, y_end, _) = told["box"]
    mask = unpack(told["mask"], (1, y_end - y, x_end - x))[0]
    assert dice(mask, disc[y:y_end, x:x_end]) > 0.95


def test_slices_between_drawn_ones_are_filled(client, ct, reading):
    mask = np.zeros((5, 20, 20), bool)
    mask[0, 5:15, 5:15] = mask[4, 5:15, 5:15] = True
    asked = {
        "axis": 2,
        "drawn": [7, 11],
        "spacing": [1.0, 1.0, 3.0],
        "box": [[3, 4, 7], [23, 24, 12]],
        "mask": pack(mask),
    }
    told = client.post(f"/api/readings/{reading(ct).id}/between", json=asked).json()
    filled = unpack(told["mask"], mask.shape)
    assert told["box"] == asked["box"]
    assert all((plane == mask[0]).all() for plane in filled)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "no place is marked"),
        ({"inside": [[60, 0, 0]]}, "outside of the image"),
        ({"inside": [[5, 5, 5]], "box": [[0, 0, 0], [61, 1, 1]]}, "not lie in the image"),
        ({"inside": [[5, 5, 5]], "box": [[0, 0, 0], [4, 4, 4]]}, "outside of the box"),
        ({"inside": [[5, 5, 5]], "box": [[3, 3, 3], [3, 9, 9]]}, "is empty"),
        ({"inside": [[5, 5, 5]], "mask": "gAE="}, "2 bytes for"),
    ],
)
def test_marks_that_cannot_be_meant_are_refused_in_one_line(client, ct, reading, asked, said):
    answer = client.post(f"/api/readings/{reading(ct).id}/refine", json=asked)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_a_stroke_that_leaves_the_image_marks_what_lies_in_it(client, ct, reading):
    where = f"/api/readings/{reading(ct).id}/refine"
    inside = {"inside": [[5, 5, 5]]}
    beyond = {"inside": [[5, 5, 5], [-4, 5, 5]], "outside": [[5, 999, 5]]}
    told = [client.post(where, json=each).json() for each in (inside, beyond)]
    assert told[0]["box"] == told[1]["box"]
    assert told[0]["mask"] == told[1]["mask"]


@pytest.mark.parametrize("reach", [0, -1, 1e9, "far", None])
def test_a_reach_that_is_none_is_refused(client, ct, reading, reach):
    asked = {"inside": [[5, 5, 5]], "reach": reach}
    answer = client.post(f"/api/readings/{reading(ct).id}/refine", json=asked)
    assert answer.status_code == 422


def test_slices_outside_of_the_box_are_refused(client, ct, reading):
    asked = {
        "axis": 0,
        "drawn": [1, 9],
        "spacing": [1, 1, 1],
        "box": [[0, 0, 0], [2, 2, 2]],
        "mask": "gA==",
    }
    answer = client.post(f"/api/readings/{reading(ct).id}/between", json=asked)
    assert answer.status_code == 400
    assert "outside of the box" in answer.json()["error"]


def test_whoever_only_looks_may_not_draw(web, ct, reading):
    for what in ("refine", "between"):
        answer = web.program(Role.VIEWER).post(
            f"/api/readings/{reading(ct).id}/{what}", json={}
        )
        assert answer.status_code == 403


@pytest.fixture
def likely(store, ct, volume):
    """The network saw half of the ball as surely as can be, on voxels twice as wide."""
    seen = a_ball(volume.grid, BALL, MM)
    seen[:, :, int(np.rint(volume.grid.to_index(np.array(BALL)))[2]) :] = False
    coarse = seen[::2, ::2, ::2].astype(np.float32)
    file = store.results_folder / ct.folder / "probabilities.npz"
    write_patches({1: likely_patch(coarse)}, file)
    return file


def ask(client, reading, ct, body):
    answer = client.post(f"/api/readings/{reading(ct).id}/refine", json=body)
    answer.raise_for_status()
    told = answer.json()
    (x, y, z), (x1, y1, z1) = told["box"]
    return unpack(told["mask"], (z1 - z, y1 - y, x1 - x))


def test_a_click_begins_with_what_the_network_saw(client, ct, reading, volume, likely):
    body = {"segment": 1, "inside": [click_on(volume)], "reach": 16.0}
    with_it = ask(client, reading, ct, body)
    unknown = ask(client, reading, ct, {**body, "segment": 2})
    likely.unlink()
    without = ask(client, reading, ct, body)
    assert np.array_equal(unknown, without)
    assert with_it.sum() < 0.8 * without.sum()


def test_damaged_probabilities_are_as_none(client, ct, reading, volume, likely, caplog):
    body = {"segment": 1, "inside": [click_on(volume)], "reach": 16.0}
    likely.write_bytes(b"damaged")
    damaged = ask(client, reading, ct, body)
    assert "probabilities.npz is damaged" in caplog.text
    likely.unlink()
    assert np.array_equal(damaged, ask(client, reading, ct, body))
