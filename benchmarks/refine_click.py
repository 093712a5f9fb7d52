"""Time clicks that refine a mask on a CT of 300 slices and on a photograph.

``python -m benchmarks.refine_click [--slices 300] [--runs 15]``: a node in this process holds a
drawn chest CT of 512 x 512 pixels; each request goes through the whole application, from JSON
to JSON. Preparing the volume, which happens once when the page opens it, is told apart. Each
click is timed with a network's probabilities, too.

``--data DIR`` names MSD's Task04 instead (``images``, ``labels``): how near clicks come to what
experts drew, see `benchmarks.clicks_on_truth`; ``--cases`` limits the cases.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from tests.apps.web.jobs_done import a_ct, a_photograph
from tests.apps.web.nodes import NOON, Clock, NoInlet, TestClient, node_of

from benchmarks.clicks_on_truth import compare
from benchmarks.machine import describe
from medloop.apps.site import Site
from medloop.apps.web import images, readings, refining
from medloop.apps.web.context import make_context
from medloop.core.geometry import Grid
from medloop.core.image import Patch, Volume
from medloop.files.patches import write_patches
from medloop.imaging.likely import likely_patch
from medloop.imaging.packed import unpack
from medloop.store import Job, open_store
from medloop.store.users import Role
from medloop.workflow.patches import LIKELY

PIXEL_MM, SLICE_MM = 0.7, 1.0
RADIUS_MM = 8.0
LIMIT_S = 1.0
WITH = "with probabilities"


def a_chest(slices: int) -> tuple[Volume, list[int]]:
    """Draw noisy lungs with a nodule in the middle; return its voxel [x, y, z] too."""
    affine = np.array(
        [
            [0, 0, PIXEL_MM, -179.0],
            [0, PIXEL_MM, 0, -179.0],
            [SLICE_MM, 0, 0, 0],
            [0, 0, 0, 1.0],
        ]
    )
    shape = (slices, 512, 512)
    rng = np.random.default_rng(0)
    array = np.empty(shape, np.int16)
    y, x = np.ogrid[:512, :512]
    lung = np.hypot((x - 256) / 190, (y - 256) / 140) < 1
    center = (slices // 2, 230, 300)
    for k, plane in enumerate(array):
        flat = np.hypot((y - center[1]) * PIXEL_MM, (x - center[2]) * PIXEL_MM)
        nodule = np.hypot(flat, (k - center[0]) * SLICE_MM) < RADIUS_MM
        noise = rng.normal(0, 25, plane.shape)
        plane[:] = np.where(nodule, 30, np.where(lung, -850, 40)) + noise
    volume = Volume(array, Grid(shape, affine, "2.25.816"), "HU")
    # the page counts x from the patient's left in this drawing, y from behind
    return volume, [511 - center[2], 511 - center[1], center[0]]


def requests_of(click: list[int]) -> dict[str, dict[str, object]]:
    """List what a reader does: a click, several, a scribble, a far reach."""
    x, y, z = click
    scribble = [[x - 10 + n // 5, y, z + n % 3] for n in range(100)]
    return {
        "one click": {"inside": [click], "reach": 12.0},
        "five clicks": {
            "inside": [click, [x + 3, y, z], [x, y + 3, z]],
            "outside": [[x + 16, y, z], [x, y - 16, z]],
            "reach": 12.0,
        },
        "scribble of 100": {"inside": scribble, "reach": 12.0},
        "reach of 30 mm": {"inside": [click], "reach": 30.0},
    }


def main() -> None:
    """Print the median and the longest time of each kind of request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--clicks", type=int, default=5)
    options = parser.parse_args()
    print(describe())
    if options.data:
        compare(options.data, clicks=options.clicks, most=options.cases)
        return
    with tempfile.TemporaryDirectory() as scratch:
        _measure(Path(scratch), options.slices, options.runs)


def _measure(folder: Path, slices: int, runs: int) -> None:
    store, clock = open_store(folder / "store"), Clock()
    volume, click = a_chest(slices)
    job = a_ct(store, folder / "ct", volume, [], now=NOON)
    context = make_context(store, Site(), NoInlet(), now=clock)
    node = node_of(context, clock, (images.router, readings.router, refining.router))
    client = node.program(Role.ANNOTATOR)
    started = time.perf_counter()
    client.get(f"/api/jobs/{job.id}/scene").raise_for_status()
    print(f"{slices} slices, prepared once in {time.perf_counter() - started:.1f} s")
    number = client.post(f"/api/jobs/{job.id}/reading", json={}).json()["id"]
    worst = 0.0
    kept = store.results_folder / store.results.get(job.id).folder / LIKELY
    for name, asked in requests_of(click).items():
        first = _ask(client, number, asked)[1]
        again = {
            **asked,
            "box": first["box"],
            "mask": first["mask"],
            "outside": [first["box"][0]],
        }
        for what, body in _timed(name, asked, again):
            kept.unlink(missing_ok=True)
            if what.endswith(WITH):
                write_patches({1: a_blur(slices)}, kept)
            times = [_ask(client, number, body)[0] for _ in range(runs)]
            clock.passes(minutes=5)
            worst = max(worst, *times)
            print(
                f"{what}: median {statistics.median(times):.3f} s, longest {max(times):.3f} s"
            )
        print(f"  Dice with the drawn nodule {_dice(first, click):.3f}")
    worst = max(
        worst, _photograph(client, a_photograph(store, folder / "eye", an_eye(), now=NOON))
    )
    print(f"limit {LIMIT_S} s: {'kept' if worst < LIMIT_S else 'broken'}")
    store.close()


def _timed(
    name: str, asked: dict[str, object], again: dict[str, object]
) -> tuple[tuple[str, dict[str, object]], ...]:
    drawn = f"{name}, on a drawn mask"
    return (name, asked), (drawn, again), (f"{drawn}, {WITH}", again)


def a_blur(slices: int) -> Patch:
    """Draw a network's doubt about the nodule, on every voxel, as no shipped network does."""
    k, j, i = np.ogrid[:slices, :512, :512]
    flat = np.hypot((j - 230) * PIXEL_MM, (i - 300) * PIXEL_MM).astype(np.float32)
    away = np.hypot(flat, ((k - slices // 2) * SLICE_MM).astype(np.float32))
    patch = likely_patch(1 / (1 + np.exp(np.minimum((away - RADIUS_MM) * 0.5, 30))))
    assert patch is not None  # noqa: S101 - it was just drawn
    return patch


def an_eye() -> np.ndarray:
    """Draw a bright disc on a photograph of 12 million pixels."""
    y, x = np.ogrid[:2848, :4288]
    disc = np.hypot(x - 1500, y - 1400) < 180
    red = np.where(disc, 240, 150).astype(np.uint8)
    return np.stack([red, red // 2 + 40, red // 4], -1)


def _photograph(client: TestClient, job: Job) -> float:
    number = client.post(f"/api/jobs/{job.id}/reading", json={}).json()["id"]
    body: dict[str, object] = {"inside": [[1500, 1400, 0]], "reach": 214.0}
    times = [_ask(client, number, body)[0] for _ in range(6)][1:]
    usual, longest = statistics.median(times), max(times)
    print(f"photograph of 12 MP: median {usual:.3f} s, longest {longest:.3f} s")
    return longest


def _ask(
    client: TestClient, number: int, body: dict[str, object]
) -> tuple[float, dict[str, Any]]:
    started = time.perf_counter()
    answer = client.post(f"/api/readings/{number}/refine", json=body)
    answer.raise_for_status()
    return time.perf_counter() - started, answer.json()


def _dice(told: dict[str, Any], click: list[int]) -> float:
    (x, y, z), (x_end, y_end, z_end) = told["box"]
    shape = (z_end - z, y_end - y, x_end - x)
    mask = unpack(told["mask"], shape)
    k, j, i = np.ogrid[z:z_end, y:y_end, x:x_end]
    flat = np.hypot((j - click[1]) * PIXEL_MM, (i - click[0]) * PIXEL_MM)
    truth = np.hypot(flat, (k - click[2]) * SLICE_MM) < RADIUS_MM
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


if __name__ == "__main__":
    main()
