"""The real retina analysis by the command line, with networks that always say the same."""

import json
import pathlib
import signal
import subprocess
import sys
import time

import cv2
import pydicom
import pytest

from medloop.apps.cli import main
from medloop.dicom.read_results import read_sr_values
from medloop.models.bundle import shipped_bundles
from tests.apps.tiny_bundles import a_grading_bundle, a_lesion_bundle
from tests.imaging.eyes import draw_eye


@pytest.fixture
def eye(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDLOOP_HOME", str(tmp_path / "home"))
    a_grading_bundle(tmp_path / "home/bundles/retina_grading", grade=2, dme=1)
    a_lesion_bundle(tmp_path / "home/bundles/retina_lesions")
    path = tmp_path / "eye.jpg"
    path.write_bytes(cv2.imencode(".jpg", draw_eye()[..., ::-1])[1].tobytes())
    return path


@pytest.mark.slow
def test_a_photograph_becomes_a_folder_of_results(eye, tmp_path):
    out = tmp_path / "out"
    assert main(["analyze", str(eye), "-o", str(out), "--lang", "zh"]) == 0
    (row,) = json.loads((out / "summary.json").read_text("utf-8"))["results"]
    assert row == {
        "input": str(eye),
        "study": "eye",
        "analysis": "retina",
        "outcome": "done",
        "reason": "",
        "path": "eye/retina",
    }
    promised = {"result.json", "report.html", "report.pdf", "sr.dcm", "seg.dcm"}
    promised |= {"heatmap.png", "overlay.png"}
    assert promised <= {path.name for path in (out / "eye/retina").iterdir()}
    result = json.loads((out / "eye/retina/result.json").read_text("utf-8"))
    assert result["schema"] == "medloop.result/1"
    assert (result["assessments"]["ICDR"], result["assessments"]["DME"]) == (2, 1)
    assert result["analysis"]["bundle"] == "retina_grading"
    assert set(result["timings_s"]) == {"read", "prepare", "infer", "post", "write"}


@pytest.fixture(params=["tiny", "shipped"])
def bundles(request, eye, monkeypatch, tmp_path):
    """Choose whose networks answer."""
    if request.param == "shipped":
        if not {"retina_grading", "retina_lesions"} <= set(shipped_bundles()):
            pytest.skip("the shipped bundles retina_grading and retina_lesions are absent")
        monkeypatch.setenv("MEDLOOP_HOME", str(tmp_path / "nothing installed"))


def uids_of(path):
    """Every UID in a DICOM file, however deep."""
    found = []

    def keep(_dataset, element):
        if element.VR == "UI":
            found.append((element.tag, str(element.value)))

    pydicom.dcmread(path).walk(keep)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["picture", "dicom"])
def test_the_same_input_gives_the_same_bytes_but_for_times(eye, bundles, kind, tmp_path):
    given = eye
    if kind == "dicom":
        main(["analyze", str(eye), "-o", str(tmp_path / "first")])
        given = tmp_path / "first/eye/retina/photograph.dcm"
    records, uids = [], []
    for name in ("one", "two"):
        assert main(["analyze", str(given), "-o", str(tmp_path / name)]) == 0
        (row,) = json.loads((tmp_path / name / "summary.json").read_text("utf-8"))["results"]
        folder = tmp_path / name / row["path"]
        record, times = (folder / "result.json").read_text("utf-8").split('"timings_s"')
        assert set(json.loads(f'{{"timings_s"{times}')) == {"timings_s", "finished"}
        records.append(record)
        uids.append({path.name: uids_of(path) for path in sorted(folder.glob("*.dcm"))})
    assert records[0] == records[1]
    assert uids[0] == uids[1]
    assert {"sr.dcm", "heatmap.dcm", "overlay.dcm"} <= set(uids[0])


def test_int8_without_int8_weights_cannot_be_meant(eye, tmp_path, capsys):
    assert main(["analyze", str(eye), "-o", str(tmp_path / "out"), "--precision", "int8"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("bundle retina_grading has no INT8 weights; use --precision fp32")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "says"), [("en", "3 = 3 or 4"), ("zh", "3 = 3 \u6216 4 \u7ea7")]
)
def test_the_four_class_grade_comes_with_its_map_everywhere(eye, tmp_path, language, says):
    out = tmp_path / "out"
    options = ["--four-class", "--lang", language]
    assert main(["analyze", str(eye), "-o", str(out), *options]) == 0
    result = json.loads((out / "eye/retina/result.json").read_text("utf-8"))
    held = result["assessments"]
    assert held["four_class"] == 2
    assert "3 or 4" in held["four_class_map"]
    assert sum(held["four_class_probabilities"]) == pytest.approx(1, abs=1e-5)
    assert result["analysis"]["version"].endswith("+four.class")
    assert says in (out / "eye/retina/report.html").read_text("utf-8")
    _, assessments = read_sr_values(pydicom.dcmread(out / "eye/retina/sr.dcm"))
    assert (assessments["four_class"], len(assessments["four_class_probabilities"])) == (2, 4)
    assert assessments["four_class_map"] == held["four_class_map"]


@pytest.mark.slow
def test_the_demonstration_prints_each_report_alone_on_a_line(eye, tmp_path, capsys):
    assert main(["demo", "-o", str(tmp_path / "demo")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all((tmp_path / "demo") in pathlib.Path(line).parents for line in lines)
    assert all(pathlib.Path(line).is_file() for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_leaves_whole_folders_only(eye, tmp_path, kill):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "medloop.apps.cli", "analyze", str(eye), "-o", str(out)]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        # A background shell has interrupts ignored.
        preexec_fn=lambda: signal.signal(kill, signal.SIG_DFL),  # noqa: PLW1509
    )
    while process.poll() is None and not list(out.rglob(".*.part")):
        time.sleep(0.01)
    process.send_signal(kill)
    told = process.communicate()[1]
    assert (process.returncode, told) == (130, "medloop: interrupted\n")
    assert not [path for path in out.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_an_interrupted_command_finishes_the_case_it_is_writing_and_leaves_no_other(
    eye, tmp_path
):
    out, eyes = tmp_path / "out", [tmp_path / f"eye{n}.jpg" for n in range(6)]
    for path in eyes:
        path.write_bytes(eye.read_bytes())
    typed = ["analyze", *map(str, eyes), "-o", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "medloop.apps.cli", *typed], stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not list(out.rglob("result.json")):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    told = process.communicate()[1]
    assert (process.returncode, told) == (130, "medloop: interrupted\n")
    folders = [each.parent for each in out.glob("*/retina/result.json")]
    assert 1 <= len(folders) < len(eyes)
    alone = {path.name for path in folders[0].iterdir()}
    assert all({path.name for path in each.iterdir()} == alone for each in folders)
    assert not list(out.rglob(".*"))
    assert {path.parent.parent.name for path in out.glob("*/*/*")} == {
        each.parent.name for each in folders
    }


@pytest.mark.slow
def test_a_bar_is_shown_to_a_person_and_to_nobody_else(eye, tmp_path, capsys, monkeypatch):
    assert main(["analyze", str(eye), "-o", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["analyze", str(eye), "-o", str(tmp_path / "out")]) == 0
    assert "analyzing" in capsys.readouterr().err
