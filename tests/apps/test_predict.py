import csv
import zipfile
from datetime import UTC, datetime

import cv2
import nibabel as nib
import numpy as np
import pytest
from pydicom.data import get_testdata_file

from medloop.apps.cli import main
from medloop.core.study import Selection
from medloop.dicom.write import save
from medloop.dicom.write.photograph import photograph
from medloop.workflow.intake import FolderArchive, gather
from tests.apps.tiny_bundles import a_grading_bundle, a_lesion_bundle
from tests.imaging.eyes import draw_eye


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name, seed in (("b", 1), ("a", 2)):
        image = draw_eye(seed=seed)[:400, :, ::-1]
        (folder / f"{name}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    (folder / "labels.csv").write_text("not a picture")
    return folder


def rows_of(table):
    with table.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_grades_are_a_table_in_the_order_of_the_names(photographs, tmp_path, capsys):
    bundle = a_grading_bundle(tmp_path / "bundle", grade=3)
    assert main(["predict", str(bundle), str(photographs), "-o", str(tmp_path / "out")]) == 0
    rows = rows_of(tmp_path / "out/predictions.csv")
    assert [row["input"] for row in rows] == [str(photographs / f"{n}.png") for n in "ab"]
    first = ["input", "prediction", *(f"p_{grade}" for grade in range(5))]
    assert list(rows[0]) == [*first, "DME", *(f"DME_p_{grade}" for grade in range(3))]
    assert {(row["prediction"], row["DME"]) for row in rows} == {("3", "0")}
    assert sum(float(rows[0][f"p_{grade}"]) for grade in range(5)) == pytest.approx(1, abs=1e-5)
    assert sum(float(rows[0][f"DME_p_{grade}"]) for grade in range(3)) == pytest.approx(1)


def a_dicom_photograph(picture, path):
    """Wrap a picture file as an ophthalmic photograph."""
    intake = gather([picture], scratch=path.parent)
    (study,) = intake.studies
    case = FolderArchive(intake).case(study, Selection(study.series))
    path.parent.mkdir(parents=True, exist_ok=True)
    save(photograph(case, now=datetime(2026, 1, 1, tzinfo=UTC)), path)
    return path


def test_dicom_zips_and_nested_folders_are_read_as_analyze_reads_them(photographs, tmp_path):
    wrapped = a_dicom_photograph(photographs / "a.png", photographs / "deep/er/eye.dcm")
    uid_named = wrapped.rename(wrapped.with_name("1.2.840.7"))
    with zipfile.ZipFile(photographs / "more.zip", "w") as archive:
        archive.write(photographs / "b.png", "inside/c.png")
    bundle, out = a_lesion_bundle(tmp_path / "bundle"), tmp_path / "out"
    assert main(["predict", str(bundle), str(photographs), "-o", str(out)]) == 0
    names = {"a", "b", "c", "1.2.840.7"}
    assert {path.name for path in out.iterdir()} == {f"{name}.nii.gz" for name in names}
    maps = [nib.load(out / f"{name}.nii.gz") for name in ("a", "1.2.840.7")]
    assert np.array_equal(*(np.asarray(image.dataobj) for image in maps))
    grading, table = a_grading_bundle(tmp_path / "grading"), tmp_path / "table"
    assert main(["predict", str(grading), str(photographs), "-o", str(table)]) == 0
    parts = ("a.png", "b.png", uid_named.relative_to(photographs), "more.zip/inside/c.png")
    read = [row["input"] for row in rows_of(table / "predictions.csv")]
    assert read == [str(photographs / part) for part in parts]


def test_volumes_are_named_and_the_pictures_predicted(photographs, tmp_path, capsys):
    volume = tmp_path / "brain.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), volume)
    scan = get_testdata_file("CT_small.dcm")
    bundle, out = a_grading_bundle(tmp_path / "bundle"), tmp_path / "out"
    typed = ["predict", str(bundle), str(volume), scan, "-o", str(out)]
    assert main([*typed, str(photographs / "a.png")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert {line.partition(": ")[2] for line in lines} == {
        "is a volume; the bundle reads pictures"
    }
    assert len(lines) == 2
    assert len(rows_of(out / "predictions.csv")) == 1
    assert main(typed) == 4


def test_every_bad_input_is_named_and_leaves_nothing_half_written(
    photographs, tmp_path, capsys
):
    for name, content in (
        ("c.jpg", b""),
        ("d.png", b"\x89PNG\r\n\x1a\nIHDR"),
        ("e.zip", b"PK"),
    ):
        (photographs / name).write_bytes(content)
    np.savez(tmp_path / "mnist.npz", labels=np.zeros(3))
    bundle, out = a_lesion_bundle(tmp_path / "bundle"), tmp_path / "out"
    bad = [photographs / name for name in ("c.jpg", "d.png", "e.zip")]
    bad += [tmp_path / "mnist.npz", tmp_path / "absent.png"]
    given = [str(path) for path in (photographs, tmp_path / "mnist.npz", bad[-1])]
    assert main(["predict", str(bundle), *given, "-o", str(out)]) == 3
    assert {path.name for path in out.iterdir()} == {"a.nii.gz", "b.nii.gz"}
    lines = capsys.readouterr().err.splitlines()
    assert {line.partition(": ")[0] for line in lines} == {str(path) for path in bad}
    assert len(lines) == len(bad)


def test_medmnist_images_are_graded_row_by_row(tmp_path):
    bundle = a_grading_bundle(tmp_path / "bundle")
    images = np.random.default_rng(0).integers(0, 255, (3, 28, 28, 3), dtype=np.uint8)
    np.savez(tmp_path / "mnist.npz", test_images=images, test_labels=np.zeros((3, 1)))
    inputs = str(tmp_path / "mnist.npz")
    assert main(["predict", str(bundle), inputs, "-o", str(tmp_path / "out")]) == 0
    rows = rows_of(tmp_path / "out/predictions.csv")
    assert [row["input"] for row in rows] == [f"{inputs}#test_images/{n}" for n in range(3)]


def test_probabilities_are_half_floats_by_lesion_on_the_pixels(photographs, tmp_path):
    bundle, out = a_lesion_bundle(tmp_path / "bundle"), tmp_path / "out"
    typed = ["predict", str(bundle), str(photographs), "-o", str(out), "--probabilities"]
    assert main(typed) == 0
    assert sorted(path.name for path in out.iterdir()) == ["a.npz", "b.npz"]
    with np.load(out / "a.npz") as maps:
        assert set(maps.files) == {"MA", "HE", "EX", "SE"}
        assert {maps[name].dtype for name in maps.files} == {np.dtype(np.float16)}
        assert maps["EX"].shape == (400, 600)
        assert maps["EX"][200, 300] == pytest.approx(0.982, abs=0.002)
        assert maps["MA"][200, 300] == pytest.approx(0.018, abs=0.002)


def test_labels_are_bytes_on_the_grid_of_the_picture(photographs, tmp_path):
    bundle, out = a_lesion_bundle(tmp_path / "bundle"), tmp_path / "out"
    assert main(["predict", str(bundle), str(photographs / "a.png"), "-o", str(out)]) == 0
    assert [path.name for path in out.iterdir()] == ["a.nii.gz"]
    image = nib.load(out / "a.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert image.shape == (600, 400, 1)
    assert np.asarray(image.dataobj)[300, 200, 0] == 3  # EX


def test_a_broken_picture_is_named_and_the_rest_predicted(photographs, tmp_path, capsys):
    (photographs / "c.jpg").write_bytes(b"")
    bundle, out = a_grading_bundle(tmp_path / "bundle"), tmp_path / "out"
    assert main(["predict", str(bundle), str(photographs), "-o", str(out)]) == 3
    assert len(rows_of(out / "predictions.csv")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(str(photographs / "c.jpg"))


def test_files_of_the_same_stem_do_not_overwrite_each_other(photographs, tmp_path):
    (photographs / "a.jpg").write_bytes((photographs / "b.png").read_bytes())
    bundle, out = a_lesion_bundle(tmp_path / "bundle"), tmp_path / "out"
    main(["predict", str(bundle), str(photographs), "-o", str(out), "--probabilities"])
    assert sorted(path.name for path in out.iterdir()) == ["a-2.npz", "a.npz", "b.npz"]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["nowhere", "x.png"], "no bundle 'nowhere'"),
        (["BUNDLE", "x.png", "--probabilities"], "networks that segment"),
        (["BUNDLE", "x.png", "--precision", "int8"], "has no INT8 weights"),
        (["BUNDLE", "EMPTY"], "no picture among the inputs"),
    ],
)
def test_what_cannot_be_predicted_is_said_in_one_line(typed, says, tmp_path, capsys):
    bundle = a_grading_bundle(tmp_path / "bundle")
    (tmp_path / "empty").mkdir()
    named = {"BUNDLE": str(bundle), "EMPTY": str(tmp_path / "empty")}
    words = [named.get(word, word) for word in typed]
    assert main(["predict", *words, "-o", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_an_installed_bundle_is_known_by_name(photographs, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MEDLOOP_HOME", str(tmp_path / "home"))
    bundle = a_grading_bundle(tmp_path / "bundle")
    assert main(["models", "install", str(bundle)]) == 0
    assert main(["models", "list"]) == 0
    assert "retina_grading" in capsys.readouterr().out
    assert main(["models", "show", "retina_grading"]) == 0
    assert 'version = "0.0.1"' in capsys.readouterr().out


def test_a_damaged_bundle_is_refused(photographs, tmp_path, capsys):
    bundle = a_grading_bundle(tmp_path / "bundle")
    (bundle / "plan.json").write_text("{}")
    assert main(["predict", str(bundle), str(photographs), "-o", str(tmp_path / "out")]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "SHA-256" in line
