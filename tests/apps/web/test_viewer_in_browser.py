"""A browser opens a study with the objects that an analysis made of it."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image

from medloop.apps.viewer import OHIF, fetch, install
from medloop.apps.web import dicomweb, viewer
from medloop.apps.web.context import make_context
from medloop.apps.web.viewer import viewer_link
from medloop.core.errors import ServiceError
from medloop.store.spool import Spool
from medloop.workflow.reception import Reception
from tests.apps.viewed import write_study
from tests.apps.web.nodes import node_of
from tests.peers import free_port, wait_until

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
# Drawn by the processor: the test machine has no graphics card.
OPTIONS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
LONG_MS = 120_000


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    try:
        return fetch(tmp_path_factory.mktemp("ohif"), OHIF)
    except ServiceError as error:
        pytest.skip(f"OHIF cannot be fetched: {error}")


@pytest.fixture
def url(store, site, clock, tmp_path, package):
    """Address of the study in a node that has the viewer."""
    install(store.root, source=package)
    study = write_study(store, tmp_path)
    reception = Reception(store, Spool(tmp_path / "spool", reserve_bytes=0), now=clock)
    context = make_context(store, site, reception, now=clock)
    node = node_of(context, clock, (dicomweb.router, viewer.router))
    port = free_port()
    options = uvicorn.Config(node.app, port=port, log_level="error", lifespan="off")
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield f"http://127.0.0.1:{port}{viewer_link(study)}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def page():
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=OPTIONS)
        yield browser.new_page(viewport={"width": 1400, "height": 900})
        browser.close()


def orange_pixels(page, folder) -> int:
    """How much of the picture has the color of the segment; edges and fillings are blended."""
    # Where the canvas is, not the canvas itself: the page puts a new one in its place.
    place = page.locator(".cornerstone-canvas").first.bounding_box()
    page.screenshot(path=folder / "shown.png", clip=place)
    shown = np.asarray(Image.open(folder / "shown.png").convert("RGB")).astype(int)
    return int((shown[..., 0] - shown[..., 2] > 60).sum())


def open_series(page, name) -> None:
    page.get_by_text(f"medloop head_neck: {name}").first.dblclick()
    page.get_by_role("button", name="Yes", exact=True).first.click(timeout=LONG_MS)


def test_images_segments_and_contours_open_and_nothing_comes_from_elsewhere(
    url, page, tmp_path
):
    asked, forbidden = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on(
        "console", lambda said: "Content Security" in said.text and forbidden.append(said.text)
    )
    page.goto(url)
    for name in ("measurements", "contours", "segments"):
        page.get_by_text(f"medloop head_neck: {name}").first.wait_for(timeout=LONG_MS)
    page.get_by_text("1/12").first.wait_for(timeout=LONG_MS)
    if page.get_by_text("Skip all").count():
        page.get_by_text("Skip all").first.click()
    assert orange_pixels(page, tmp_path) == 0
    open_series(page, "segments")
    wait_until(lambda: orange_pixels(page, tmp_path) > 100, timeout_s=60)
    open_series(page, "contours")
    page.locator(".cornerstone-canvas").first.hover()
    for _ in range(4):  # to a slice in the middle of the structure
        page.mouse.wheel(0, 120)
        page.wait_for_timeout(500)
    wait_until(lambda: orange_pixels(page, tmp_path) > 100, timeout_s=60)
    here = url.partition("/viewer")[0]
    assert [each for each in asked if not each.startswith((here, "blob:", "data:"))] == []
    assert forbidden == []
