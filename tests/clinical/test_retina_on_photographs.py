"""The shipped retina networks on real photographs whose truth ophthalmologists drew."""

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from medloop.apps.cli import main
from medloop.files.pictures import read_picture
from medloop.imaging.fundus import find_field
from medloop.imaging.landmarks import find_landmarks
from medloop.imaging.vessels import open_view
from medloop.models.bundle import load_bundle, shipped_bundles
from medloop.models.predict import open_predictor
from medloop.models.retina import segment

pytestmark = [pytest.mark.data, pytest.mark.slow]
DISC_PICTURES = 15
DISC_MEDIAN_PERCENT = 0.5  # of the picture's width; 0.2 was measured over all 54 pictures
LOST_PERCENT = 5.0  # beyond half a disc's diameter


@pytest.fixture(scope="module")
def idrid():
    folder = Path(os.environ.get("MEDLOOP_DATA", "/nonexistent")) / "idrid"
    if not folder.is_dir():
        pytest.skip("MEDLOOP_DATA/idrid is not here")
    return folder


def require(name):
    if name not in shipped_bundles():
        pytest.skip(f"the shipped bundle {name} is absent")


def test_lesion_maps_are_half_floats_on_the_pixels_of_photographs(idrid, tmp_path):
    require("retina_lesions")
    chosen = sorted((idrid / "lesions/images").iterdir())[:2]
    out = tmp_path / "out"
    typed = ["predict", "retina_lesions", *map(str, chosen), "-o", str(out), "--probabilities"]
    assert main(typed) == 0
    assert sorted(path.name for path in out.iterdir()) == [f"{p.stem}.npz" for p in chosen]
    for path in chosen:
        shape = cv2.imread(str(path)).shape[:2]
        with np.load(out / f"{path.stem}.npz") as maps:
            assert set(maps.files) == {"MA", "HE", "EX", "SE"}
            for name in maps.files:
                assert maps[name].dtype == np.float16
                assert maps[name].shape == shape
                assert 0 <= maps[name].min() <= maps[name].max() <= 1
            mask = cv2.imread(str(idrid / f"lesions/masks/EX/{path.stem}.png"), 0)
            exudates = maps["EX"].astype(np.float32)
        assert exudates[mask > 0].mean() > 5 * exudates[mask == 0].mean()


def test_grades_of_photographs_are_a_table_of_numbers(idrid, tmp_path):
    require("retina_grading")
    chosen = sorted((idrid / "grading/images").iterdir())[:3]
    assert main(["predict", "retina_grading", *map(str, chosen), "-o", str(tmp_path)]) == 0
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["input"] for row in rows] == [str(path) for path in chosen]
    for row in rows:
        for stem, grade, grades in (("", "prediction", 5), ("DME_", "DME", 3)):
            shares = [float(row[f"{stem}p_{k}"]) for k in range(grades)]
            assert sum(shares) == pytest.approx(1, abs=1e-5)
            below = sum(shares[: int(row[grade])])  # the grade is the median
            assert below <= 0.5 <= below + shares[int(row[grade])]


def test_the_disc_is_where_ophthalmologists_outlined_it(idrid):
    require("retina_lesions")
    bundle = load_bundle("retina_lesions")
    predictor = open_predictor(bundle)
    errors = []
    pictures = sorted((idrid / "lesions/images").iterdir())
    for path in pictures[:DISC_PICTURES]:
        rgb = read_picture(path).array
        field = find_field(rgb)
        disc_map = segment(predictor, rgb, field, bundle.plan)["OD"]
        found = find_landmarks(open_view(rgb, field), disc_map=disc_map).disc.center_px
        y, x = np.nonzero(cv2.imread(str(idrid / f"lesions/masks/OD/{path.stem}.png"), 0))
        error = np.hypot(found[0] - x.mean(), found[1] - y.mean())
        errors.append(100 * error / rgb.shape[1])
    assert np.median(errors) < DISC_MEDIAN_PERCENT
    assert max(errors) < LOST_PERCENT
