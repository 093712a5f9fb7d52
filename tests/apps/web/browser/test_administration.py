"""An administrator goes through the pages and does what they are for, scripts or not."""

import pytest

from medloop.store import JobState
from medloop.store.users import Role
from tests.apps.web.browser.room import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def hurry(room):
    """Let one more job wait; return its number."""
    store, study = room.context.store, room.facts["study"]
    store.jobs.add(study, "head_neck", ["1.2.3"], now=room.context.now())
    return max(job.id for job in store.jobs.all())


def test_an_administrator_walks_through_the_pages(room, page):
    room.enter(page, Role.ADMINISTRATOR)
    failed, store = int(room.facts["failed"]), room.context.store

    page.get_by_role("link", name="Jobs").click()
    page.get_by_role("link", name="failed").click()
    assert page.get_by_text("slice gap 3.00 mm exceeds 2 mm").is_visible()
    page.get_by_role("button", name=f"Retry job {failed}").click()
    assert page.get_by_text("The job waits again.").is_visible()
    assert store.jobs.get(failed).state is JobState.WAITING
    page.get_by_label("Priority").fill("5")
    page.get_by_role("button", name="Set").click()
    assert store.jobs.get(failed).priority == 5

    page.get_by_role("link", name="Models").click()
    page.get_by_role("link", name="retina_grading").click()
    assert page.get_by_text("diagnosis or treatment without a qualified reader").is_visible()
    assert page.locator("svg.strip").count() > 10

    page.get_by_role("link", name="Audit trail").click()
    page.get_by_label("Did").fill("job retried")
    page.get_by_role("button", name="Show").click()
    assert page.locator("tbody tr").count() == 1
    page.get_by_role("button", name="Check the chain now").click()
    assert page.get_by_text("The chain is whole").is_visible()
    with page.expect_download() as taken:
        page.get_by_role("button", name="These rows as CSV").click()
    assert "job retried" in taken.value.path().read_text(encoding="utf-8-sig")

    page.get_by_role("link", name="System").click()
    assert page.locator("svg.plot").count() == 5
    page.get_by_role("link", name="Destinations").click()
    assert page.get_by_text("No destination is set up").is_visible()
    assert page.faults == []


def test_somebody_is_added_and_chooses_a_password(room, page, chromium):
    room.enter(page, Role.ADMINISTRATOR)
    page.get_by_role("link", name="Users").click()
    page.get_by_label("Name", exact=True).fill("li")
    page.get_by_label("Role").select_option("reader")
    page.get_by_role("button", name="Add a user").click()
    once = page.locator("#secret").inner_text()
    own = f"{PASSWORD} island"
    with chromium.new_context(java_script_enabled=False) as plain:
        other = plain.new_page()
        other.goto(room.address("/login?next=/jobs"))
        other.get_by_label("Name", exact=True).fill("li")
        other.get_by_label("Password").fill(once)
        other.get_by_role("button", name="Sign in").click()
        other.get_by_label("The password you were given").fill(once)
        other.get_by_label("Your new password").fill(own)
        other.get_by_label("Once more").fill(own)
        other.get_by_role("button", name="Choose and sign in").click()
        other.wait_for_url("**/jobs")
        assert other.get_by_role("link", name="Users").count() == 0
    assert page.faults == []


def test_forms_work_without_scripts_and_the_list_of_jobs_renews_itself(room, page, chromium):
    number = hurry(room)
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])
    page.goto(room.address("/jobs?state=waiting"))
    assert page.get_by_role("button", name=f"Cancel job {number}").is_visible()
    with chromium.new_context(java_script_enabled=False) as plain:
        plain.add_cookies([room.session(Role.ADMINISTRATOR)])
        other = plain.new_page()
        other.goto(room.address("/jobs"))
        other.get_by_role("button", name=f"Cancel job {number}").click()
        assert other.get_by_text("The job was canceled.").is_visible()
    gone = page.get_by_role("button", name=f"Cancel job {number}")
    gone.wait_for(state="detached", timeout=15_000)
    assert page.faults == []


@pytest.mark.parametrize(("language", "said"), [("en", "may be old"), ("zh", "会话已结束")])
def test_a_page_that_renews_itself_says_when_the_session_has_ended(room, page, language, said):
    cookie = room.session(Role.ADMINISTRATOR)
    page.context.add_cookies([cookie])
    page.goto(room.address(f"/jobs?state=failed&lang={language}"))
    page.context.clear_cookies()
    page.locator("#status", has_text=said).wait_for(timeout=15_000)
    assert page.url.startswith(f"{room.url}/jobs"), "the page was left unasked"
    page.context.add_cookies([cookie])  # signed in beside it
    page.locator("#status", has_text=said).wait_for(state="hidden", timeout=15_000)
    page.context.clear_cookies()
    page.locator("#status a").click(timeout=15_000)
    page.wait_for_url("**/login?next=%2Fjobs%3Fstate%3Dfailed*")
    assert page.faults == []


def test_a_page_that_renews_itself_says_when_the_server_is_gone(room, page):
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])
    page.goto(room.address("/system"))
    page.route("**/system", lambda route: route.abort())
    page.locator("#status", has_text="The server does not answer").wait_for(timeout=30_000)
    page.unroute("**/system")
    page.locator("#status", has_text="does not answer").wait_for(state="hidden")


# A folder whose entries cannot be read, as a share that went away.
LOST_FOLDER = """() => {
  const entry = {
    isDirectory: true,
    createReader: () => ({ readEntries: (_, no) => no(new DOMException("gone")) }),
  };
  const event = new Event("drop", { bubbles: true, cancelable: true });
  const items = [{ webkitGetAsEntry: () => entry }];
  event.dataTransfer = { types: ["Files"], files: [], items };
  document.body.dispatchEvent(event);
}"""
IS_UNSAVED = """async () => {
  const main = document.querySelector('script[src*="worklist.js"]').src;
  return (await import(main.replace("worklist.js", "unsaved.js"))).isAnythingUnsaved();
}"""


def test_a_folder_that_cannot_be_read_is_told_and_sending_is_not_left_unasked(room, page):
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])
    page.goto(f"{room.url}/?lang=en")
    page.evaluate(LOST_FOLDER)
    page.get_by_text("The folder could not be read").wait_for()
    held = []

    def hold(route):
        held.append(route)

    page.route("**/api/uploads", hold)
    told = {"name": "a.png", "mimeType": "image/png", "buffer": b"x"}
    page.locator("#add-files").set_input_files(told)
    page.get_by_text("Sending 0 of 1").wait_for()
    assert page.evaluate(IS_UNSAVED)
    held[0].abort()
    page.get_by_text("Sending stopped").wait_for()
    assert not page.evaluate(IS_UNSAVED)


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Study 1 (here already: to read)"), ("zh", "（已存在：待阅片）")],
)
def test_who_drops_a_study_that_is_here_is_told_where_it_stands(
    room, page, tmp_path, language, said
):
    page.context.add_cookies([room.session(Role.ADMINISTRATOR)])
    page.goto(f"{room.url}/?lang={language}")
    page.locator("#add-files").set_input_files(tmp_path / "eye" / "eye.png")
    link = page.locator("#upload-studies a", has_text=said)
    link.click(timeout=30_000)
    page.wait_for_url(f"**/studies/{room.facts['photo_study']}")
    assert page.faults == []
