"""A day of a node: images dropped in, read, corrected and signed; read apart and decided.

One node with its processes, a PACS and a browser for each person; nobody loads a page again,
and the PACS is asked itself what arrived.
"""

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from medloop.apps.demo import write_photographs
from medloop.dicom.read_results import read_sr_values
from medloop.store.users import Role
from tests.apps.web.browser.axe import serious_violations
from tests.apps.web.browser.day import (
    ANALYZED_MS,
    BALLS,
    FILES,
    SCALE,
    a_node_with,
    drop,
    sign_in,
    write_chest,
)
from tests.apps.web.browser.opened import (
    beside,
    click,
    findings,
    jump_to,
    loses_voxels,
    reading,
    saved,
    voxels,
)
from tests.apps.web.browser.room import PASSWORD
from tests.nodes import pacs_section
from tests.peers import orthanc

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
for extra in ("skimage", "argon2", "uvicorn", "pynetdicom", "httpx"):
    pytest.importorskip(extra)
LONG_MS = 60_000
USERS = {"chief": Role.ADMINISTRATOR, "li": Role.READER, "wang": Role.READER}
SETTINGS = "[receive]\nquiet_s = 1\n[reading]\nreaders_of = { retina = 2 }\n"


@pytest.fixture(scope="module")
def pacs(tmp_path_factory):
    with orthanc(tmp_path_factory.mktemp("pacs")) as started:
        yield started


@pytest.fixture(scope="module")
def hospital(pacs, tmp_path_factory):
    """The node, whose users are there and whose results go to the PACS."""
    settings = SETTINGS + pacs_section("pacs", pacs.dicom_port, pacs.aet)
    with a_node_with(USERS, tmp_path_factory.mktemp("day"), settings) as started:
        yield started


@pytest.fixture
def person(hospital, another_page):
    """Let somebody sign in, in a browser of their own."""

    def enter(name, path="/"):
        page = another_page()
        page.set_default_timeout(ANALYZED_MS)  # other work may keep the machine busy
        page.goto(hospital.url + path)
        sign_in(page, name)
        return page

    return enter


def test_from_dropped_images_to_what_was_signed_and_decided(
    hospital, person, pacs, axe, tmp_path
):
    li = person("li")
    chest, eye = bring_in(li, axe, tmp_path)
    find_by_keys(li)
    study = open_by_keys(li, chest)
    rejected, added = correct(li)
    sign(li)
    verified = signed_in(pacs, study)
    assert verified.VerifyingObserverSequence[0].VerifyingObserverName == "li"
    told, _ = read_sr_values(verified)
    places = np.array([each.center_lps_mm for each in told])
    assert (np.linalg.norm(places - added, axis=1) < 0.01).sum() == 1
    assert (np.linalg.norm(places - rejected, axis=1) > 1).all()

    first = read_apart(li, hospital.url + eye, "accept", ICDR="3")
    wang, chief = person("wang"), person("chief")
    is_blind(wang, hospital.url, first)
    read_apart(wang, hospital.url + eye, "reject", ICDR="2")
    decide(chief)
    assert li.faults + wang.faults + chief.faults == []


def bring_in(page, axe, folder):
    """Drop a photograph and choose a folder of CT; return their rows once both are analyzed."""
    page.get_by_role("heading", name="No studies yet").wait_for()
    assert serious_violations(page, axe) == []
    page.evaluate("() => { window.isTheFirst = true }")
    photograph, _ = write_photographs(folder)
    drop(page, photograph)
    page.get_by_text("Files sent: 1, studies: 1").wait_for(timeout=LONG_MS)
    page.locator("#add-folder").set_input_files(write_chest(folder / "ct"))
    page.get_by_text(f"Files sent: {FILES}, studies: 1").wait_for(timeout=LONG_MS)
    page.get_by_role("link", name="All").click()
    chest = page.locator("#list tr", has_text="WANG")
    chest.locator(".chip.busy progress").wait_for(timeout=ANALYZED_MS)
    chest.locator("a.chip", has_text="Lung nodules").wait_for(timeout=ANALYZED_MS)
    eye = page.locator("#list tr", has_text="Retina")
    expect(eye.locator("a.chip", has_text="ICDR")).to_be_visible(timeout=ANALYZED_MS)
    assert page.evaluate("() => window.isTheFirst"), "the page was loaded again"
    return chest, eye.locator("a.chip").get_attribute("href")


def find_by_keys(page):
    """Search, and be told of the keys, without a mouse; words stay out of the address."""
    page.keyboard.press("/")
    page.keyboard.type("wang")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    assert "wang" not in page.url
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#list tbody tr")).to_have_count(2)


def open_by_keys(page, row):
    """Go to a study by its row, take its SR away, and read its result; return its UID."""
    for key in "jjk":
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.className") == "open"
    row.locator("a.open").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/studies/*")
    study = page.url.rpartition("/")[2]
    assert page.locator("img.thumb").first.evaluate("image => image.decode().then(() => true)")
    with page.expect_download() as got:
        page.get_by_role("link", name="SR").click()
    assert got.value.suggested_filename.endswith("sr.dcm")
    page.get_by_role("link", name="Read", exact=True).click()
    page.locator("#reading[data-ready=all]").wait_for(timeout=LONG_MS)
    return study


def correct(page):
    """Correct the chest; return where the rejected and the added finding are, mm."""
    first, _, *others = findings(page)
    jump_to(page, first)
    truth = np.array(BALLS[0].center_mm) * SCALE
    assert np.allclose(first["center_lps_mm"], truth, atol=2)
    before = voxels(page, first["segment"])
    page.keyboard.press("b")
    click(page, beside(page, first, mm=9))
    painted = voxels(page, first["segment"])
    assert painted > before
    saved(page)
    page.keyboard.press("c")
    page.get_by_label("A click marks").select_option("out")
    with page.expect_response("**/refine") as refined:
        click(page, beside(page, first, mm=9))
    assert refined.value.ok
    loses_voxels(page, first["segment"], painted)
    saved(page)
    page.keyboard.press("Escape")
    jump_to(page, others[-1])
    page.keyboard.press("r")
    page.locator(".correct-finding.rejected").wait_for()
    page.keyboard.press("n")
    click(page, beside(page, first, mm=25))
    page.locator(".correct-form").get_by_role("button", name="Save").click()
    page.locator("[data-key=a1]").wait_for()
    return others[-1]["center_lps_mm"], findings(page)[-1]["center_lps_mm"]


def sign(page):
    """Look at the report, then sign it as final, and see that it has arrived."""
    page.get_by_role("button", name="Preview").click()
    sheet = page.frame_locator(".report-frame")
    sheet.locator(".unsigned").wait_for(timeout=LONG_MS)
    assert "rejected" in sheet.locator("body").inner_text()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Sign…").click()
    dialog = page.locator("dialog.report-sign-dialog")
    dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign").click()
    entry = page.locator(".report-entry[data-state=done]", has_text="pacs")
    expect(entry.locator(".badge", has_text="pacs")).to_have_class(
        "badge ok", timeout=ANALYZED_MS
    )


def signed_in(pacs, study):
    """The one verified report that the PACS has, which is of the study."""
    verified = []
    for name in pacs.get("/instances"):
        tags = pacs.get(f"/instances/{name}/simplified-tags")
        if tags["Modality"] == "SR" and tags["VerificationFlag"] == "VERIFIED":
            verified.append(name)
    (name,) = verified
    found = dcmread(BytesIO(pacs.ask("GET", f"/instances/{name}/file").content))
    assert found.StudyInstanceUID == study
    return found


def read_apart(page, address, verdict, **grades):
    """Read a photograph, judge its first finding, grade it, hand it in; return the reading."""
    page.goto(address)
    page.locator("#reading[data-ready=all]").wait_for(timeout=LONG_MS)
    expect(page.get_by_role("button", name="Sign…")).to_be_disabled()
    page.locator("[data-key='1'] .correct-name").click()
    page.keyboard.press(verdict[0])
    page.locator(f".correct-finding.{verdict}ed").wait_for()
    for name, grade in grades.items():
        page.locator(f"[data-scale={name}]").select_option(grade)
    number = reading(page)["id"]
    page.get_by_role("button", name="Hand in").click()
    page.get_by_role("button", name="Hand in for good").click()
    page.wait_for_url("**/adjudicate/*")
    return number


def is_blind(page, url, number):
    """Nothing of the first reading is shown to whoever reads second."""
    assert page.request.get(f"{url}/api/readings/{number}").status == 403
    page.get_by_role("link", name="Agreement").click()
    page.get_by_text("1 of 2 in").wait_for()
    assert page.get_by_role("link", name="Adjudicate").count() == 0


def decide(page):
    """See in what they differ, take a side each, hand it in; agreement has figures."""
    page.get_by_role("link", name="Agreement").click()
    page.get_by_role("link", name="Adjudicate").click()
    expect(page.locator(".apart-differs")).to_have_count(2)  # the grade, the finding
    page.get_by_role("button", name="Take ICDR li").click()
    page.get_by_role("button", name="Take 1 wang").click()
    page.get_by_role("button", name="Hand the decision in").click()
    page.get_by_text("Decided by chief").wait_for()
    page.get_by_role("link", name="Agreement").click()
    row = page.locator(".agree-figures tr", has_text="Findings: positive agreement").first
    assert 0 < float(row.locator("td.number b").inner_text()) < 1


def test_signing_out_and_a_server_that_is_gone_are_told(hospital, person):
    page = person("li")
    page.route("**/worklist", lambda route: route.abort())
    page.get_by_text("The server does not answer").wait_for(timeout=30_000)
    page.unroute("**/worklist")
    page.locator("details.menu", has_text="li").last.locator("summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    page.goto(f"{hospital.url}/studies/1.2.3")
    assert page.url.endswith("/login?next=/studies/1.2.3")
