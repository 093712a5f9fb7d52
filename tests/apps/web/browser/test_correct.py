"""A reader paints, clicks and judges in a browser; voxels arrive as they were painted."""

import base64
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pydicom import dcmread

from medloop.apps.web import images, mask_files, readings, refining, static_files
from medloop.apps.web.context import make_context
from medloop.apps.web.images import Desk
from medloop.dicom.read_results import read_segmentation
from medloop.files.nifti import decode_nifti, encode_nifti
from medloop.imaging.viewing import to_viewing, to_viewing_index, viewing_grid
from medloop.store.reading import ReadingState
from medloop.store.spool import Spool
from medloop.store.users import Role
from medloop.workflow.lightbox import lightbox_of
from medloop.workflow.reception import Reception
from medloop.workflow.reviewing import current_labels, review_of
from tests.apps.web.browser import correcting
from tests.apps.web.browser.correcting import Hand, shot
from tests.apps.web.browser.opened import PAGE
from tests.apps.web.browser.room import BALLS, Room, a_reading_room, serving
from tests.apps.web.jobs_done import a_ball
from tests.apps.web.nodes import node_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def bench(store, site, clock, tmp_path) -> Iterator[Room]:
    """A server with the page that corrects, and what it needs."""
    reception = Reception(store, Spool(tmp_path / "spool", reserve_bytes=0), now=clock)
    context = make_context(store, site, reception, now=clock)
    routers = (
        static_files.router,
        images.router,
        readings.router,
        mask_files.router,
        refining.router,
        correcting.router,
    )
    node = node_of(context, clock, routers)
    context.users.add("a-annotator", Role.ANNOTATOR, now=clock())
    facts = a_reading_room(store, tmp_path, now=clock())
    with serving(node.app) as url:
        yield Room(url, context, facts)


@pytest.fixture
def program(bench, clock):
    """The same reader by a program, to see what was kept."""
    node = node_of(bench.context, clock, (readings.router, mask_files.router))
    return node.program(Role.ANNOTATOR)


@pytest.fixture
def grid(bench):
    desk = Desk(bench.context.store, lightbox_of(bench.context.store.root))
    return desk.shown(desk.look_up(int(bench.facts["ct"]))).grid


@pytest.fixture
def hand(page, bench) -> Hand:
    return Hand(page, bench)


def kept_mask(program, number=1) -> np.ndarray:
    data = program.get(f"/api/readings/{number}/mask.nii.gz").content
    return decode_nifti(data, max_bytes=1 << 24)[0].array


def kept_seg(program, grid, number=1) -> np.ndarray:
    """What the SEG holds, as reports write it, on the page's voxels."""
    data = program.get(f"/api/readings/{number}/mask.dcm").content
    return to_viewing(read_segmentation(dcmread(BytesIO(data)), grid=grid).array, grid)


def where(grid, place_mm) -> list[int]:
    return to_viewing_index(
        np.rint(grid.to_index(np.array(place_mm))).astype(int), grid
    ).tolist()


def test_what_is_painted_is_saved_voxel_by_voxel_and_is_the_same_in_the_seg(
    hand, program, grid, page
):
    model = hand.mask
    assert_array_equal(model, kept_mask(program))
    hand.press("b")
    page.locator(".correct-settings:visible input[type=number]").first.fill("5")
    page.locator("#view").focus()
    hand.click([30, 20, 4])
    y, x = np.ogrid[: model.shape[1], : model.shape[2]]
    wanted = model.copy()
    wanted[4][np.hypot(x - 30, y - 20) * 2.0 <= 5.0] = 1  # voxels of 2 mm, a radius of 5
    assert_array_equal(hand.mask, wanted)
    hand.drag([12, 10, 6], [50, 14, 6], [40, 40, 6])
    hand.press("x")
    hand.drag([30, 10, 6], [30, 20, 6])
    hand.press("b")
    page.get_by_role("button", name="Take the range about a place").click()
    hand.click([5, 3, 7])  # tissue about the lung
    page.wait_for_function("() => page.tools.range")
    low, high = page.evaluate("() => page.tools.range")
    assert -100 < low < 40 < high < 150
    hand.click([10, 10, 7])  # where lung and tissue meet
    image = page.evaluate("() => [...page.view.image.slice(64 * 48 * 7, 64 * 48 * 8)]")
    tissue = np.array(image).reshape(48, 64)
    brushed = hand.mask[7] == 1
    assert brushed.any()
    assert ((tissue >= low) & (tissue <= high))[brushed & (model[7] != 1)].all()
    hand.wait_for("saved")
    painted = hand.mask
    assert (painted[6] == 1).sum() > 200
    assert_array_equal(kept_mask(program), painted)
    assert_array_equal(kept_seg(program, grid), painted)
    page.screenshot(path=shot("correct-painted"), full_page=True)
    hand.open()
    assert_array_equal(hand.mask, painted)
    (edit,) = program.get("/api/readings/1/edits").json()["edits"]
    assert edit["action"] == "mask"
    assert 0 < edit["seconds"] < 60
    assert 4 <= edit["clicks"] < 20
    assert page.faults == []


def test_undo_redo_segments_and_clicks_that_segment(hand, program, grid, page, bench):
    model = hand.mask
    hand.press("b")
    hand.click([30, 20, 4])
    painted = hand.mask
    hand.press("Control+z")
    assert_array_equal(hand.mask, model)
    hand.press("Control+y")
    assert_array_equal(hand.mask, painted)
    hand.press("Control+z")
    page.get_by_role("button", name="Begin a new segment").click()
    page.get_by_label("Name").fill("Second look")
    page.get_by_role("button", name="Add", exact=True).click()
    hand.press("c")
    center, diameter = BALLS[1]
    truth = to_viewing(a_ball(grid, center, diameter), grid)
    with page.expect_response("**/refine") as answered:
        hand.click(where(grid, center))
    assert answered.value.json()["seconds"] < 5
    page.wait_for_function("() => page.view.mask.data.includes(3)")
    drawn = hand.mask == 3
    assert 2 * (drawn & truth).sum() / (drawn.sum() + truth.sum()) > 0.85
    hand.wait_for("saved")
    page.screenshot(path=shot("correct-clicked"), full_page=True)
    assert_array_equal(kept_mask(program), hand.mask)
    told = program.get("/api/readings/1").json()
    assert [each["name"] for each in told["segments"]][-1] == "Second look"
    hand.press("b")
    page.locator("#view").focus()
    for z in (2, 8):
        hand.click([10, 40, z])
    page.get_by_role("button", name="Fill the slices between those you painted").click()
    page.wait_for_function("() => page.view.mask.data[10 + 64 * (40 + 48 * 5)] === 3")
    between = hand.mask[2:9, 35:46, 5:16] == 3
    assert all((plane == between[0]).all() for plane in between)
    assert page.faults == []


def states(hand, program) -> dict[str, str]:
    """Findings' states, once the page has sent what it has to send."""
    hand.settle()
    told = program.get("/api/readings/1").json()
    return {each["key"]: each["state"] for each in told["findings"]}


def test_findings_are_accepted_rejected_and_edited(hand, program, page):
    hand.press("a")
    hand.press("j")
    hand.press("r")
    assert states(hand, program) == {"1": "accepted", "2": "rejected"}
    page.screenshot(path=shot("correct-findings"), full_page=True)
    hand.press("u")
    assert states(hand, program) == {"1": "accepted", "2": "proposed"}
    hand.press("e")
    form = page.locator(".correct-form")
    form.get_by_label("Finding").select_option(label="Mass")
    form.get_by_label("Long axis").fill("11.5")
    form.get_by_label("Its segment").select_option(label="nodule 1")
    form.get_by_label("Remark").fill("lobulated")
    page.screenshot(path=shot("correct-form"), full_page=True)
    form.get_by_role("button", name="Save").click()
    hand.settle()
    _, second = program.get("/api/readings/1").json()["findings"]
    assert (second["state"], second["concept"]["meaning"]) == ("changed", "Mass")
    assert (second["comment"], second["before"]["concept"]["meaning"]) == (
        "lobulated",
        "Nodule",
    )
    assert (second["segment"], second["before"]["segment"]) == (1, 2)
    assert 11.5 in [each["value"] for each in second["measurements"]]
    edits = program.get("/api/readings/1/edits").json()["edits"]
    assert [each["action"] for each in edits] == ["accept", "reject", "restore", "change"]
    assert all(1 <= each["clicks"] < 10 for each in edits), "letters of a remark are no clicks"
    assert page.faults == []


def test_a_finding_is_added_by_pointing_and_taken_back(hand, program, page, grid):
    form = page.locator(".correct-form")
    hand.press("n")
    hand.press("Escape")
    hand.press("n")
    hand.click([20, 30, 5])
    form.get_by_role("button", name="Save").click()
    page.locator("[data-key=a1]").wait_for()
    added = program.get("/api/readings/1").json()["findings"][-1]
    assert added["state"] == "added"
    index = np.rint(grid.to_index(np.array(added["center_lps_mm"]))).astype(int)
    assert to_viewing_index(index, grid).tolist() == [20, 30, 5]
    page.locator("[data-key=a1]").get_by_role("button", name="Remove").click()
    assert "a1" not in states(hand, program)
    hand.press("u")
    assert states(hand, program)["a1"] == "added"
    page.screenshot(path=shot("correct-edited"), full_page=True)
    assert page.faults == []


def test_a_grade_is_chosen_and_taken_back(hand, program, page):
    def grade():
        hand.settle()
        return program.get("/api/readings/1").json()["assessments"]["Lung-RADS"]

    page.get_by_label("Lung-RADS").select_option("4B")
    assert grade() == "4B"
    page.get_by_role("button", name="Take the last change back").click()
    assert grade() == "4A"


def test_a_page_that_is_behind_says_so_and_loses_nothing(hand, program, grid, page):
    def elsewhere(number):
        sent = {"expected": number, "action": "reject", "target": "2"}
        assert program.post("/api/readings/1/edits", json=sent).status_code == 200

    elsewhere(0)
    hand.press("a")
    page.get_by_text("was changed elsewhere and has been loaded again").first.wait_for()
    page.locator("[data-key='2'].rejected").wait_for()
    hand.press("a")
    hand.settle()
    assert program.get("/api/readings/1").json()["findings"][0]["state"] == "accepted"
    hand.press("b")
    elsewhere(2)
    hand.click([30, 20, 4])  # only findings changed: the mask is saved all the same
    hand.wait_for("saved")
    page.wait_for_function("() => page.saving.isSaved")
    mine = hand.mask
    assert_array_equal(kept_mask(program), mine)
    theirs = np.zeros_like(mine)
    theirs[3, 3, 3] = 2
    number = program.get("/api/readings/1").json()["number"]
    sent = encode_nifti(theirs, viewing_grid(grid))
    assert (
        program.put(f"/api/readings/1/mask?expected={number}", content=sent).status_code == 200
    )
    hand.click([10, 20, 4])
    hand.wait_for("conflict")
    page.screenshot(path=shot("correct-conflict"), full_page=True)
    assert_array_equal(kept_mask(program), theirs)
    mine = hand.mask
    page.get_by_role("button", name="Save mine over it").click()
    hand.wait_for("saved")
    assert_array_equal(kept_mask(program), mine)
    assert page.faults == []


def test_the_reading_page_paints_the_voxel_that_is_pointed_at(room, page, store):
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])
    page.goto(room.address("/read/{ct}?lang=zh&theme=dark"))
    page.locator("#reading[data-ready=all]").wait_for()
    page.keyboard.press("j")
    page.keyboard.press("b")
    inside = page.locator(".correct-settings:visible input[type=number]").first
    inside.fill("0.1")
    inside.blur()
    canvas = page.locator(".read-pane.axial canvas")
    box = canvas.bounding_box()
    at = (box["width"] * 0.4, box["height"] * 0.45)
    canvas.click(position={"x": at[0], "y": at[1]})
    index, changed = page.evaluate(
        f"""async (at) => {{
          const page = {PAGE};
          const pane = page.view.panes[0];
          const index = pane.indexAt(at).map(Math.round);
          const [nx, ny] = page.view.size;
          const place = index[0] + nx * (index[1] + ny * index[2]);
          return [index, page.view.mask.data[place]];
        }}""",
        list(at),
    )
    assert changed > 0
    page.locator(".correct-state[data-state=saved]").wait_for(timeout=15_000)
    page.locator("#reading").screenshot(path=shot("correct-in-place-zh"))
    desk = Desk(store, lightbox_of(store.root))
    reading = store.readings.get(1)
    review = review_of(store, reading)
    shown = desk.shown(review.looked)
    seen = to_viewing(current_labels(store, review, shown.grid).array, shown.grid)
    x, y, z = index
    assert seen[z, y, x] == changed
    assert page.faults == []


def test_a_mask_made_elsewhere_is_taken_over_in_the_page(hand, program, grid, page, tmp_path):
    model = hand.mask
    with page.expect_download() as told:
        page.get_by_role("link", name="DICOM SEG").click()
    told.value.save_as(tmp_path / "mask.dcm")
    hand.press("x")
    hand.drag([10, 24, 4], [54, 24, 4])
    for z in range(model.shape[0]):
        hand.click([20, 20, z])
    hand.wait_for("saved")
    page.wait_for_function("() => page.saving.isSaved")
    page.locator("#correct-upload").set_input_files(tmp_path / "mask.dcm")
    page.get_by_text("The mask was taken over").first.wait_for()
    assert_array_equal(hand.mask, model)
    assert_array_equal(kept_mask(program), model)
    assert page.faults == []


def test_a_photograph_is_painted_pixel_by_pixel(room, page, store):
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])
    page.goto(room.address("/read/{photo}?lang=en&theme=light"))
    page.locator("#reading[data-ready=all]").wait_for()
    page.get_by_role("button", name="Begin a new segment").click()
    page.get_by_role("button", name="Add", exact=True).click()
    page.keyboard.press("b")
    box = page.locator(".read-pane canvas").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 120, middle[1] + 60, steps=6)
    page.mouse.up()
    page.keyboard.press("c")
    with page.expect_response("**/refine"):
        page.mouse.click(middle[0] - 0.15 * box["height"], middle[1])
    page.locator(".correct-state[data-state=saved]").wait_for(timeout=15_000)
    page.wait_for_function(f"async () => {PAGE}.correct.saving.isSaved")
    encoded, size = page.evaluate(
        f"""async () => {{
          const {{ mask, size }} = {PAGE}.view;
          let text = "";
          for (const each of mask.data) text += String.fromCharCode(each);
          return [btoa(text), size];
        }}"""
    )
    shown = np.frombuffer(base64.b64decode(encoded), np.uint8).reshape(size[1::-1])
    page.locator("#reading").screenshot(path=shot("correct-photograph"))
    review = review_of(store, store.readings.get(1))
    kept = current_labels(store, review, None, (size[1], size[0]))
    assert (kept.array > 0).sum() > 100
    assert_array_equal(kept.array, shown)
    page.reload()
    page.locator("#reading[data-ready=all]").wait_for()
    same = f"async (n) => {PAGE}.view.mask.data.reduce((sum, v) => sum + v, 0) === n"
    assert page.evaluate(same, int(kept.array.sum(dtype=int)))
    assert page.faults == []


def painted(page) -> None:
    """Paint at the middle of the axial slice, with the brush in hand."""
    page.locator(".read-pane.axial canvas").click()


def test_a_session_that_ends_while_somebody_paints_loses_nothing(room, page, store):
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])
    page.goto(room.address("/read/{ct}?lang=en&theme=dark"))
    page.locator("#reading[data-ready=all]").wait_for()
    page.keyboard.press("b")
    page.context.clear_cookies()
    painted(page)
    page.locator(".correct-state[data-state=failed]").wait_for(timeout=15_000)
    page.get_by_role("link", name="Sign in in another tab").wait_for(timeout=15_000)
    assert "/read/" in page.url
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])  # signed in beside it
    page.locator(".correct-state[data-state=saved]").wait_for(timeout=30_000)
    assert [each.action for each in store.readings.edits(1)] == ["mask"]
    assert page.faults == []


def test_what_is_not_saved_is_not_handed_in_and_an_edit_that_failed_does_not_show(
    room, page, store
):
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])
    page.goto(room.address("/read/{ct}?lang=en&theme=dark"))
    page.locator("#reading[data-ready=all]").wait_for()
    page.evaluate(
        f"""async () => {{
          const {{ session }} = {PAGE}.correct;
          const main = document.querySelector('script[src*="read/main.js"]').src;
          const where = main.replace("read/main.js", "apart/handin.js");
          const {{ mountHandIn }} = await import(where);
          const host = document.getElementById("handin");
          host.dataset.wanted = "2";
          mountHandIn(host, session);
        }}"""
    )
    page.route("**/mask?*", lambda route: route.abort())
    page.keyboard.press("b")
    painted(page)
    page.get_by_role("button", name="Hand in").click()
    page.get_by_role("button", name="Hand in for good").click()
    page.get_by_text("nothing can be handed in").wait_for()
    assert store.readings.get(1).state is ReadingState.OPEN
    page.route("**/api/readings/**", lambda route: route.abort())
    page.keyboard.press("b")
    page.keyboard.press("a")
    page.locator("#status", has_text="The server does not answer").wait_for()
    assert page.locator(".correct-finding.accepted").count() == 0
    assert [each for each in page.faults if "ERR_FAILED" not in each] == []


def test_a_reading_that_was_closed_is_painted_no_more(hand, page):
    before = hand.mask
    hand.press("b")
    page.evaluate("() => page.session.replace({ ...page.session.reading, may_edit: false })")
    hand.click([30, 20, 4])
    assert_array_equal(hand.mask, before)
    assert page.locator("[data-tool=brush]").get_attribute("aria-pressed") == "false"


def test_gaps_are_not_filled_in_a_segment_that_was_chosen_meanwhile(hand, page):
    hand.press("b")
    for z in (2, 6):
        hand.click([52, 40, z])
    before = hand.mask
    held = []

    def hold(route):
        held.append(route)

    page.route("**/between", hold)
    page.get_by_role("button", name="Fill between slices").click()
    page.wait_for_timeout(200)
    page.evaluate("() => page.masking.choose(2)")
    held[0].continue_()
    page.get_by_text("nothing was filled").wait_for()
    assert_array_equal(hand.mask, before)


def test_a_reading_that_cannot_be_opened_says_why(room, page):
    page.context.add_cookies([room.session(Role.READER)])
    page.route("**/reading?*", lambda route: route.fulfill(status=503, body="{}"))
    page.goto(room.address("/read/{ct}?lang=en"))
    page.get_by_text("Nothing can be corrected or signed here now").wait_for()


def test_two_dabs_do_not_change_the_view_and_what_is_painted_is_seen(room, page):
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])
    page.goto(room.address("/read/{ct}?lang=en&theme=dark"))
    page.locator("#reading[data-ready=all]").wait_for()
    page.keyboard.press("h")
    assert not page.locator("[data-layer=labels]").is_checked()
    page.keyboard.press("b")
    assert page.locator("[data-layer=labels]").is_checked()
    page.locator(".read-pane.axial canvas").dblclick()
    assert page.locator(".read-planes").first.get_attribute("data-layout") == "axial"
    page.keyboard.press("b")
    page.locator(".read-pane.axial canvas").dblclick()
    assert page.locator(".read-planes").first.get_attribute("data-layout") == "four"
