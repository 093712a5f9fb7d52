"""A head drawn as CT slices loses its face as DICOM, and says so."""

import json

import numpy as np
import pytest
from pydicom import dcmread

from medloop.apps.cli import main
from tests.dicom.slices import a_slice, save
from tests.imaging.test_deface import SPACING, a_head, volume_of

STEP = 3  # every third level: 9 mm


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory):
    """The slices before and after, from top to bottom, the head's parts, and the report."""
    folder = tmp_path_factory.mktemp("head")
    parts = a_head()
    volume = volume_of(parts)
    (folder / "in").mkdir()
    levels = range(0, len(volume.array), STEP)
    for number, k in enumerate(levels):
        stored = np.rint(volume.array[k] + 1024).astype(np.int16)
        image = a_slice((0.0, 0.0, k * SPACING), array=stored, BodyPartExamined="HEAD")
        image.PixelSpacing, image.PatientID = [SPACING, SPACING], "17"
        save(image, folder / "in" / f"{number % 7}-{number}.dcm")
    key = folder / "key"
    assert (
        main(
            [
                "deidentify",
                str(folder / "in"),
                str(folder / "out"),
                "--clean",
                "recognizable",
                "--key",
                str(key),
                "--jobs",
                "1",
            ]
        )
        == 0
    )
    before = [dcmread(path) for path in (folder / "in").iterdir()]
    after = [dcmread(path) for path in (folder / "out").iterdir()]
    by_height = lambda image: float(image.ImagePositionPatient[2])  # noqa: E731
    report = json.loads((folder / "report.json").read_text())
    return sorted(before, key=by_height), sorted(after, key=by_height), parts, report


def test_the_nose_is_air_and_the_brain_as_it_was(cleaned):
    before, after, parts, _ = cleaned
    old = np.stack([image.pixel_array for image in before])
    new = np.stack([image.pixel_array for image in after])
    nose, brain = parts["nose"][::STEP], parts["brain"][::STEP]
    assert (new[nose] < 100).mean() > 0.95
    assert np.array_equal(new[brain], old[brain])


def test_every_slice_says_that_its_features_cannot_be_recognized(cleaned):
    _, after, _, report = cleaned
    assert {image.RecognizableVisualFeatures for image in after} == {"NO"}
    codes = [item.CodeValue for item in after[0].DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113102"]
    assert all(row["defaced"] for row in report["files"])
    assert not any(row["warnings"] for row in report["files"])


def test_a_series_without_a_head_is_written_with_a_warning(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(4):
        image = a_slice((0.0, 0.0, 2.0 * number), BodyPartExamined="HEAD")
        save(image, tmp_path / "in" / f"{number}.dcm")
    arguments = ["deidentify", str(tmp_path / "in"), str(tmp_path / "out"), "--jobs", "1"]
    arguments += ["--clean", "recognizable", "--key", str(tmp_path / "key")]
    assert main(arguments) == 0
    image = dcmread(next((tmp_path / "out").iterdir()))
    assert image.RecognizableVisualFeatures == "YES"
    report = json.loads((tmp_path / "report.json").read_text())
    assert any("face was not removed" in text for text in report["files"][0]["warnings"])
