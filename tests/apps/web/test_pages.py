"""What stands around every page: language, theme, navigation, texts, static files."""

import re
from pathlib import Path

import pytest

from medloop.apps.web import static_files, texts
from medloop.apps.web.static_files import FOLDER, static_address
from medloop.store.users import Role
from tests.apps.web.nodes import AWAY

WEB = Path(texts.__file__).parents[1]
SAID = re.compile(r"""\bt\(\s*["']([\w.-]+)["']\s*[,)]""")


def page(node, path="/login", **headers):
    return node.client(Accept="text/html", **headers).get(path)


@pytest.mark.parametrize(
    ("path", "accepted", "lang"),
    [
        ("/login", "", "en"),
        ("/login", "zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("/login", "fr,zh;q=0.5", "zh-Hans"),
        ("/login?lang=en", "zh-CN", "en"),
        ("/login?lang=xx", "zh-CN", "zh-Hans"),
    ],
)
def test_the_language_is_what_was_chosen_or_what_the_browser_wants(node, path, accepted, lang):
    assert f'<html lang="{lang}"' in page(node, path, Accept_Language=accepted).text


def test_what_was_chosen_is_kept(node):
    client = node.client(Accept="text/html")
    client.get("/login?lang=zh&theme=dark")
    answer = client.get("/login")
    assert 'lang="zh-Hans" data-theme="dark"' in answer.text
    assert "登录" in answer.text
    assert answer.headers["content-language"] == "zh"


def test_the_way_to_another_language_keeps_the_rest_of_the_address(node):
    assert 'href="?next=%2Fjobs&amp;lang=zh"' in page(node, "/login?next=/jobs").text


def test_the_header_leads_where_one_may_go(node):
    def leads(role):
        told = node.program(role).get("/jobs", headers={"Accept": "text/html"}).text
        return set(re.findall(r'<li><a href="(/\w*)"', told))

    assert "/" in leads(Role.READER)
    assert leads(Role.READER) < leads(Role.ADMINISTRATOR)
    assert "/users" not in leads(Role.READER)
    assert "/users" in leads(Role.ADMINISTRATOR)


def test_whoever_is_not_signed_in_is_led_to_the_form_and_back(node):
    node.context.users.add("li", Role.READER, now=node.clock(), password="")
    answer = node.client(at=AWAY, Accept="text/html").get("/?tab=unread")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/%3Ftab%3Dunread"
    assert node.client(at=AWAY).get("/api/studies").status_code == 401


def test_an_error_says_what_to_do_in_the_readers_language(node):
    answer = page(node, "/nowhere", Accept_Language="zh")
    assert answer.status_code == 404
    assert "返回工作列表" in answer.text
    assert "请核对地址" in answer.text


def test_every_phrase_that_a_page_or_script_says_is_in_a_book():
    known = texts.book()
    files = [*WEB.glob("templates/*.html"), *FOLDER.rglob("*.js")]
    said = {key for file in files for key in SAID.findall(file.read_text(encoding="utf-8"))}
    assert len(said) > 100
    assert {key for key in said if "." in key} - known.keys() == set()


def test_every_phrase_is_in_both_languages_with_the_same_values():
    wrong = [
        key
        for key, (english, chinese) in texts.book().items()
        if not (english and chinese)
        or set(re.findall(r"\{(\w+)", english)) != set(re.findall(r"\{(\w+)", chinese))
    ]
    assert wrong == []


def test_two_books_with_the_same_key_are_refused():
    with pytest.raises(ValueError, match=r"two books have a\.b"):
        texts.merged([{"a.b": ("x", "y")}, {"a.b": ("x", "z")}])


def test_a_static_file_is_kept_for_ever_under_its_version_and_for_anybody(node):
    client = node.client(at=AWAY)
    address = static_address("http.js")
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert (
        client.get(address, headers={"If-None-Match": answer.headers["etag"]}).status_code
        == 304
    )
    for other in ("/static/http.js", "/static/v-000000000000/http.js"):
        assert client.get(other).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "../pages.py",
        "%2e%2e/pages.py",
        "v-1/../../pages.py",
        "..%2f..%2fpages.py",
        "/etc/passwd",
        "base.css/",
        "%00",
        "",
    ],
)
def test_nothing_but_static_files_is_answered(node, path):
    assert node.client(at=AWAY).get(f"/static/{path}").status_code == 404


def test_every_static_file_is_of_a_kind_that_is_served():
    left_out = [
        path.name
        for path in FOLDER.rglob("*")
        if path.is_file() and path.suffix not in static_files.KINDS
    ]
    assert left_out == []
