"""What was painted or written is saved before anything else is done with it, or nothing is."""

import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.files.nifti import encode_nifti
from medloop.store.users import Role
from tests.apps.web.browser.opened import PAGE, saved

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MASKS = "**/api/readings/*/mask?*"


@pytest.fixture
def painting(room, page):
    """The reading page of the CT with a brush in hand, where no mask can be saved."""
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])
    page.goto(room.address("/read/{ct}?lang=en"))
    page.locator("#reading[data-ready=all]").wait_for()
    page.route(MASKS, lambda route: route.abort())
    page.keyboard.press("b")
    return page


def paint(page):
    """Paint at the middle of the slice, and tell how much is labeled."""
    before = labeled(page)
    page.locator(".read-pane.axial canvas").click()
    assert labeled(page) != before
    return labeled(page)


def labeled(page) -> int:
    return page.evaluate(f"async () => {PAGE}.view.mask.data.reduce((n, v) => n + v, 0)")


def a_file(page) -> dict:
    """A mask of another program's on the voxels of the page, with one voxel labeled."""
    size, affine = page.evaluate(f"async () => [{PAGE}.view.size, {PAGE}.view.scene.affine]")
    array = np.zeros(size[::-1], np.uint8)
    array[3, 3, 3] = 1
    matrix = np.array(affine, float)
    grid = Grid(array.shape, matrix[:, [2, 1, 0, 3]])
    return {"name": "m.nii", "mimeType": "a/b", "buffer": encode_nifti(array, grid)}


def test_no_file_takes_the_place_of_what_could_not_be_saved(painting, room, store):
    mine, file = paint(painting), a_file(painting)
    painting.locator("#correct-upload").set_input_files(file)
    painting.locator("#status", has_text="What you painted is not saved yet").wait_for()
    assert labeled(painting) == mine
    assert [each.action for each in store.readings.edits(1)] == []
    painting.unroute(MASKS)
    saved(painting)
    painting.locator("#correct-upload").set_input_files(file)
    painting.get_by_text("The mask was taken over").first.wait_for()
    assert labeled(painting) == 1
    assert [each.action for each in store.readings.edits(1)] == ["mask", "mask"]


def test_what_is_painted_while_a_file_is_sent_is_kept_beside_it(painting, store):
    painting.unroute(MASKS)
    held = []

    def hold(route):
        held.append(route)

    painting.route("**/mask/file?*", hold)
    with painting.expect_request("**/mask/file?*"):
        painting.locator("#correct-upload").set_input_files(a_file(painting))
    mine = paint(painting)
    held[0].continue_()
    painting.locator(".correct-state[data-state=conflict]").wait_for(timeout=30_000)
    assert labeled(painting) == mine
    painting.get_by_role("button", name="Save mine over it").click()
    saved(painting)
    assert [each.action for each in store.readings.edits(1)] == ["mask", "mask"]


def test_a_file_that_is_taken_away_has_what_was_painted_last(painting, store):
    paint(painting)
    painting.get_by_role("link", name="NIfTI").click()
    painting.locator("#status", has_text="What you painted is not saved yet").wait_for()
    painting.unroute(MASKS)
    with painting.expect_download():
        painting.get_by_role("link", name="NIfTI").click()
    assert [each.action for each in store.readings.edits(1)] == ["mask"]


def test_a_preview_shows_what_was_painted_last_or_is_not_shown(painting, store):
    paint(painting)
    preview = painting.get_by_role("button", name="Preview")
    preview.click()
    painting.locator("#status", has_text="the preview would not show it").wait_for()
    assert painting.locator("dialog").count() == 0
    painting.unroute(MASKS)
    preview.click()
    painting.locator("dialog.report-sheet").wait_for()
    assert [each.action for each in store.readings.edits(1)] == ["mask"]
