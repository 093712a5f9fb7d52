import csv

import cv2
import nibabel as nib
import numpy as np
import pytest

from medloop.apps.cli import main
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
    assert list(rows[0]) == ["input", "prediction", *(f"p_{grade}" for grade in range(5))]
    assert {row["prediction"] for row in rows} == {"3"}
    assert sum(float(rows[0][f"p_{grade}"]) for grade in range(5)) == pytest.approx(1, abs=1e-5)


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
