"""A reader with a tablet: fingers go through slices, tap, enlarge, move and draw."""

import pytest

from medloop.store.users import Role
from tests.apps.web.browser.opened import PAGE
from tests.apps.web.browser.test_looks import TABLET

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
# What fingers can change: the crosshair, how far the axial plane is enlarged, and the mask.
STATE = f"""async () => {{
  const {{ view }} = {PAGE};
  const [pane] = view.panes;
  return {{ cross: view.cross, scale: pane.frame.scale,
    at: pane.pointAt([0, 0, 0]), labels: view.mask.data.reduce((n, v) => n + v, 0) }};
}}"""


class Fingers:
    """Touches on the axial plane, each a place in CSS pixels from its middle."""

    def __init__(self, page):
        self.page = page
        self.session = page.context.new_cdp_session(page)

    def touch(self, *ways) -> None:
        """Put a finger down for each way, lead all of them along theirs, and lift them."""
        box = self.page.locator(".read-pane.axial canvas").bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind, step in [("Start", 0)] + [("Move", n) for n in range(1, len(ways[0]))]:
            places = [
                {"x": middle[0] + way[step][0], "y": middle[1] + way[step][1], "id": n}
                for n, way in enumerate(ways)
            ]
            self.send(kind, places)
        self.send("End", [])

    def send(self, kind, places) -> None:
        sent = {"type": f"touch{kind}", "touchPoints": places}
        self.session.send("Input.dispatchTouchEvent", sent)

    def state(self) -> dict:
        return self.page.evaluate(STATE)


@pytest.fixture
def tablet(room, another_page):
    page = another_page(viewport=TABLET, has_touch=True)
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])
    page.goto(room.address("/read/{ct}?lang=en"))
    page.locator("#reading[data-ready=all]").wait_for()
    yield page
    assert page.faults == []


def test_one_finger_goes_through_slices_and_leaves_the_crosshair(tablet):
    fingers = Fingers(tablet)
    before = fingers.state()
    x, y, z = before["cross"]
    fingers.touch([(0, 0), (5, 12), (5, 24)])
    assert fingers.state()["cross"] == [x, y, z - 3]
    fingers.touch([(0, 0), (0, -20), (0, -40)])
    assert fingers.state()["cross"] == [x, y, z + 2]
    assert fingers.state()["at"] == before["at"]


def test_a_tap_puts_the_crosshair_where_it_is(tablet):
    fingers = Fingers(tablet)
    x, y, z = fingers.state()["cross"]
    fingers.touch([(60, 40), (62, 41)])
    cross = fingers.state()["cross"]
    assert cross[2] == z
    assert cross[:2] != [x, y]


def test_two_fingers_enlarge_and_move_and_nothing_else(tablet):
    fingers = Fingers(tablet)
    before = fingers.state()
    fingers.touch([(-40, 0), (-60, 0), (-80, 0)], [(40, 0), (60, 0), (80, 0)])
    enlarged = fingers.state()
    assert enlarged["scale"] == pytest.approx(2 * before["scale"], rel=0.05)
    fingers.touch([(-40, 0), (-40, 15), (-40, 30)], [(40, 0), (40, 15), (40, 30)])
    moved = fingers.state()
    assert moved["at"][1] == pytest.approx(enlarged["at"][1] + 30, abs=2)
    assert moved["cross"] == before["cross"]


def test_with_a_brush_one_finger_paints(tablet):
    fingers = Fingers(tablet)
    tablet.get_by_role("button", name="Brush").click()
    before = fingers.state()
    fingers.touch([(0, 0), (0, 20), (0, 40)])
    after = fingers.state()
    assert after["labels"] > before["labels"]
    assert after["cross"] == before["cross"]
