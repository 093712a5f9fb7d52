"""The command from end to end: folders, keys, maps, reports, and what is refused."""

import gzip
import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom import dcmread

from medloop.apps.cli import main
from medloop.apps.deidentify_pool import Unit, outcomes
from medloop.dicom.deidentify import Identity, Key, Patient, Profile, Task
from medloop.files.sniff import Kind
from tests.dicom.deidentify.planted import a_study, write

PASSPHRASE = "correct horse battery staple"  # noqa: S105 # of these tests alone


@pytest.fixture
def study(tmp_path):
    """A patient's folder with one CT slice and one SR, under names that tell who it is."""
    person, things = a_study(0)
    folder = tmp_path / "in" / f"{person.family}_{person.latin}"
    folder.mkdir(parents=True)
    for thing in (things[0], things[6]):
        write(thing, folder / f"{person.numbers['mrn']}_{thing.kind}.dcm")
    return person, tmp_path / "in"


@pytest.fixture(autouse=True)
def _passphrase(monkeypatch):
    monkeypatch.setenv("MEDLOOP_DEIDENTIFY_KEY", PASSPHRASE)


def run(*arguments) -> int:
    return main(["deidentify", "--jobs", "1", *map(str, arguments)])


def report_of(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def written(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_folder_is_mirrored_under_names_that_tell_nothing(study, tmp_path):
    person, source = study
    assert run(source, tmp_path / "out") == 0
    paths = written(tmp_path / "out")
    assert len(paths) == 2
    assert len({path.parent for path in paths}) == 1
    assert all(path.parent.parent == tmp_path / "out" for path in paths)
    names = " ".join(map(str, paths)).lower()
    assert [s for s in person.secrets if s.lower() in names] == []


def test_the_report_tells_what_was_done_and_nobody_s_name(study, tmp_path):
    person, source = study
    run(source, tmp_path / "out")
    text = (tmp_path / "report.json").read_text()
    assert [s for s in person.secrets if s.lower() in text.lower()] == []
    report = json.loads(text)
    assert report["totals"] == {"done": 2}
    image = next(r for r in report["files"] if r["sop_class"].endswith(".1.2"))
    assert image["removed"]["private"] == 5
    assert image["replaced"]["PatientName"] == 1


def test_the_map_leads_back_with_the_key_alone(study, tmp_path, capsys, monkeypatch):
    person, source = study
    run(source, tmp_path / "out")
    content = (tmp_path / "out.map").read_bytes()
    assert person.numbers["mrn"].encode() not in content
    capsys.readouterr()
    assert run("--reveal", tmp_path / "out.map") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["patients"].values()) == [person.numbers["mrn"]]
    after = dcmread(written(tmp_path / "out")[0])
    assert found["patients"][after.PatientID] == person.numbers["mrn"]
    assert found["uids"][after.StudyInstanceUID].startswith("1.3.6.1.4.1.99999.")
    monkeypatch.setenv("MEDLOOP_DEIDENTIFY_KEY", "another passphrase altogether")
    assert run("--reveal", tmp_path / "out.map") == 3


def test_a_key_file_is_made_once_for_its_owner_alone(study, tmp_path):
    _, source = study
    key = tmp_path / "study.key"
    assert run(source, tmp_path / "one", "--key", key) == 0
    assert key.stat().st_mode & 0o077 == 0
    assert run(source, tmp_path / "two", "--key", key) == 0
    one, two = written(tmp_path / "one"), written(tmp_path / "two")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_a_key_that_is_not_there_is_not_made_to_open_a_map(study, tmp_path, capsys):
    run(study[1], tmp_path / "out")
    capsys.readouterr()
    absent = tmp_path / "absent.key"
    assert run("--reveal", tmp_path / "out.map", "--key", absent) == 2
    assert capsys.readouterr().err == f"medloop: {absent}: no such key\n"
    assert not absent.exists()


def test_a_key_that_could_not_be_made_is_not_said_to_be(study, tmp_path, capsys):
    nowhere = tmp_path / "none" / "study.key"
    assert run(study[1], tmp_path / "out", "--key", nowhere) == 1
    assert capsys.readouterr().err == f"medloop: {nowhere}: No such file or directory\n"


def test_a_second_run_leaves_what_is_done(study, tmp_path):
    _, source = study
    run(source, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in written(tmp_path / "out")}
    first = next(iter(before))
    first.unlink()
    assert run(source, tmp_path / "out") == 0
    after = {path: path.stat().st_mtime_ns for path in written(tmp_path / "out")}
    assert set(after) == set(before)
    assert [path for path in after if after[path] != before[path]] == [first]
    assert report_of(tmp_path)["totals"] == {"done": 2}


def test_other_options_clean_everything_anew(study, tmp_path):
    _, source = study
    run(source, tmp_path / "out")
    run(source, tmp_path / "out", "--clean", "descriptors")
    descriptions = [
        dcmread(path).get("SeriesDescription") for path in written(tmp_path / "out")
    ]
    assert all(text is not None for text in descriptions)


def test_what_cannot_be_cleaned_is_not_written(study, tmp_path, capsys):
    _, source = study
    _, things = a_study(0)
    write(things[-1], source / "letter.dcm")
    (source / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 50)
    (source / "notes.txt").write_text("not an image")
    (source / "nothing.dcm").touch()
    assert run(source, tmp_path / "out") == 3
    assert len(written(tmp_path / "out")) == 2
    assert report_of(tmp_path)["totals"] == {"done": 2, "refused": 3}
    said = capsys.readouterr().err
    assert "encapsulated document" in said
    assert "nothing.dcm: is empty" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("in",),
        ("in", "in/out"),
        ("in", "out", "--key", "out/key"),
        ("in", "out", "--retain", "longitudinal-full", "--retain", "longitudinal-modified"),
        ("in", "out", "--jobs", "0"),
    ],
    ids=["no OUT", "OUT in IN", "key in OUT", "two kinds of dates", "no process"],
)
def test_what_cannot_be_meant_is_said(study, tmp_path, arguments, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["deidentify", *arguments]) == 2
    assert not (tmp_path / "out").exists()


def test_without_a_key_nothing_is_done(study, tmp_path, monkeypatch):
    monkeypatch.delenv("MEDLOOP_DEIDENTIFY_KEY")
    assert run(study[1], tmp_path / "out") == 2
    monkeypatch.setenv("MEDLOOP_DEIDENTIFY_KEY", "short")
    assert run(study[1], tmp_path / "out") == 3


def test_a_nifti_file_keeps_its_voxels_and_nothing_it_says(tmp_path):
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    image = nib.Nifti1Image(array, np.diag([1.0, 2.0, 3.0, 1.0]))
    image.header["descrip"] = b"Kowalczyk 1961"
    image.header["db_name"] = b"Kowalczyk"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Kowalczyk again"))
    source = tmp_path / "in"
    source.mkdir()
    image.to_filename(source / "kowalczyk.nii.gz")
    assert run(source, tmp_path / "out") == 0
    (path,) = written(tmp_path / "out")
    assert b"owalczyk" not in gzip.decompress(path.read_bytes())
    assert b"owalczyk" not in path.read_bytes()
    after = nib.load(path)
    assert np.array_equal(np.asarray(after.dataobj), array)
    assert np.array_equal(after.affine, image.affine)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["png", "jpeg", "tiff"])
def test_a_picture_keeps_its_pixels_and_no_metadata(tmp_path, suffix):
    pytest.importorskip("pytesseract")
    source = tmp_path / "in"
    source.mkdir()
    picture = Image.fromarray(np.full((60, 80, 3), 90, np.uint8))
    said = Image.Exif()
    said[0x010E] = said[0x9C9B if suffix == "tiff" else 0x013B] = "Kowalczyk"
    text = PngInfo()
    text.add_text("Name", "Kowalczyk")
    extra = {"pnginfo": text} if suffix == "png" else {"exif": said}
    picture.save(source / f"a.{suffix}", **extra)
    assert b"Kowalczyk" in (source / f"a.{suffix}").read_bytes()
    assert run(source, tmp_path / "out") == 0
    (path,) = written(tmp_path / "out")
    assert b"Kowalczyk" not in path.read_bytes()
    with Image.open(source / f"a.{suffix}") as before, Image.open(path) as after:
        assert np.array_equal(np.asarray(before), np.asarray(after))


@pytest.mark.slow
def test_several_processes_write_the_same_as_one(study, tmp_path):
    _, source = study
    assert run(source, tmp_path / "one") == 0
    (tmp_path / "other").mkdir()
    assert main(["deidentify", "--jobs", "2", str(source), str(tmp_path / "other/two")]) == 0
    one, two = written(tmp_path / "one"), written(tmp_path / "other/two")
    assert [p.name for p in one] == [p.name for p in two]
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def ends_the_process(_gray, *, surely=False):
    """Do what a decoder does on some damaged frames."""
    os._exit(1)


@pytest.mark.slow
def test_a_file_that_ends_its_process_takes_no_other_with_it(tmp_path):
    _, things = a_study(0)
    key = Key(b"k" * 32)
    units = []
    for number, thing in enumerate([*things[:3], things[5], things[6]]):
        path = write(thing, tmp_path / f"{number}.dcm")
        patient = Patient(Identity(), "P-1", -1)
        name = Path(f"{number}.dcm")
        units.append(
            Unit(path, tmp_path / "out", name, str(number), Kind.DICOM, "", False, patient)
        )
    rows = [
        row
        for each in outcomes(units, Task(Profile(), key, ends_the_process), 2)
        for _, row in each
    ]
    assert len(rows) == 5
    refused = [row for row in rows if row.outcome != "done"]
    assert [row.reason for row in refused] == ["a decoder ended the process on it"]
    assert sorted(p.name for p in written(tmp_path / "out")) == [
        "0.dcm",
        "1.dcm",
        "2.dcm",
        "4.dcm",
    ]
