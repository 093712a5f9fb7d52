"""Refusals that reach a page are said in both languages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import medloop
from medloop.apps.web.refusals import CHINESE, chinese, in_words_of
from medloop.clinical.report.language import Language
from medloop.store.users import Role

ROOT = Path(medloop.__file__).parent
WEB = ROOT / "apps" / "web"
# Rooms below whose errors a person meets on a page.
BELOW = (
    "annotation/masks.py",
    "dicom/seg_file.py",
    "store/steering.py",
    "store/users.py",
    "store/worklist.py",
    "apps/web/passwords.py",
    "apps/web/audit.py",
    "apps/web/deciding.py",
    "apps/web/users.py",
)


def refusals() -> Iterator[tuple[str, str]]:
    """Every text that a route refuses with, an example in place of what varies."""
    pages = [path for path in WEB.glob("*.py") if path.name != "refusals.py"]
    for path in (*pages, *(ROOT / each for each in BELOW)):
        wanted = "InputError" if path.relative_to(ROOT).as_posix() in BELOW else "HTTPException"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == wanted:
                for said in node.args[:2]:
                    if words := example(said):
                        yield path.name, words


def example(said: ast.expr) -> str:
    """A text as it may come out; nothing for what is no text of this place."""
    if isinstance(said, ast.Constant):
        return said.value if isinstance(said.value, str) else ""
    if isinstance(said, ast.JoinedStr):
        return "".join(example(part) or "7" for part in said.values)
    return ""


@pytest.mark.parametrize(("place", "said"), sorted(set(refusals())))
def test_a_refusal_has_chinese_words(place, said):
    assert chinese(said), f"{place}: {said!r} is missing in refusals.CHINESE"


def test_what_varies_stays_and_states_and_roles_are_named():
    said = "job 7 is running; only one that failed is tried again"
    assert chinese(said) == "任务 7 的状态为“运行中”；只能重试失败的任务"
    assert "阅片医师" in (chinese("your role, reader, does not grant to manage") or "")


def test_both_languages_speak_of_the_same_things():
    for english, words in CHINESE.items():
        assert set(re.findall(r"{\w+}", words)) <= set(re.findall(r"{\w+}", english)), english


def test_a_text_that_nobody_translated_says_its_kind_first():
    said = in_words_of(Language.CHINESE, "slice gap 3 mm exceeds 2 mm", 422)
    assert said == "部分数值不符合要求：slice gap 3 mm exceeds 2 mm"
    assert in_words_of(Language.CHINESE, "已提交", 409) == "已提交"
    assert in_words_of(Language.ENGLISH, "no such file", 404) == "no such file"


def test_pages_and_their_scripts_are_refused_in_the_language_of_the_page(node):
    node.context.users.add("somebody", Role.ADMINISTRATOR, now=node.clock())
    page = node.program(Role.READER)
    page.cookies.set("lang", "zh")
    script = page.get("/api/jobs/999/scene")
    assert script.json()["error"] == "没有任务 999"
    shown = page.get("/read/999", headers={"Accept": "text/html"})
    assert "没有任务 999" in shown.text
    assert "there is no job" not in shown.text
    program = node.program(Role.READER)
    assert program.get("/api/jobs/999/scene").json()["error"] == "there is no job 999"
