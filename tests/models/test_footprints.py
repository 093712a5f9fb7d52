"""What a bundle takes: measured in a process of its own, written without touching weights."""

import os
import shutil
import sys
import tomllib

import pytest
from tools.child import NO_LIMITS, Limits, run
from tools.footprints import Footprint, main, stamp
from tools.model_cards import page
from tools.small_box import main as try_small_box
from tools.trial_cases import CASES

from medloop.apps.bootstrap import OFFERS
from medloop.models.bundle import CARD, PLAN, WEIGHTS, load_bundle, seal
from tests.apps.tiny_bundles import a_grading_bundle, a_lesion_bundle

TAKEN = Footprint(9.5, 812, "medloop analyze of one drawn eye", "Linux x86_64, 2 cores")


SUMMARY = """mkdir -p $6
echo '{"results": [{"outcome": "done", "reason": "", "path": "eye"}]}' > $6/summary.json"""


def a_python(program: str, limits: Limits = NO_LIMITS):
    return run([sys.executable, "-S", "-c", program], os.environ, limits)


def test_a_card_gets_a_footprint_and_keeps_all_else(tmp_path):
    bundle = load_bundle(a_grading_bundle(tmp_path / "bundle"))
    before = {name: (bundle.folder / name).read_bytes() for name in (PLAN, WEIGHTS)}
    sealed = stamp(bundle, TAKEN)
    assert sealed.card["footprint"]["peak_memory_mb"] == 812
    assert {k: v for k, v in sealed.card.items() if k != "footprint"} == bundle.card
    assert before == {name: (bundle.folder / name).read_bytes() for name in before}


def test_a_second_footprint_takes_the_place_of_the_first(tmp_path):
    bundle = load_bundle(a_grading_bundle(tmp_path / "bundle"))
    again = stamp(stamp(bundle, TAKEN), Footprint(1.0, 99, "another", "machine"))
    assert again.card["footprint"]["disk_mb"] == 1.0
    assert (bundle.folder / CARD).read_text().count("[footprint]") == 1


@pytest.mark.parametrize("name", ["hippocampus", "retina_lesions"])
def test_a_shipped_card_is_written_as_training_wrote_it(name, tmp_path):
    folder = shutil.copytree(load_bundle(name).folder, tmp_path / name)
    before = (folder / CARD).read_text(encoding="utf-8")
    plain = tomllib.loads(before).get("footprint") is None
    stamp(load_bundle(folder), TAKEN)
    after = (folder / CARD).read_text(encoding="utf-8")
    kept = before if plain else before[: before.index("[footprint]")]
    assert after.startswith(kept)


def test_a_page_tells_the_footprint():
    card = load_bundle("hippocampus").card | {
        "footprint": {"disk_mb": 5.6, "peak_memory_mb": 700, "case": "one MR", "machine": "box"}
    }
    assert "5.6 MB on disk; 700 MB of memory at the peak of one MR (box)." in page(card, "ab")


def test_every_analysis_has_a_case():
    assert set(CASES) == set(OFFERS)


def test_the_peak_is_the_commands_own_not_that_of_whoever_started_it():
    held = bytearray(400_000_000)
    held[::4096] = b"x" * len(held[::4096])
    assert a_python("pass").peak_mb < 100
    assert a_python("b = bytearray(b'x') * 200_000_000").peak_mb == pytest.approx(215, abs=30)


def test_a_limit_of_memory_holds():
    program = "b = bytearray(b'x') * 300_000_000"
    assert a_python(program).code == 0
    refused = a_python(program, Limits(data_bytes=200_000_000))
    assert refused.code == 1
    assert "MemoryError" in refused.errors


def test_a_limit_of_cores_holds():
    program = "import os, sys; sys.exit(len(os.sched_getaffinity(0)))"
    assert a_python(program, Limits(cores=1)).code == 1


def test_what_does_not_end_is_killed_and_no_success():
    endless = [sys.executable, "-S", "-c", "while True: pass"]
    ran = run(endless, os.environ, timeout_s=0.5)
    assert ran.code != 0
    assert "not done after" in ran.errors


@pytest.mark.slow
def test_the_tool_measures_an_analysis_with_the_bundles_it_is_given(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.delenv("MEDLOOP_DATA", raising=False)
    folders = [a_grading_bundle(tmp_path / "one"), a_lesion_bundle(tmp_path / "two")]
    main([str(folder) for folder in folders])
    for folder in folders:
        taken = load_bundle(folder).card["footprint"]
        assert taken["disk_mb"] < 0.1
        assert 50 < taken["peak_memory_mb"] < 2000
        assert "photograph" in taken["case"]
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.slow
def test_an_analysis_that_fails_is_an_error_and_no_footprint(tmp_path):
    folder = a_grading_bundle(tmp_path / "bundle")
    (folder / WEIGHTS).write_bytes(b"no network")
    seal(folder)
    with pytest.raises(RuntimeError, match="retina: medloop analyze exits"):
        main([str(folder)])
    assert "footprint" not in load_bundle(folder).card


@pytest.mark.slow
def test_the_photograph_analysis_fits_a_small_box(monkeypatch, capsys):
    monkeypatch.delenv("MEDLOOP_DATA", raising=False)
    assert try_small_box(["--analysis", "retina"]) == 0
    assert "retina: done: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("exit 3", "retina: exits 3"),
        ("mkdir -p $6; echo '{\"results\": []}' > $6/summary.json", "retina: nothing was"),
        (SUMMARY, "retina: result.json, report.html, report.pdf missing"),
    ],
)
def test_a_small_box_where_something_does_not_work_is_told(program, told, tmp_path, capsys):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n[ $1 = -c ] || {{ {program}; }}\n")
    python.chmod(0o755)
    assert try_small_box(["--analysis", "retina", "--python", str(python)]) == 1
    assert told in capsys.readouterr().out
