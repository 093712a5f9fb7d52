"""The viewer's files are served, and nothing beside them."""

import pytest

from medloop.apps.web import viewer
from medloop.apps.web.viewer import viewer_link
from tests.apps.web.nodes import AWAY, node_of


@pytest.fixture
def served(context, clock, store):
    home = store.root / "viewer"
    (home / "assets").mkdir(parents=True)
    (home / "index.html").write_text("the page")
    (home / "app.bundle.1a.js").write_text("script")
    (home / "assets" / "a.wasm").write_bytes(b"\0asm")
    (store.root / "viewer.secret").write_text("secret")
    (home / "link.js").symlink_to(store.root / "viewer.secret")
    return node_of(context, clock, (viewer.router,))


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("/viewer/", "the page", "text/html; charset=utf-8"),
        ("/viewer/viewer?StudyInstanceUIDs=1.2", "the page", "text/html; charset=utf-8"),
        ("/viewer/app.bundle.1a.js", "script", "text/javascript; charset=utf-8"),
        ("/viewer/assets/a.wasm", "\0asm", "application/wasm"),
    ],
)
def test_files_and_pages_are_served(served, path, text, kind):
    answer = served.client().get(path)
    assert (answer.status_code, answer.text) == (200, text)
    assert answer.headers["content-type"] == kind


@pytest.mark.parametrize(
    "path",
    [
        "/viewer/../medloop.db",
        "/viewer/..%2fmedloop.db",
        "/viewer/%2e%2e/medloop.db",
        "/viewer/..%5cmedloop.db",
        "/viewer//etc/passwd.d",
        "/viewer/link.js",
        "/viewer/assets/../../viewer.secret",
        "/viewer/../viewer.secret",
        "/viewer/..%2fviewer.secret",
        "/viewer/none.js",
        "/viewer/a%00.js",
    ],
)
def test_nothing_else_is(served, path):
    answer = served.client().get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_its_policy_lets_nothing_in_from_elsewhere(served):
    policy = served.client().get("/viewer/").headers["content-security-policy"]
    assert "http" not in policy
    assert "script-src 'self' 'unsafe-eval';" in policy
    assert "'unsafe-inline'" not in policy.replace("style-src 'self' 'unsafe-inline'", "")


def test_pages_are_asked_for_anew_and_scripts_are_kept_a_while(served):
    page = served.client().get("/viewer/").headers["cache-control"]
    script = served.client().get("/viewer/app.bundle.1a.js").headers["cache-control"]
    assert (page, script) == ("private, no-cache", "private, max-age=86400")


def test_strangers_are_sent_away(served):
    assert served.client(at=AWAY).get("/viewer/").status_code == 401


def test_without_a_viewer_it_says_how_to_get_one(context, clock):
    answer = node_of(context, clock, (viewer.router,)).client().get("/viewer/")
    assert answer.status_code == 404
    assert "medloop viewer install" in answer.text


def test_a_link_opens_a_study():
    assert viewer_link("1.2.3") == "/viewer/viewer?StudyInstanceUIDs=1.2.3"
