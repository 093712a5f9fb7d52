"""A browser, a server that it opens, and a node with something to look at."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from medloop.apps.web.context import make_context
from medloop.apps.web.passwords import hash_password
from medloop.store.spool import Spool
from medloop.store.users import Role
from medloop.workflow.reception import Reception
from tests.apps.web.browser.axe import axe_source
from tests.apps.web.browser.room import PASSWORD, Room, a_reading_room, serving
from tests.apps.web.nodes import node_of

FAILURES = Path(__file__).parents[4] / "build" / "failures"
# Drawn by the processor: the test machine has no graphics card.
OPTIONS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]


@pytest.fixture(scope="module")
def chromium():
    """A browser without windows; skipped by name where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def another_page(chromium):
    """Open a browser that nobody used before; `page.faults` lists what went wrong."""
    opened = []

    def make(**options):
        size = {"width": 1400, "height": 900}
        context = chromium.new_context(**{"viewport": size, **options})
        opened.append(context)
        made = context.new_page()
        made.faults = []
        made.on("pageerror", lambda error: made.faults.append(str(error)))
        made.on(
            "console",
            lambda said: (
                said.type == "error"
                and "status of 4" not in said.text
                and made.faults.append(said.text)
            ),
        )
        return made

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def page(another_page):
    """A page of a browser that nobody used before."""
    return another_page()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep pictures of the pages that a test which failed had open."""
    report = yield
    browser = getattr(item, "funcargs", {}).get("chromium")
    if report.when == "call" and report.failed and browser is not None:
        FAILURES.mkdir(parents=True, exist_ok=True)
        pages = [page for context in browser.contexts for page in context.pages]
        for number, page in enumerate(pages):
            page.screenshot(path=FAILURES / f"{item.name}-{number}.png", timeout=10_000)
    return report


@pytest.fixture(scope="session")
def axe(tmp_path_factory) -> str:
    """axe-core as its makers publish it; skipped by name where it cannot be fetched."""
    return axe_source(tmp_path_factory.mktemp("axe"))


@pytest.fixture(scope="session")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def room(store, site, clock, tmp_path, password_hash) -> Iterator[Room]:
    """A server with a chest CT and a photograph that are done, a job that failed, users."""
    reception = Reception(store, Spool(tmp_path / "spool", reserve_bytes=0), now=clock)
    context = make_context(store, site, reception, now=clock)
    node = node_of(context, clock)
    for role in Role:
        context.users.add(f"a-{role}", role, now=clock(), password=password_hash)
    facts = a_reading_room(store, tmp_path, now=clock())
    with serving(node.app) as url:
        yield Room(url, context, facts)
