"""``medloop predict`` with a network that finds objects."""

import csv
import json
from dataclasses import replace

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydicom import dcmread

from medloop.apps.cli import main
from medloop.core.geometry import Grid
from medloop.files.nifti import write_nifti
from medloop.learning.data.recognize import open_dataset
from medloop.models.architecture import center_unet
from medloop.models.bundle import CARD, PLAN, WEIGHTS, seal
from medloop.models.detection_plan import DetectionPlan
from medloop.models.segmentation_plan import PICTURES, Intensity
from tests.dicom.phantoms_written import write_ct
from tests.thorax import Ball, Chest, a_chest

SOLID = DetectionPlan(
    channels=("CT",),
    classes=("nodule",),
    spacing=(1.0, 1.0, 1.0),
    patch=(8, 8, 8),
    intensities=(Intensity(0, 200, 0, 200),),
    architecture=center_unet(3, 1, 1, widths=(4, 8)),
    size=(4.0, 6.0, 8.0),
)
FLAT = replace(
    SOLID,
    spacing=(1.0, 1.0),
    patch=(8, 8),
    architecture=center_unet(2, 1, 1, widths=(4, 8)),
    size=(4.0, 6.0),
    frame=PICTURES,
)


def predict(*typed):
    return main(["predict", *map(str, typed)])


def a_bundle(folder, plan):
    """A network whose score is a cell's mean, and whose boxes are of the typical size."""
    axes = len(plan.patch)
    mean = np.full((1, 1, *[2] * axes), 1 / 2**axes, np.float32)
    nothing = np.zeros((2 * axes, 1, *[2] * axes), np.float32)
    strides = {"strides": [2] * axes}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["heat"], **strides),
        helper.make_node("Conv", ["x", "z"], ["box"], **strides),
    ]
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, *plan.patch])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("heat", "box")],
        [numpy_helper.from_array(mean, "w"), numpy_helper.from_array(nothing, "z")],
    )
    folder.mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / WEIGHTS)
    (folder / PLAN).write_text(plan.to_json())
    (folder / CARD).write_text('name = "bright"\nversion = "0"\n')
    seal(folder)
    return folder


def a_volume(path, *dots):
    array = np.zeros((10, 12, 14), np.float32)
    for (k, j, i), value in dots:
        array[k : k + 2, j : j + 2, i : i + 2] = value
    affine = np.eye(4)[:, [2, 1, 0, 3]]
    affine[:3, 3] = (-20.0, 5.0, 100.0)
    write_nifti(array, Grid(array.shape, affine), path)


def test_objects_in_volumes_fill_a_table_with_lunas_columns(tmp_path, capsys):
    bundle = a_bundle(tmp_path / "bright", SOLID)
    scans = tmp_path / "scans"
    scans.mkdir()
    a_volume(scans / "1.2.7.nii.gz", ((2, 4, 8), 160.0), ((6, 8, 2), 100.0))
    a_volume(scans / "1.2.9.nii.gz")
    assert predict(bundle, scans, "-o", tmp_path / "out") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out/detections.csv")
    rows = list(csv.DictReader((tmp_path / "out/detections.csv").read_text().splitlines()))
    assert [row["seriesuid"] for row in rows] == ["1.2.7", "1.2.7"]
    assert [float(row["probability"]) for row in rows] == pytest.approx([0.8, 0.5])
    first = rows[0]
    center = [float(first[f"coord{axis}"]) for axis in "XYZ"]
    assert center == pytest.approx([-20 + 8.5, 5 + 4.5, 100 + 2.5], abs=1e-3)
    assert [float(first[f"size{axis}_mm"]) for axis in "XYZ"] == pytest.approx([8, 6, 4])
    assert float(first["diameter_mm"]) == pytest.approx(192 ** (1 / 3), abs=1e-3)
    assert first["class"] == "nodule"


def test_a_dicom_series_is_named_by_its_uid(tmp_path):
    bundle = a_bundle(tmp_path / "bright", SOLID)
    write_ct(tmp_path / "scan")
    pixels = np.zeros((40, 48), np.uint16)
    pixels[10:20, 10:20] = 160
    for path in (tmp_path / "scan").iterdir():
        data = dcmread(path)
        uid, data.PixelData = data.SeriesInstanceUID, pixels.tobytes()
        data.save_as(path)
    assert predict(bundle, tmp_path / "scan", "-o", tmp_path / "out") == 0
    rows = list(csv.DictReader((tmp_path / "out/detections.csv").read_text().splitlines()))
    assert {row["seriesuid"] for row in rows} == {uid}


def test_the_table_can_be_trained_on_again(tmp_path):
    bundle = a_bundle(tmp_path / "bright", SOLID)
    a_volume(tmp_path / "1.2.7.nii.gz", ((2, 4, 8), 160.0))
    predict(bundle, tmp_path / "1.2.7.nii.gz", "-o", tmp_path)
    (ball,) = open_dataset(tmp_path).cases[0].label.balls
    assert ball.center_lps_mm == pytest.approx((-11.5, 9.5, 102.5), abs=1e-3)


def test_objects_in_pictures_are_cocos_results(tmp_path):
    bundle = a_bundle(tmp_path / "bright", FLAT)
    for name in ("000042.png", "eye.png"):
        pixels = np.zeros((16, 20), np.uint8)
        pixels[4:6, 10:12] = 160
        cv2.imwrite(str(tmp_path / name), pixels)
    assert predict(bundle, tmp_path / "000042.png", tmp_path / "eye.png", "-o", tmp_path) == 0
    rows = json.loads((tmp_path / "detections.json").read_text())
    assert [row["image_id"] for row in rows] == [42, "eye"]
    # the middle of pixels 10 and 11 is the corner 11.0; typical size 6 wide and 4 high
    assert rows[0]["bbox"] == pytest.approx([8, 3, 6, 4])
    assert rows[0]["score"] == pytest.approx(0.8, abs=1e-4)
    assert (rows[0]["category_id"], rows[0]["category"]) == (1, "nodule")


def test_categories_keep_the_ids_of_the_data_that_were_learned_from(tmp_path):
    bundle = a_bundle(tmp_path / "bright", replace(FLAT, numbers=(7,)))
    cv2.imwrite(str(tmp_path / "eye.png"), np.full((16, 20), 160, np.uint8))
    assert predict(bundle, tmp_path / "eye.png", "-o", tmp_path) == 0
    rows = json.loads((tmp_path / "detections.json").read_text())
    assert {row["category_id"] for row in rows} == {7}


def test_a_picture_without_objects_leaves_an_empty_list(tmp_path):
    bundle = a_bundle(tmp_path / "bright", FLAT)
    cv2.imwrite(str(tmp_path / "eye.png"), np.zeros((16, 20), np.uint8))
    assert predict(bundle, tmp_path / "eye.png", "-o", tmp_path) == 0
    assert json.loads((tmp_path / "detections.json").read_text()) == []


def test_what_cannot_be_read_is_named_and_the_rest_is_done(tmp_path, capsys):
    bundle = a_bundle(tmp_path / "bright", SOLID)
    a_volume(tmp_path / "good.nii.gz", ((2, 4, 8), 160.0))
    (tmp_path / "bad.nii.gz").write_bytes(b"\x1f\x8b not a volume")
    typed = (tmp_path / "good.nii.gz", tmp_path / "bad.nii.gz", "-o", tmp_path / "out")
    assert predict(bundle, *typed) == 3
    assert "bad.nii.gz" in capsys.readouterr().err
    assert len((tmp_path / "out/detections.csv").read_text().splitlines()) == 2


def test_maps_of_probabilities_are_for_networks_that_segment(tmp_path, capsys):
    bundle = a_bundle(tmp_path / "bright", SOLID)
    typed = (tmp_path, "-o", tmp_path / "out", "--probabilities")
    assert predict(bundle, *typed) == 2
    assert "bright finds objects" in capsys.readouterr().err


@pytest.mark.slow
def test_places_that_may_be_nodules_fill_lunas_table(tmp_path):
    ball = Ball((-70.0, 10.0, 30.0), 12.0)
    chest = a_chest(Chest(balls=(ball,)))
    write_nifti(chest.volume.array, chest.volume.grid, tmp_path / "1.2.7.nii.gz")
    assert predict("lung_nodules", tmp_path / "1.2.7.nii.gz", "-o", tmp_path / "out") == 0
    rows = list(csv.DictReader((tmp_path / "out/detections.csv").read_text().splitlines()))
    chances = [float(row["probability"]) for row in rows]
    assert chances == sorted(chances, reverse=True)
    assert {row["seriesuid"] for row in rows} == {"1.2.7"}
    centers = np.array([[float(row[f"coord{axis}"]) for axis in "XYZ"] for row in rows])
    away = np.linalg.norm(centers - ball.center_mm, axis=1)
    assert away.min() < 2.0
