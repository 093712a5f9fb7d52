"""How long the server takes for a reader's changes to a CT of 300 slices.

    python -m benchmarks.corrections [--slices 300] [--size 512] [--repeats 5]

One process, no network between: a reading is begun, told, a finding changed, the mask fetched
(the model's, first and again; the reader's), and sent whole. Told in ms, as medians.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tests.apps.web.jobs_done import a_ct
from tests.apps.web.nodes import NoInlet, node_of

from benchmarks.machine import describe
from medloop.annotation.masks import encode
from medloop.apps.site import Site
from medloop.apps.web.context import make_context
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.store import open_store
from medloop.store.users import Role

BALL = ((30.0, 20.0, 120.0), 14.0)


def a_scan(slices: int, size: int) -> Volume:
    """Air with noise, in 1 mm slices of 0.7 mm pixels."""
    half = 0.7 * size / 2
    affine = np.array([[0, 0, 0.7, -half], [0, 0.7, 0, -half], [1.0, 0, 0, 0], [0, 0, 0, 1.0]])
    noise = np.random.default_rng(0).integers(-1000, -900, (slices, size, size))
    return Volume(noise.astype(np.int16), Grid((slices, size, size), affine, "2.25.1"), "HU")


def timed(act: Callable[[], object], repeats: int) -> float:
    """Return the median of so many runs, in ms."""
    took = []
    for _ in range(repeats):
        begun = time.perf_counter()
        act()
        took.append(1000 * (time.perf_counter() - begun))
    return round(statistics.median(took), 1)


def measure(folder: Path, slices: int, size: int, repeats: int) -> dict[str, float]:
    """Time each step on a store of its own."""
    now = datetime.now(UTC)
    store = open_store(folder / "store")
    volume = a_scan(slices, size)
    job = a_ct(store, folder / "ct", volume, [BALL], now=now)
    context = make_context(store, Site(), NoInlet(), now=lambda: now)
    client = node_of(context, lambda: now).program(Role.ANNOTATOR)
    client.get(f"/api/jobs/{job.id}/scene")  # prepares the image, as opening the page does
    reading = client.post(f"/api/jobs/{job.id}/reading", json={}).json()
    url = f"/api/readings/{reading['id']}"
    number = 0

    def change() -> None:
        nonlocal number
        place = [30.0, 20.0, 120.0 + number % 5]
        sent = {"expected": number, "action": "change", "target": "1"}
        answer = client.post(f"{url}/edits", json={**sent, "after": {"center_lps_mm": place}})
        number = answer.json()["number"]

    labels = np.zeros(volume.grid.shape, np.uint8)
    labels[100:140, 200:260, 200:260] = 1

    def draw() -> None:
        nonlocal number
        labels[100, 200, number % 200] ^= 1
        data = encode(labels, volume.grid)
        begun = time.perf_counter()
        answer = client.put(f"{url}/mask", params={"expected": number}, content=data)
        sent.append(1000 * (time.perf_counter() - begun))
        number = answer.json()["number"]

    sent: list[float] = []
    found = {
        "model's mask, first": timed(lambda: client.get(f"{url}/mask.nii.gz"), 1),
        "model's mask, again": timed(lambda: client.get(f"{url}/mask.nii.gz"), repeats),
        "reading told": timed(lambda: client.get(url), repeats),
        "finding changed": timed(change, repeats),
    }
    for _ in range(repeats):
        draw()
    found["mask sent"] = round(statistics.median(sent), 1)
    found["reader's mask"] = timed(lambda: client.get(f"{url}/mask.nii.gz"), repeats)
    store.close()
    return found


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        found = measure(folder, asked.slices, asked.size, asked.repeats)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"machine": describe(), "ms": found}, indent=2, default=str))


if __name__ == "__main__":
    main()
