"""A second reader, and somebody who decides: as people do it, on the pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from medloop.annotation.masks import encode
from medloop.apps.site import ReadingSettings, Site
from medloop.store.reading import Purpose, ReadingState
from medloop.store.users import Role
from medloop.workflow.lightbox import lightbox_of
from medloop.workflow.scene import look_up
from tests.apps.web.browser.axe import serious_violations
from tests.apps.web.browser.test_looks import SHOTS, TABLET

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def site() -> Site:
    return replace(Site(), reading=ReadingSettings(readers=2))


@contextmanager
def somebody(room, page, role: Role) -> Iterator[object]:
    """A page of another person's browser."""
    context = page.context.browser.new_context(viewport={"width": 1400, "height": 900})
    context.add_cookies([room.session(role)])
    opened = context.new_page()
    opened.faults = page.faults
    opened.on("pageerror", lambda error: page.faults.append(str(error)))
    opened.goto(f"{room.url}/agreement")
    try:
        yield opened
    finally:
        context.close()


def send(page, method, path, body=None, kind="application/json"):
    """Send a request as the page's own scripts do."""
    headers = {
        "X-CSRF-Token": page.locator('meta[name="csrf"]').get_attribute("content"),
        "Content-Type": kind,
    }
    url = page.url.split("/agreement")[0] + path
    answer = page.request.fetch(url, method=method, headers=headers, data=body)
    assert answer.ok, answer.text()
    return answer.json()


def read(page, job, edits, mask=None):
    """Read a result and hand it in, on the page where it is read."""
    told = send(page, "POST", f"/api/jobs/{job}/reading", {"purpose": "read"})
    where, number = f"/api/readings/{told['id']}", told["number"]
    for action, target, after in edits:
        sent = {"expected": number, "action": action, "target": target, "after": after}
        number = send(page, "POST", f"{where}/edits", sent)["number"]
    if mask is not None:
        draws = f"{where}/mask?expected={number}"
        send(page, "PUT", draws, mask, "application/octet-stream")
    page.goto(f"{page.url.split('/agreement')[0]}/read/{job}")
    page.get_by_role("button", name="Hand in").click()
    page.get_by_role("button", name="Hand in for good").click()
    page.wait_for_url(f"**/adjudicate/{job}")


def test_a_second_reader_is_blind_and_a_third_person_decides(room, page, axe):
    store, job = room.context.store, int(room.facts["ct"])
    looked = look_up(store, job)
    grid = lightbox_of(store.root).find(looked.study.uid, looked.selection)
    wanted = f"{room.url}/adjudicate/{job}"
    with somebody(room, page, Role.READER) as first:
        if grid is None:  # prepared at the first look
            first.request.get(f"{room.url}/api/jobs/{job}/volume.nii")
            grid = lightbox_of(store.root).find(looked.study.uid, looked.selection)
        labels = np.zeros(grid.grid.shape, np.uint8)
        labels[4:7, 20:30, 20:32] = 1
        read(first, job, [("reject", "2", None)], encode(labels, grid.grid))
        assert "1 of 2 readings are in" in first.locator("main").inner_text()
        number = store.readings.of_job(job)[0].id
    with somebody(room, page, Role.ANNOTATOR) as second:
        assert second.request.get(f"{room.url}/api/readings/{number}").status == 403
        second.goto(wanted)
        said = second.locator("main").inner_text()
        assert "handed in" in said
        assert "rejected" not in said
        second.goto(f"{room.url}/agreement")
        grade = ("assess", "Lung-RADS", "4B")
        shifted = np.roll(labels, 6, axis=2)
        read(second, job, [("accept", "1", None), grade], encode(shifted, grid.grid))
    decide(room, page, axe, wanted)
    decided = [
        each for each in store.readings.of_job(job) if each.purpose is Purpose.ADJUDICATE
    ]
    assert [(each.reader, each.state) for each in decided] == [
        (f"a-{Role.ADMINISTRATOR}", ReadingState.DONE)
    ]
    actions = [each.action for each in store.readings.edits(decided[0].id)]
    assert actions == ["assess", "reject", "mask"]
    assert page.faults == []


def decide(room, page, axe, wanted) -> None:
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])
    page.goto(f"{room.url}/agreement")
    page.get_by_role("link", name="Adjudicate").click()
    page.wait_for_url(wanted)
    picture = page.locator("#difference img")
    before = picture.get_attribute("src")
    page.get_by_role("button", name="Next that differs").click()
    assert picture.get_attribute("src") != before
    shoot(page, wanted, "adjudicate", axe)
    page.goto(wanted)
    page.get_by_role("button", name="Take Lung-RADS a-annotator").click()
    page.get_by_role("button", name="Take 2 a-reader").click()
    page.get_by_role("button", name="Take a-annotator", exact=True).click()
    assert page.get_by_text("taken").count() >= 3
    shoot(page, wanted, "adjudicated", axe)
    page.goto(f"{wanted}?lang=en&theme=light")
    page.get_by_role("button", name="Hand the decision in").click()
    page.get_by_text("Decided by a-administrator").wait_for()
    shoot(page, f"{room.url}/agreement", "agreement", axe)
    page.goto(f"{room.url}/agreement?lang=en&theme=light")
    assert "adjudicated" in page.locator("main").inner_text()


def shoot(page, address, name, axe) -> None:
    """Keep a page as pictures, and see that everybody can use it."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    wrong = []
    for language, theme in (("en", "light"), ("zh", "dark"), ("en", "dark"), ("zh", "light")):
        page.goto(f"{address}?lang={language}&theme={theme}")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=SHOTS / f"{name}-{language}-{theme}.png", full_page=True)
        wrong += [f"{theme}: {each}" for each in serious_violations(page, axe)]
    usual = page.viewport_size
    page.set_viewport_size(TABLET)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        wrong.append("a tablet has to scroll sideways")
    page.screenshot(path=SHOTS / f"{name}-tablet.png", full_page=True)
    page.set_viewport_size(usual)
    page.goto(f"{address}?lang=en&theme=light")
    assert wrong == []


def test_who_knows_what_the_others_say_sees_a_reading_that_is_read_only(room, page):
    store, job = room.context.store, int(room.facts["ct"])
    with somebody(room, page, Role.READER) as late:
        own = send(late, "POST", f"/api/jobs/{job}/reading", {"purpose": "read"})
        for name in ("li", "wang"):
            reading = store.readings.open(job, name, now=room.context.now())
            store.readings.hand_in(reading.id, now=room.context.now())
        late.goto(f"{room.url}/adjudicate/{job}")
        late.goto(f"{room.url}/read/{job}?lang=en")
        late.get_by_text("this reading stays as it is. You may decide").wait_for()
        late.get_by_text("cannot hand this reading in any more").wait_for()
        assert late.get_by_role("button", name="Hand in").count() == 0
        assert late.locator("[data-tool=brush]").is_disabled()
        assert late.locator(".correct-small button").is_disabled()
        assert store.readings.get(own["id"]).number == 0
