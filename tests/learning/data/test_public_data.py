"""Public data sets, as people have them."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from medloop.learning.data import (
    Task,
    check,
    make_split,
    open_dataset,
    read_boxes,
    read_image,
    survey,
)
from medloop.learning.data.check import problems_of

pytestmark = [pytest.mark.data, pytest.mark.slow]


def root(name: str) -> Path:
    path = Path(os.environ.get("MEDLOOP_DATA", "/nonexistent")) / name
    if not path.exists():
        pytest.skip(f"MEDLOOP_DATA/{name} is not here")
    return path


def test_eight_images_of_pneumonia_stand_in_both_parts():
    dataset = open_dataset(root("medmnist/pneumoniamnist.npz"))
    facts = survey(dataset)
    lines = [str(problem) for problem in problems_of(dataset, facts)]
    crossing = [line for line in lines if "val/" in line and "is in train, this in val" in line]
    assert len(crossing) == 8
    split = make_split(dataset, facts, folds=5, seed=0)
    by_pixels = {each.pixels: split.fold_of[each.case] for each in facts}
    assert all(by_pixels[each.pixels] == split.fold_of[each.case] for each in facts)


@pytest.mark.parametrize("name", ["breastmnist", "retinamnist"])
def test_the_other_medmnist_parts_are_sound(name):
    assert check(open_dataset(root(f"medmnist/{name}.npz"))) == ()


def test_the_hippocampi_are_sound_and_dealt_evenly():
    dataset = open_dataset(root("msd_hippocampus"))
    assert (dataset.task, len(dataset.cases)) == (Task.SEGMENTATION, 200)
    assert dataset.classes == {"1": (1,), "2": (2,)}
    facts = survey(dataset)
    assert problems_of(dataset, facts) == ()
    split = make_split(dataset, facts, folds=5, seed=0)
    assert [len(split.validation(fold)) for fold in range(5)] == [40] * 5


def test_a_nodule_of_a_table_is_found_in_its_dicom_series(tmp_path):
    scan = root("lidc/LIDC-IDRI-0001")
    with (root("lidc/metadata") / "nodules.csv").open() as lines:
        nodule = next(csv.DictReader(lines))
    assert nodule["PatientID"] == "LIDC-IDRI-0001"
    row, column, k = (
        (int(nodule[f"{axis}_start"]) + int(nodule[f"{axis}_stop"]) - 1) / 2 for axis in "xyz"
    )
    (tmp_path / "scan").mkdir()
    for file in scan.glob("*.dcm"):
        (tmp_path / "scan" / file.name).symlink_to(file)
    # By the scan's own header: first column and row at -166 and -171.7 mm, slices of 2.5 mm
    # that end at z = -10 mm.
    place = (-166 + 0.703125 * column, -171.699997 + 0.703125 * row, -340 + 2.5 * k)
    line = ",".join([nodule["SeriesID"], *map(str, place), nodule["Diameter"]])
    heading = "seriesuid,coordX,coordY,coordZ,diameter_mm"
    (tmp_path / "annotations.csv").write_text(f"{heading}\n{line}\n")
    dataset = open_dataset(tmp_path)
    image = read_image(dataset.cases[0])
    ((low, high),) = read_boxes(dataset.cases[0], image).edges
    middle = (low + high) / 2
    assert middle == pytest.approx((k, row, column), abs=1e-3)
    k0, j0, i0 = np.rint(middle).astype(int)
    core = image.array[0, k0 - 1 : k0 + 2, j0 - 4 : j0 + 5, i0 - 4 : i0 + 5]
    assert -100 < np.median(core) < 200  # a solid nodule, in HU; the lung around is below -600
