"""A day of a reader: signs in, drops a photograph and a folder of CT, watches, opens, reads."""

import base64

import pytest
from pydicom import dcmread

from medloop.apps.demo import write_photographs
from tests.apps.web.browser.axe import serious_violations
from tests.necks import write_ct
from tests.nodes import node
from tests.thorax import Ball, Chest, a_chest, a_grid

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
for extra in ("skimage", "argon2", "uvicorn"):
    pytest.importorskip(extra)
PASSWORD = "tulip marble ocean"  # noqa: S105 - of a user that lives for one test
ANALYZED_MS = 240_000
# What a person's hand does; a test has none, so the page is given the event.
DROP = """([name, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name));
  for (const kind of ["dragover", "drop"]) {
    const how = { dataTransfer, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new DragEvent(kind, how));
  }
}"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("day")
    (folder / "password").write_text(PASSWORD + "\n")
    with node(folder / "node", "[receive]\nquiet_s = 1\n") as started:
        words = ("users", "add", "li", "--role", "reader")
        added = started.run(*words, "--password-file", str(folder / "password"))
        assert added.returncode == 0, added.stderr
        yield started


def enter(page, running):
    page.goto(f"{running.url}/")
    assert page.url.endswith("/login?next=/")
    page.get_by_label("Name").fill("li")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Worklist").wait_for()


def test_from_a_dropped_photograph_to_its_reading(running, page, axe, tmp_path):
    photograph, _ = write_photographs(tmp_path)
    enter(page, running)
    page.get_by_role("heading", name="No studies yet").wait_for()
    assert serious_violations(page, axe) == []

    data = base64.b64encode(photograph.read_bytes()).decode()
    page.evaluate(DROP, [photograph.name, data])
    page.get_by_text("Files sent: 1, studies: 1").wait_for(timeout=30_000)
    retina = page.locator("#list a.chip", has_text="Retina")
    retina.wait_for(timeout=ANALYZED_MS)  # nobody loads the page again
    assert "ICDR" in retina.inner_text()

    page.locator("#add-folder").set_input_files(write_chest(tmp_path / "ct"))
    page.get_by_text("Files sent: 120, studies: 1").wait_for(timeout=60_000)
    page.get_by_role("link", name="All").click()
    lung = page.locator("#list tr", has_text="WANG").locator("a.chip", has_text="Lung nodules")
    lung.wait_for(timeout=ANALYZED_MS)
    find_by_keys(page)
    open_the_first(page)
    assert page.faults == []
    assert "Traceback" not in running.said()


def write_chest(folder):
    """Write a drawn chest with a ball in its right lung, as a scanner would name it."""
    grid = a_grid(steps_mm=(3.0, 1.9, 1.9))
    write_ct(a_chest(Chest(balls=(Ball((-70.0, -10.0, 20.0), 14.0),)), grid).volume, folder)
    for file in folder.iterdir():
        data = dcmread(file)
        data.BodyPartExamined, data.SeriesDescription = "CHEST", "Thorax"
        data.save_as(file)
    return folder


def find_by_keys(page):
    page.keyboard.press("/")
    page.keyboard.type("wang")
    playwright.expect(page.locator("#list tbody tr")).to_have_count(1)
    assert "wang" not in page.url
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear").click()
    playwright.expect(page.locator("#list tbody tr")).to_have_count(2)


def open_the_first(page):
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.className") == "open"
    page.locator("#list tr", has_text="Retina").locator("a.open").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/studies/*")
    assert page.locator("img.thumb").first.evaluate("image => image.decode().then(() => true)")
    with page.expect_download() as got:
        page.get_by_role("link", name="SR").click()
    assert got.value.suggested_filename.endswith("sr.dcm")
    page.get_by_role("link", name="Read", exact=True).click()
    page.wait_for_url("**/read/*")
    page.locator("canvas").first.wait_for()


def test_signing_out_and_a_server_that_is_gone_are_told(running, page):
    enter(page, running)
    page.route("**/worklist", lambda route: route.abort())
    page.get_by_text("The server does not answer").wait_for(timeout=30_000)
    page.unroute("**/worklist")
    page.locator("details.menu", has_text="li").last.locator("summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    page.goto(f"{running.url}/studies/1.2.3")
    assert page.url.endswith("/login?next=/studies/1.2.3")
