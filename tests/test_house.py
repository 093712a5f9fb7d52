"""The rules of the house that a machine can check."""

import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import medloop

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LONGEST = 400


def packages():
    walked = pkgutil.walk_packages(medloop.__path__, "medloop.")
    return sorted(module.name for module in walked if module.ispkg)


def run(program: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )


@pytest.mark.slow
def test_imports_point_down_and_dependencies_stay_in_their_rooms():
    done = run(
        "import sys; from importlinter.cli import lint_imports;"
        "sys.exit(lint_imports(no_cache=True))"
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", packages())
def test_a_package_offers_at_most_twenty_names_and_has_them_all(name):
    package = importlib.import_module(name)
    offered = getattr(package, "__all__", [])
    assert len(offered) <= 20
    assert all(hasattr(package, public) for public in offered)
    assert package.__doc__


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_file_tells_one_story_in_at_most_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.slow
def test_analyzing_never_imports_torch():
    done = run(
        "import sys; sys.modules['torch'] = None;"  # an import of it now fails
        "import medloop.apps.analyze, medloop.apps.demo, medloop.apps.predict;"
        "from medloop.apps.bootstrap import OFFERS, choose_analyses;"
        "import medloop.clinical.brain.analysis, medloop.clinical.retina.analysis"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_importing_a_module_only_defines_things():
    names = [
        module.name
        for module in pkgutil.walk_packages(medloop.__path__, "medloop.")
        if ".migrations" not in module.name
    ]
    imports = "".join(f"import {name}\n" for name in names)
    done = run(imports)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_dependency_is_pinned():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *declared["project"]["dependencies"],
        *(
            name
            for extra in declared["project"]["optional-dependencies"].values()
            for name in extra
        ),
        *declared["dependency-groups"]["test"],
    ]
    pinned = {
        line.partition("==")[0].strip().lower()
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    names = {re.split(r"[<>=\[; ]", requirement)[0].lower() for requirement in wanted}
    assert names <= pinned


def test_the_command_reference_is_what_the_commands_say():
    page = ROOT / "docs/reference/command-line.md"
    made = run("from tools.command_reference import reference; print(reference(), end='')")
    assert made.stdout == page.read_text(encoding="utf-8"), "run make docs"
