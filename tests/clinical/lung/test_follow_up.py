"""Two chest CTs of one drawn patient, a year apart: through the command line and the node."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from medloop.apps import bootstrap
from medloop.apps.bootstrap import Offer
from medloop.apps.cli import main
from medloop.clinical.lung import codes
from medloop.core.geometry import Grid
from medloop.core.record import from_json, from_record
from medloop.store import JobState, open_store
from tests.clinical.lungs import an_analysis
from tests.clinical.test_report_page import text_of
from tests.dicom.slices import a_slice, save
from tests.thorax import Ball, Chest, a_chest, a_grid

pytestmark = pytest.mark.slow

GRID = a_grid(steps_mm=(2.0, 1.2, 1.2), low_mm=(-170, -120, -170), high_mm=(170, 140, 150))
HU = 110.0
GROWN, STABLE = (-85.0, 10.0, 40.0), (-70.0, 50.0, -60.0)
GONE, NEW = (80.0, 30.0, -60.0), (80.0, 30.0, 40.0)
BEFORE = (Ball(GROWN, 10.0, HU), Ball(STABLE, 11.0, HU), Ball(GONE, 11.0, HU))
AFTER = (Ball(GROWN, 13.0, HU), Ball(STABLE, 11.0, HU), Ball(NEW, 11.0, HU))
# The patient lies elsewhere now, and has taken a deeper breath.
SHIFT_MM, BREATH = np.array([14.0, -9.0, 230.0]), 1.06


def write_ct(folder: Path, balls, *, number: int, date: str, **tags) -> Path:
    """One CT of patient P1 as DICOM files; `number` names study and series."""
    volume = a_chest(Chest(balls=balls), GRID, seed=number).volume
    affine = GRID.affine.copy()
    if number > 1:
        affine[2] *= BREATH
        affine[:3, 3] += SHIFT_MM
    grid = Grid(GRID.shape, affine)
    folder.mkdir(parents=True)
    for k, plane in enumerate(volume.array):
        x, y, z = grid.to_world(np.array([float(k), 0, 0])).tolist()
        uid = f"2.25.{number}"
        told = {
            "StudyInstanceUID": uid,
            "SeriesInstanceUID": f"{uid}.1",
            "SOPInstanceUID": f"{uid}.1.{k + 1}",
            "FrameOfReferenceUID": f"{uid}.2",
            "PixelSpacing": [1.2, 1.2],
            "SliceThickness": 2,
            "StudyDate": date,
            "SpecificCharacterSet": "ISO_IR 192",
            "PatientID": "P1",
            "PatientName": "Wang^Fang=王^芳",
            "PatientBirthDate": "19600101",
            "PatientSex": "F",
            "BodyPartExamined": "CHEST",
            "ConvolutionKernel": "B30f",
        } | tags
        array = (plane.astype(np.int32) + 1024).astype(np.int16)
        save(a_slice((x, y, z), array=array, **told), folder / f"{k:03}.dcm")
    return folder


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> tuple[Path, Path]:
    """The follow-up's folder stands before the first one's."""
    root = tmp_path_factory.mktemp("scans")
    later = write_ct(root / "a later", AFTER, number=2, date="20250301")
    return write_ct(root / "b first", BEFORE, number=1, date="20240301"), later


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A place of its own, and a lung analysis whose networks know what was drawn."""
    folder = tmp_path_factory.mktemp("home")
    offer = Offer("nodules?", (), lambda _settings: an_analysis(HU))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "OFFERS", {"lung": offer})
        patch.setenv("MEDLOOP_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def out(home, scans, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    assert main(["analyze", str(scans[0].parent), "-o", str(folder)]) == 0
    return folder


def folder_of(out: Path, scan: Path) -> Path:
    rows = json.loads((out / "summary.json").read_text("utf-8"))["results"]
    (row,) = [row for row in rows if row["input"] == str(scan)]
    return out / row["path"]


def result_of(folder: Path):
    return from_record(from_json((folder / "result.json").read_text("utf-8"))).result


def changes(result) -> dict[str, int]:
    """What became of nodules: the number of each; nothing where nothing was compared."""
    about = {n: result.assessments[f"nodule_{n}"] for n in range(1, len(result.findings) + 1)}
    return {each["change"]: n for n, each in about.items() if "change" in each}


def check_follow_up(result) -> None:
    assert len(result.findings) == 3
    told = changes(result)
    assert set(told) == {"grown", "stable", "new"}
    assert result.assessments["prior"]["date"] == "20240301"
    assert result.assessments["prior"]["days"] == "365"
    assert "gone_1" in result.assessments
    assert "gone_2" not in result.assessments
    grown = result.findings[told["grown"] - 1]
    assert grown.measured(codes.PRIOR_MEAN) == pytest.approx(10.0, abs=0.6)
    assert grown.measured(codes.MEAN_CHANGE) == pytest.approx(3.0, abs=0.7)
    # A ball that grows from 10 to 13 mm, 6 % longer in this breath, doubles in 299 days.
    assert grown.measured(codes.DOUBLING_TIME) == pytest.approx(299, abs=50)
    new = result.assessments[f"nodule_{told['new']}"]
    assert (new["Lung-RADS"], new["because"]) == ("4B", "solid, new or growing, 8 mm or more")
    stable = result.assessments[f"nodule_{told['stable']}"]
    assert stable["Lung-RADS"] == "3"  # 4A a year before
    assert "Fleischner_low" not in result.assessments


def test_the_follow_up_is_compared_though_it_comes_first(out, scans):
    first, later = (result_of(folder_of(out, scan)) for scan in scans)
    assert changes(first) == {}
    assert len(first.findings) == 3
    assert "prior" not in first.assessments
    assert "Fleischner_low" in first.assessments
    check_follow_up(later)


def test_report_and_segmentation_follow_each_nodule(out, scans):
    def uids(scan):
        report = dcmread(folder_of(out, scan) / "sr.dcm")
        groups = report.ContentSequence[-1].ContentSequence[1:]
        return {group.ContentSequence[1].UID for group in groups}

    first, later = (uids(scan) for scan in scans)
    assert len(first) == len(later) == 3
    assert len(first & later) == 2  # the grown and the stable one
    seg = dcmread(folder_of(out, scans[1]) / "seg.dcm", stop_before_pixels=True)
    assert {segment.TrackingUID for segment in seg.SegmentSequence} == later


def test_the_report_tells_what_became_of_them(out, scans):
    folder = folder_of(out, scans[1])
    text = text_of((folder / "report.html").read_text("utf-8")).replace("\u00a0", " ")
    assert (
        "Compared with the study of 2024-03-01, 365 days before: "
        "1 growing, 1 new, 1 stable, 1 gone." in text
    )
    grown = result_of(folder).findings[changes(result_of(folder))["grown"] - 1]
    then = [f"{grown.measured(axis):.1f}" for axis in (codes.PRIOR_LONG, codes.PRIOR_SHORT)]
    days = grown.measured(codes.DOUBLING_TIME)
    assert f"; was {' x '.join(then)} mm on 2024-03-01 (volume +" in text
    assert f"doubling time {days:.0f} days): growing, Lung-RADS 4B." in text
    assert "; new since 2024-03-01, Lung-RADS 4B." in text
    assert "no earlier study was compared" not in text


def test_an_earlier_result_can_be_named_and_must_fit(home, out, scans, tmp_path, capsys):
    first, later = scans
    prior = folder_of(out, first)
    fresh = tmp_path / "fresh"
    command = ["analyze", str(later), "-o", str(fresh), "--prior"]
    assert main([*command, str(prior / "result.json")]) == 0
    check_follow_up(result_of(folder_of(fresh, later)))
    capsys.readouterr()
    backward = ["analyze", str(first), "-o", str(tmp_path / "back"), "--prior"]
    assert main([*backward, str(folder_of(out, later))]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("the earlier result's study is 365 days later, not earlier")
    assert main([*command, str(tmp_path)]) == 2
    assert "there is no result.json" in capsys.readouterr().err


def test_the_node_compares_too_and_in_chinese(home, scans, monkeypatch, capsys):
    monkeypatch.setenv("MEDLOOP_LANGUAGE", "zh")
    assert main(["import", str(scans[0].parent)]) == 0
    assert main(["worker", "--once"]) == 0
    assert "2 done" in capsys.readouterr().out
    store = open_store(home)
    done = store.jobs.all(state=JobState.DONE)
    kept = {str(job.study): store.results.get(job.id) for job in done}
    store.close()
    check_follow_up(from_record(kept["2.25.2"].record).result)
    page = (home / "results" / kept["2.25.2"].folder / "report.html").read_text("utf-8")
    text = text_of(page).replace("\u00a0", " ")
    assert (
        "与 365 天前（2024-03-01）的检查比较：增大 1 个、新发 1 个、稳定 1 个、消失 1 个。"
        in text
    )
    assert "；较 2024-03-01 新发，Lung-RADS 4B 类。" in text
    assert "天）：增大，Lung-RADS 4B 类。" in text


def test_another_patient_is_not_compared(home, out, tmp_path):
    """Same nodules, same folder of results, another identifier."""
    out = Path(shutil.copytree(out, tmp_path / "out"))
    other = write_ct(tmp_path / "other", BEFORE[:1], number=5, date="20260301", PatientID="P2")
    assert main(["analyze", str(other), "-o", str(out)]) == 0
    found = result_of(folder_of(out, other))
    assert "prior" not in found.assessments
    assert changes(found) == {}
