"""Every page in both languages and both themes: usable by everybody, and kept as a picture."""

from pathlib import Path

import pytest

from tests.apps.web.browser.axe import serious_violations
from tests.apps.web.browser.looks import PAGES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SHOTS = Path(__file__).parents[4] / "build" / "screenshots"
TABLET = {"width": 820, "height": 1180}


@pytest.mark.parametrize("look", PAGES, ids=lambda look: look.name)
def test_a_page_is_usable_in_both_languages_and_themes(room, page, axe, look):
    SHOTS.mkdir(parents=True, exist_ok=True)
    if look.role is not None:
        page.context.add_cookies([room.session(look.role)])
    address = room.address(look.path)
    sign = "&" if "?" in address else "?"
    wrong = []
    for language, theme in (("en", "light"), ("en", "dark"), ("zh", "light"), ("zh", "dark")):
        page.goto(f"{address}{sign}lang={language}&theme={theme}")
        page.locator(look.wait).first.wait_for()
        page.screenshot(path=SHOTS / f"{look.name}-{language}-{theme}.png", full_page=True)
        if language == "en":  # colors do not depend on the language
            wrong += [f"{theme}: {each}" for each in serious_violations(page, axe)]
    page.set_viewport_size(TABLET)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        wrong.append("a tablet has to scroll sideways")
    page.screenshot(path=SHOTS / f"{look.name}-tablet.png", full_page=True)
    assert wrong + page.faults == []
