"""What is public is documented, what is documented runs, and what is linked is there."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest

from medloop.apps.bootstrap import OFFERS
from medloop.apps.cli import COMMANDS
from medloop.apps.console import Exit
from medloop.apps.demo import write_photographs
from medloop.apps.settings import Settings
from medloop.clinical.report.notices import READING
from medloop.core import errors
from medloop.models.bundle import load_bundle, shipped_bundles

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    [*DOCS.rglob("*.md"), *(p for p in ROOT.glob("*.md") if not p.name.startswith("."))]
)
# Made from released bundles, so not asked for before these are there.
MADE = (DOCS / "pictures", DOCS / "models")
FENCE = re.compile(r"^```(\w*)( run)?[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def written() -> str:
    """All that people wrote: without the reference that is made from the commands."""
    made = DOCS / "reference/command-line.md"
    return "\n".join(text_of(page) for page in PAGES if page != made)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def runnable(page: Path) -> list[tuple[str, str]]:
    return [(kind, body) for kind, run, body in FENCE.findall(text_of(page)) if run]


def anchors(page: Path) -> set[str]:
    """Name headings as GitHub does."""
    prose = FENCE.sub("", text_of(page))
    titles = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in kept}


@cache
def is_released() -> bool:
    versions = [load_bundle(each).version for each in shipped_bundles()]
    return bool(versions) and not any("dev" in version for version in versions)


def flags() -> list[str]:
    return sorted(
        {
            option
            for command in COMMANDS
            for action in command.parser()._actions
            for option in action.option_strings
            if option.startswith("--") and option != "--help"
        }
    )


def public_errors() -> list[str]:
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type))
    return sorted(k.__name__ for k in kinds if issubclass(k, errors.MedloopError))


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_is_told_in_prose(command):
    assert f"medloop {command}" in written()


@pytest.mark.parametrize("flag", flags())
def test_every_flag_is_told_in_prose(flag):
    assert flag in written()


@pytest.mark.parametrize("key", [field.name for field in fields(Settings)])
def test_every_setting_is_in_the_reference_of_settings(key):
    page = text_of(DOCS / "reference/settings.md")
    assert f"`{key}`" in page
    assert f"`MEDLOOP_{key.upper()}`" in page


@pytest.mark.parametrize("kind", public_errors())
def test_every_error_is_in_the_reference_of_errors(kind):
    assert f"`{kind}`" in text_of(DOCS / "reference/errors.md")


@pytest.mark.parametrize("code", list(Exit), ids=lambda code: code.name)
def test_every_exit_code_is_in_the_reference_of_errors(code):
    assert f"| {int(code)} |" in text_of(DOCS / "reference/errors.md")


@pytest.mark.parametrize("analysis", sorted(OFFERS))
def test_every_analysis_is_in_the_readme(analysis):
    assert f"`{analysis}`" in text_of(ROOT / "README.md")


def test_every_remark_of_reading_is_documented():
    page = text_of(DOCS / "reference/series-checks.md")
    assert [code for code in READING if f"`{code}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_inside_the_project_lead_somewhere(page):
    broken = []
    for link in LINK.findall(FENCE.sub("", text_of(page))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not is_released() and any(target.is_relative_to(made) for made in MADE):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_of_the_documentation_can_be_reached_from_its_index():
    seen, open_pages = set(), [DOCS / "index.md"]
    while open_pages:
        page = open_pages.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        links = LINK.findall(text_of(page))
        open_pages += [(page.parent / link.partition("#")[0]).resolve() for link in links]
    assert [name(page) for page in DOCS.rglob("*.md") if page not in seen] == []


def test_the_readmes_in_both_languages_have_the_same_structure():
    def structure(page):
        return re.findall(r"^(#+) ", FENCE.sub("", text_of(page)), re.MULTILINE)

    assert structure(ROOT / "README.md") == structure(ROOT / "README.zh.md")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_names_a_command_or_flag_that_is_not_there(page):
    code = "\n".join(body for kind, _, body in FENCE.findall(text_of(page)) if kind == "bash")
    typed = re.findall(r"^medloop (\w+)(.*)$", code, re.MULTILINE)
    known = {command.name for command in COMMANDS}
    assert {verb for verb, _ in typed} <= known
    used = {flag for _, rest in typed for flag in re.findall(r"--[a-z0-9-]+", rest)}
    assert used <= {*flags(), "--help", "--version"}


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=name)
def test_what_a_page_says_to_run_runs(page, tmp_path):
    pytest.importorskip(
        "skimage", reason="scikit-image, which carries the photograph, is absent"
    )
    if not shipped_bundles():
        pytest.skip("the shipped bundles are absent")
    if "medloop.learning.train" in text_of(page):
        for part in ("torch", "monai"):
            pytest.importorskip(part, reason=f"{part} is not installed")
    write_photographs(tmp_path / "demo/photographs")
    run_blocks(page, tmp_path)


def run_blocks(page: Path, folder: Path) -> None:
    """Run the marked blocks of a page one after the other in one folder."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("MEDLOOP_")
    }
    environment |= {
        "MEDLOOP_HOME": str(folder / ".medloop"),
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
    }
    for kind, blocks in groupby(runnable(page), key=lambda block: block[0]):
        bodies = [body for _, body in blocks]
        for body in ["\n".join(bodies)] if kind == "python" else bodies:
            run_block(kind, body, folder, environment)


def run_block(kind: str, body: str, folder: Path, environment: dict[str, str]) -> None:
    """Run one block; blocks of Python that follow each other are one program."""
    start = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
    done = subprocess.run(
        [*start[kind], body],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{body}\n{done.stdout}\n{done.stderr}"
