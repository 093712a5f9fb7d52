"""How soon a reader sees a CT of 300 slices, and how smoothly it scrolls, in a real browser.

    python -m benchmarks.reading [--slices 300] [--size 512] [--repeats 5] [--delay 0]

A web server in a process of its own, Chromium without a graphics card, loopback; `--delay`
adds milliseconds to each answer. Told in ms, as medians: when the first image stands on the
page (preview), when its slice and the whole volume are there, how long the browser draws a
slice further, another window, and a stroke; and how long the server takes for a preview
(prepared, and never prepared), the scene and the whole volume.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import uvicorn
from playwright.sync_api import sync_playwright
from tests.apps.web.browser.conftest import OPTIONS
from tests.apps.web.jobs_done import a_ct
from tests.apps.web.nodes import NoInlet
from tests.peers import free_port, wait_until

from benchmarks.machine import describe
from medloop.apps.site import Site
from medloop.apps.web.app import create_app
from medloop.apps.web.context import make_context
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.store import open_store
from medloop.workflow.lightbox import lightbox_of
from medloop.workflow.scene import look_up
from medloop.workflow.stored import StoreArchive

BALL = ((30.0, 20.0, 120.0), 14.0)
_MARKS = """() => Object.fromEntries(
  performance.getEntriesByType('mark').map((m) => [m.name, m.startTime]))"""
# Each deed is drawn at once, so that the time is the drawing's and not the display's.
_DEEDS = """async (source) => {
  const { page: { view } } = await import(source);
  const pane = view.panes[0];
  const timed = (deed, times = 30) => {
    const took = [];
    for (let n = 0; n < times; n += 1) {
      const begun = performance.now();
      deed(n);
      for (const each of view.panes) if (!each.element.hidden) each.draw();
      pane.canvas.getContext('2d').getImageData(0, 0, 1, 1);
      took.push(performance.now() - begun);
    }
    return took.sort((a, b) => a - b)[times >> 1];
  };
  const out = {};
  out.slice = timed(() => view.scroll(1));
  out.window = timed((n) => view.setWindow({ center: 40 + n, width: 400 }));
  out.stroke = timed(() => view.mask.changed([[0, 0, 0], [1, 1, 1]]));
  view.setSlab({ mm: 20 });
  out.slab = timed(() => view.scroll(-1));
  view.setSlab({ mm: 0 });
  view.setLayout('four');
  out.planes = timed(() => view.scroll(1));
  return out;
}"""


def a_volume(slices: int, size: int) -> Volume:
    """Noise in a body, which packs and draws as a CT does."""
    rng = np.random.default_rng(0)
    affine = np.diag([1.0, 0.7, 0.7, 1.0])[[2, 1, 0, 3]]
    affine[:2, 3] = -0.35 * size
    j, i = np.mgrid[:size, :size] - size / 2
    body = np.hypot(j * 1.3, i) < 0.42 * size
    plane = np.where(body, np.where(np.hypot(j, i) < 0.3 * size, -850, 40), -1000)
    noise = rng.normal(0, 20, (4, size, size))
    array = np.stack([plane + noise[k % 4] for k in range(slices)]).astype(np.int16)
    return Volume(array, Grid(array.shape, affine, "2.25.816"), "HU")


def serve(home: Path, port: int) -> None:
    """Answer as `medloop serve` does; the process of its own."""
    context = make_context(open_store(home), Site(), NoInlet())
    uvicorn.run(create_app(context), port=port, log_level="error")


def ask(url: str, repeats: int, before: Callable[[], None] = lambda: None) -> float:
    """Median ms of a request."""
    took = []
    with httpx.Client(timeout=120) as client:
        for _ in range(repeats):
            before()
            begun = time.perf_counter()
            client.get(url).raise_for_status()
            took.append(1000 * (time.perf_counter() - begun))
    return statistics.median(took)


def look(url: str, repeats: int, delay_ms: float) -> dict[str, float]:
    """Open the page as often, each time in a browser that has nothing yet."""
    found: list[dict[str, float]] = []
    program = shutil.which("chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=OPTIONS)
        for _ in range(repeats):
            context = browser.new_context(viewport={"width": 1400, "height": 900})
            page = context.new_page()
            if delay_ms:
                session = context.new_cdp_session(page)
                session.send("Network.enable")
                wished = {"offline": False, "latency": delay_ms}
                rates = {"downloadThroughput": -1, "uploadThroughput": -1}
                session.send("Network.emulateNetworkConditions", wished | rates)
            page.goto(url)
            page.wait_for_selector("#reading[data-ready=all]", timeout=120_000)
            marks = page.evaluate(_MARKS)
            source = page.locator("script[src*='read/main.js']").get_attribute("src")
            deeds = page.evaluate(_DEEDS, source)
            context.close()
            told = {name.removeprefix("medloop-"): at for name, at in marks.items()}
            found.append(told | {f"draw {name}": ms for name, ms in deeds.items()})
        browser.close()
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--serve", nargs=2, metavar=("HOME", "PORT"))
    options = parser.parse_args()
    if options.serve:
        serve(Path(options.serve[0]), int(options.serve[1]))
        return
    with tempfile.TemporaryDirectory() as scratch:
        home, port = Path(scratch) / "store", free_port()
        store = open_store(home)
        volume = a_volume(options.slices, options.size)
        job = a_ct(store, Path(scratch) / "ct", volume, [BALL], now=datetime.now(UTC))
        command = [sys.executable, "-m", "benchmarks.reading", "--serve", str(home), str(port)]
        server = subprocess.Popen(command)
        try:
            base = f"http://127.0.0.1:{port}"
            wait_until(lambda: _answers(f"{base}/healthz"), timeout_s=60)
            api = f"{base}/api/jobs/{job.id}"
            box, repeats = lightbox_of(home), options.repeats
            told = {"preview, not prepared": ask(f"{api}/preview.jpg", repeats)}
            looked = look_up(store, job.id)
            begun = time.perf_counter()
            box.prepare(StoreArchive(store).case(looked.study, looked.selection))
            told["prepare"] = 1000 * (time.perf_counter() - begun)
            for path in ("preview.jpg", "scene", "volume.nii"):
                told[path] = ask(f"{api}/{path}", repeats)
            told |= look(f"{base}/read/{job.id}", repeats, options.delay)
        finally:
            server.terminate()
            server.wait()
            store.close()
    rounded = {name: round(ms, 1) for name, ms in told.items()}
    print(json.dumps({"machine": describe(), **rounded}))


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    main()
