"""A reader looks at a CT of 300 slices and at a photograph, in a browser."""

from collections.abc import Iterator
from io import BytesIO
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from medloop.apps import niivue
from medloop.apps.viewer import fetch
from medloop.apps.web.context import make_context
from medloop.core.errors import ServiceError
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.imaging.viewing import viewing_grid
from medloop.store.users import Role
from tests.apps.web.browser.axe import serious_violations
from tests.apps.web.browser.room import Room, an_eye, serving
from tests.apps.web.jobs_done import a_ball, a_ct, a_photograph
from tests.apps.web.nodes import NoInlet, node_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SLICES = 300
FIRST, SECOND = (-40.0, 6.0, 60.0), (36.0, -10.0, 240.0)
BALLS = ((FIRST, 16.0), (SECOND, 20.0))
LONG_MS = 60_000
# What a canvas shows about a place, as one number a pixel and color.
LOOK = """(canvas, share) => {
  const [w, h] = [canvas.width, canvas.height];
  const at = [Math.round(w * share[0]), Math.round(h * share[1])];
  return [...canvas.getContext('2d').getImageData(at[0] - 2, at[1] - 2, 5, 5).data];
}"""
WHOLE = """canvas => { const d = canvas.getContext('2d')
  .getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0; for (let i = 0; i < d.length; i += 1) sum = (sum * 31 + d[i]) >>> 0;
  return sum; }"""

# A volume of its own in 3-D: one bright ball at the patient's right, in front.
BALL_AT_THE_RIGHT_FRONT = """async () => {
  const main = document.querySelector('script[src*="read/main.js"]').src;
  const { Space } = await import(main.replace('main.js', 'space.js'));
  const [n, data] = [48, new Int16Array(48 ** 3).fill(-1000)];
  data.forEach((_, at) => {
    const [x, y, z] = [at % n, Math.floor(at / n) % n, Math.floor(at / n / n)];
    if ((x - 38) ** 2 + (y - 38) ** 2 + (z - 24) ** 2 < 64) data[at] = 1200;
  });
  const size = [n, n, n], spacing = [2, 2, 2];
  const scene = { unit: 'HU', spacing, slope: 1, intercept: 0 };
  const window_ = { center: 40, width: 400 }, overlays = { labels: { visible: false } };
  const space = new Space({
    scene, size, spacing, overlays, volume: { data, size }, done: Promise.resolve(),
    cross: [24, 24, 24], mask: null, colors: [], window: window_,
  });
  const host = document.createElement('div');
  host.id = 'sides';
  host.append(space.element);
  document.body.append(host);
  host.style.cssText = 'position: fixed; inset: 0; width: 600px; height: 600px; z-index: 99';
  space.canvas.style.cssText = 'width: 600px; height: 500px';
  space.show(true);
}"""


def a_tall_chest() -> Volume:
    """Air in soft tissue, 1 mm slices; two balls of tissue."""
    affine = np.array(
        [[0, 0, 2.0, -95.0], [0, 2.0, 0, -95.0], [1.0, 0, 0, 0.0], [0, 0, 0, 1.0]]
    )
    grid = Grid((SLICES, 96, 96), affine, "2.25.816")
    j, i = np.mgrid[:96, :96] - 47.5
    plane = np.where(np.hypot(j, i) < 40, -850, np.where(np.hypot(j, i) < 46, 40, -1000))
    array = np.repeat(plane[None], SLICES, 0).astype(np.int16)
    for center, diameter in BALLS:
        array[a_ball(grid, center, diameter)] = 30
    return Volume(array, grid, "HU")


@pytest.fixture
def room(store, site, clock, tmp_path) -> Iterator[Room]:
    context = make_context(store, site, NoInlet(), now=clock)
    node = node_of(context, clock)
    for role in Role:
        context.users.add(f"a-{role}", role, now=clock())
    ct = a_ct(store, tmp_path / "ct", a_tall_chest(), BALLS, now=clock(), has_heat=True)
    photo = a_photograph(store, tmp_path / "eye", an_eye(), now=clock())
    with serving(node.app) as url:
        yield Room(url, context, {"ct": str(ct.id), "photo": str(photo.id)})


@pytest.fixture
def asked(page) -> set[str]:
    """Hosts that the page asked for anything."""
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    return hosts


def enter(page, room, path, role=Role.READER):
    page.context.add_cookies([room.session(role)])
    page.goto(room.address(path))
    page.wait_for_selector("#reading[data-ready=all]", timeout=LONG_MS)


def seen(page, share=(0.5, 0.5), pane="axial"):
    page.wait_for_timeout(80)  # a frame is drawn before the browser paints next
    found = page.locator(f".read-pane.{pane} canvas").evaluate(LOOK, list(share))
    return np.array(found).reshape(25, 4)[:, :3]


def shown_slice(page, pane="axial"):
    page.wait_for_timeout(80)
    return int(page.locator(f".read-pane.{pane} input[type=range]").input_value())


def is_at(page, number, pane="axial") -> bool:
    """Whether a pane shows a slice soon."""
    return any(shown_slice(page, pane) == number for _ in range(40))


def whole(page, pane="axial"):
    page.wait_for_timeout(80)
    return page.locator(f".read-pane.{pane} canvas").evaluate(WHOLE)


def changes(page, act, pane="axial") -> bool:
    """Whether the picture is another one soon after a deed."""
    before = whole(page, pane)
    act()
    return any(whole(page, pane) != before for _ in range(40))


def test_a_reader_looks_through_a_ct(page, room, asked, axe):
    enter(page, room, "/read/{ct}")
    assert page.faults == []
    seen_from = viewing_grid(a_tall_chest().grid)
    slices = [round(seen_from.to_index(np.array(center))[0]) for center, _ in BALLS]
    assert is_at(page, slices[1])  # the surest finding

    page.locator("[data-key='1'] .correct-name").click()
    assert is_at(page, slices[0])

    keys = page.keyboard
    page.locator(".read-pane.axial canvas").focus()
    keys.press("h")  # nothing over the image
    lung = seen(page)
    assert changes(page, lambda: keys.press("3"))
    assert page.get_by_role("button", name="Bone").get_attribute("aria-pressed") == "true"
    assert not (seen(page) == lung).all()
    keys.press("1")
    assert (seen(page) == lung).all()

    keys.press("h")
    keys.press("ArrowUp")
    assert is_at(page, slices[0] + 1)
    keys.press("PageDown")
    assert is_at(page, slices[0] - 9)
    page.locator(".read-pane.axial canvas").hover()
    page.mouse.wheel(0, -120)
    assert is_at(page, slices[0] - 7)

    page.locator("[data-key='2'] .correct-name").click()
    slider = page.locator("[data-opacity=labels]")
    assert changes(page, lambda: slider.fill("1"))
    assert changes(page, lambda: page.locator("[data-layer=labels]").uncheck())
    assert changes(page, lambda: page.get_by_label("Slab", exact=True).select_option("40"))

    assert serious_violations(page, axe) == []
    assert asked == {urlsplit(room.url).netloc}
    assert page.faults == []


def test_lengths_and_places_are_those_of_the_patient(page, room):
    """By hand: the pane of one plane shows 192 mm from side to side, fitted to its height."""
    enter(page, room, "/read/{ct}")
    box = page.locator(".read-pane.axial canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.get_by_role("button", name="Measure a length").click()
    page.mouse.move(x - 90, y)
    page.mouse.down()
    page.mouse.move(x + 90, y + 120, steps=3)
    page.mouse.up()
    source = page.locator("script[src*='read/main.js']").get_attribute("src")
    told = page.evaluate(
        """async source => {
          const { page: { view } } = await import(source);
          return { lengths: view.hands.lengths.map((l) => view.hands.millimetres(l)),
            back: view.toIndex(view.toMm([3, 5, 7])), mm: view.toMm(view.cross),
            value: view.valueAt(view.cross) };
        }""",
        source,
    )
    fitted = 192 / min(box["width"], box["height"])  # mm of one pixel on the screen
    assert told["lengths"] == [pytest.approx(np.hypot(180, 120) * fitted, rel=0.01)]
    assert np.allclose(told["mm"], SECOND, atol=1.1)
    assert np.allclose(told["back"], [3, 5, 7])
    assert told["value"] == "30 HU"


def test_what_the_network_went_by_is_a_layer_in_all_planes(page, room, axe):
    wanted: list[str] = []
    page.on("request", lambda request: wanted.append(urlsplit(request.url).path))
    enter(page, room, "/read/{ct}")
    layer = page.locator("[data-layer=heat]")
    assert not layer.is_checked()
    assert not any(path.endswith("/heat.gz") for path in wanted)

    assert changes(page, layer.check)
    assert sum(path.endswith("/heat.gz") for path in wanted) == 1
    assert page.locator(".read-ramp").inner_text().startswith("less")
    page.locator("[data-layer=labels]").uncheck()
    for pane, name in (("axial", "Axial"), ("coronal", "Coronal"), ("sagittal", "Sagittal")):
        page.get_by_role("button", name=name, exact=True).click()
        assert changes(page, layer.uncheck, pane), pane
        assert changes(page, layer.check, pane), pane
        assert changes(page, lambda: page.locator("[data-opacity=heat]").fill("1"), pane)
        page.locator("[data-opacity=heat]").fill("0.6")

    page.get_by_role("button", name="Axial", exact=True).click()
    page.locator("[data-key='1'] .correct-name").click()
    layer.uncheck()
    assert changes(page, layer.check)  # that of the finding that was jumped to
    assert serious_violations(page, axe) == []
    assert page.faults == []


def test_a_viewer_finds_places_but_corrects_nothing(page, room):
    enter(page, room, "/read/{ct}", Role.VIEWER)
    assert page.locator("#correct").inner_text() == ""
    page.locator(".read-findings [data-key='1'] button").click()
    assert is_at(page, round(viewing_grid(a_tall_chest().grid).to_index(np.array(FIRST))[0]))
    assert page.faults == []


def test_without_niivue_slices_are_shown_and_3d_says_what_is_missing(page, room):
    enter(page, room, "/read/{ct}")
    page.get_by_role("button", name="3-D", exact=True).click()
    assert "medloop viewer install niivue" in page.locator(".read-note").inner_text()
    page.get_by_role("button", name="Coronal", exact=True).click()
    assert seen(page, pane="coronal").max() > 0


def test_niivue_turns_the_volume(page, room, tmp_path):
    try:
        package = fetch(tmp_path, niivue.NIIVUE)
    except ServiceError as error:
        pytest.skip(f"NiiVue cannot be fetched: {error}")
    niivue.install(room.context.store.root, source=package)
    enter(page, room, "/read/{ct}")
    page.get_by_role("button", name="3-D", exact=True).click()
    page.wait_for_selector(".read-pane.space[data-ready=yes]", timeout=LONG_MS)
    page.get_by_label("Rendering").select_option("ct_surface")
    page.wait_for_timeout(500)
    first = page.locator(".read-space").screenshot()
    page.get_by_role("button", name="Look from S").click()
    page.wait_for_timeout(500)
    assert page.locator(".read-space").screenshot() != first
    assert page.faults == []


def test_a_side_in_3d_is_that_side(page, room, tmp_path):
    try:
        package = fetch(tmp_path, niivue.NIIVUE)
    except ServiceError as error:
        pytest.skip(f"NiiVue cannot be fetched: {error}")
    niivue.install(room.context.store.root, source=package)
    enter(page, room, "/read/{ct}")
    page.evaluate(BALL_AT_THE_RIGHT_FRONT)
    page.wait_for_selector("#sides .space[data-ready=yes]", timeout=LONG_MS)
    # From the front the patient's right is on the left; from the right, the front is.
    for side, is_on_the_left in (("A", True), ("R", False), ("P", False), ("L", True)):
        page.locator("#sides").get_by_role("button", name=f"Look from {side}").click()
        page.wait_for_timeout(400)
        shot = Image.open(BytesIO(page.locator("#sides canvas").screenshot())).convert("RGB")
        bright = np.asarray(shot).min(axis=2)[:400] > 140  # above the cube
        places = np.nonzero(bright)[1] / bright.shape[1]
        assert (np.median(places) < 0.5) == is_on_the_left, side
    assert page.faults == []


def test_a_photograph_is_enlarged_and_overlaid(page, room, axe):
    enter(page, room, "/read/{photo}")
    assert changes(page, lambda: page.locator("[data-layer=heat]").check(), "picture")
    opacity = page.locator("[data-opacity=heat]")
    assert changes(page, lambda: opacity.fill("0.2"), "picture")
    jump = page.locator("[data-key='2'] .correct-name")
    assert changes(page, jump.click, "picture")
    assert changes(page, lambda: page.keyboard.press("f"), "picture")
    assert serious_violations(page, axe) == []
    assert page.faults == []
