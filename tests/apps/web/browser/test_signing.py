"""A reader reports and signs in a browser."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from medloop.apps.site import OpenIdSettings, Site, UserSettings, WebSettings
from medloop.apps.web.context import make_context
from medloop.store.reading import Meaning
from medloop.store.users import Role
from tests.apps.web.browser.axe import serious_violations
from tests.apps.web.browser.room import PASSWORD, Room, serving
from tests.apps.web.nodes import NoInlet, node_of
from tests.apps.web.provider import CLIENT, SECRET, running
from tests.peers import free_port
from tests.workflow.read_cases import READER, a_read_ct, read
from tests.workflow.signing import issued

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LONG_MS = 60_000


@pytest.fixture
def room(store, site, clock, tmp_path, password_hash) -> Iterator[Room]:
    context = make_context(store, site, NoInlet(), now=clock)
    context.users.add(READER, Role.READER, now=clock(), password=password_hash)
    ct = a_read_ct(store, tmp_path / "ct", now=clock())
    with serving(node_of(context, clock).app) as url:
        yield Room(url, context, {"ct": str(ct.id)})


@pytest.fixture
def opened(room, page):
    """The reading page of the CT, with its report."""
    context = room.context
    user, now = context.users.find(READER), context.now()
    secret = context.sessions.begin(user, now=now, lasts=timedelta(hours=1))
    page.context.add_cookies([{"name": "medloop", "value": secret, "url": room.url}])
    page.goto(room.address("/read/{ct}?lang=en"))
    page.locator(".report-sentences p").first.wait_for(timeout=LONG_MS)
    return page


def headline(page):
    return page.locator(".report-headline")


def test_a_report_is_written_looked_at_signed_and_issued(opened, room, axe):
    page, store = opened, room.context.store
    assert headline(page).inner_text().startswith("2 nodules")
    page.get_by_role("button", name="Write my own").click()
    page.locator("#report-own").fill("Two nodules; control in 3 months.")
    page.locator(".report-saved", has_text="Saved").wait_for()
    page.locator("#report-own").blur()
    page.keyboard.press("j")
    page.keyboard.press("r")
    page.locator(".report-headline", has_text="One nodule").wait_for()
    page.locator("#report-stale").wait_for()

    page.get_by_role("button", name="Preview").click()
    sheet = page.frame_locator(".report-frame")
    sheet.locator(".unsigned").wait_for(timeout=LONG_MS)
    assert "control in 3 months" in sheet.locator(".verdict").inner_text()
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Sign…").click()
    dialog = page.locator("dialog.report-sign-dialog")
    dialog.wait_for()
    wrong = serious_violations(page, axe)
    for _ in range(12):
        page.keyboard.press("Tab")
    inside = (
        "document.activeElement === document.body || document.activeElement.closest('dialog')"
    )
    assert page.evaluate(f"Boolean({inside})"), "focus left the dialog"
    dialog.get_by_label("Your password").fill("not mine")
    dialog.get_by_role("button", name="Sign").click()
    dialog.get_by_role("alert").wait_for()
    assert "Nothing was signed" in dialog.get_by_role("alert").inner_text()
    dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign").click()
    page.locator(".report-entry").wait_for()

    (reading,) = store.readings.of_job(int(room.facts["ct"]))
    (version,) = store.readings.versions(reading.id)
    assert (version.meaning, version.signer) == (Meaning.FINAL, READER)
    assert issued(store, now=room.context.now()) == 1
    page.locator(".report-entry[data-state=done]").wait_for(timeout=LONG_MS)
    links = page.locator(".report-files a").all_inner_texts()
    assert {"SR", "SEG"} <= set(links)
    assert wrong + page.faults == []


def test_what_has_changed_since_is_not_signed_and_the_page_says_so(opened, room):
    page, store = opened, room.context.store
    page.get_by_role("button", name="Sign…").click()
    dialog = page.locator("dialog.report-sign-dialog")
    dialog.get_by_label("Your password").fill(PASSWORD)
    main = "document.querySelector('script[src*=\"read/main.js\"]').src"
    page.evaluate(
        f"async () => (await import({main})).page.correct.session.assess('Lung-RADS', '4B')"
    )
    dialog.get_by_role("button", name="Sign").click()
    dialog.get_by_role("alert").wait_for()
    assert "look at it again, then sign" in dialog.get_by_role("alert").inner_text()
    (reading,) = store.readings.of_job(int(room.facts["ct"]))
    assert len(store.readings.versions(reading.id)) == 0


def test_what_contradicts_is_named_where_one_signs(opened, room, axe):
    page, store = opened, room.context.store
    job = store.jobs.get(int(room.facts["ct"]))
    gone = (("reject", n, None) for n in "12")
    read(store, job, *gone, ("assess", "Lung-RADS", "4B"), now=room.context.now())
    page.reload()
    page.locator(".report-alert", has_text="no nodule is listed").wait_for(timeout=LONG_MS)
    page.get_by_role("button", name="Sign…").click()
    dialog = page.locator("dialog.report-sign-dialog")
    dialog.locator(".notice", has_text="no nodule is listed").wait_for()
    assert serious_violations(page, axe) + page.faults == []


@pytest.fixture
def provider(clock):
    with running(clock) as started:
        yield started


@pytest.fixture
def hospital(store, provider, clock, tmp_path) -> Iterator[Room]:
    """A room whose readers come in by a provider."""
    (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    port = free_port()
    openid = OpenIdSettings(
        provider.issuer,
        CLIENT,
        client_secret_file=tmp_path / "secret",
        roles={"radiology": "reader"},
    )
    web = WebSettings(port=port, url=f"http://127.0.0.1:{port}")
    site = Site(web=web, users=UserSettings(openid=openid))
    context = make_context(store, site, NoInlet(), now=clock)
    ct = a_read_ct(store, tmp_path / "ct", now=clock())
    with serving(node_of(context, clock).app, port) as url:
        yield Room(url, context, {"ct": str(ct.id)})


def test_who_came_in_by_a_provider_signs_by_signing_in_there_anew(
    hospital, provider, page, axe
):
    page.goto(hospital.address("/login/openid?next=/read/{ct}"))
    sign = page.get_by_role("button", name="Sign…")
    sign.click(timeout=LONG_MS)
    dialog = page.locator("dialog.report-sign-dialog")
    dialog.wait_for()
    assert dialog.locator("input[type=password]").count() == 0
    wrong = serious_violations(page, axe)
    provider.claims["auth_time"] = 1
    dialog.get_by_role("button", name="Sign in and sign").click()
    page.get_by_role("heading", name="Nothing was signed").wait_for(timeout=LONG_MS)
    wrong += serious_violations(page, axe)
    page.get_by_role("link", name="Back to the report").click()

    del provider.claims["auth_time"]
    sign.click(timeout=LONG_MS)
    dialog.get_by_role("button", name="Sign in and sign").click()
    page.locator(".report-entry").wait_for(timeout=LONG_MS)
    page.locator("#status", has_text="Signed: version 1").wait_for()
    assert "signed=" not in page.url
    (reading,) = hospital.context.store.readings.of_job(int(hospital.facts["ct"]))
    (version,) = hospital.context.store.readings.versions(reading.id)
    assert version.signer == "li"
    assert wrong + page.faults == []
