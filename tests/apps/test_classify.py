"""``medloop predict`` with a network that gives an image a class."""

import csv

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from medloop.apps.cli import main
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.files.nifti import write_nifti
from medloop.models.architecture import resnet
from medloop.models.bundle import CARD, PLAN, WEIGHTS, load_bundle, seal
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.segmentation_plan import PICTURES, VOLUMES, Intensity


def a_plan(channels=("image",), size=(8, 8), classes=("dark", "bright")):
    return ClassificationPlan(
        channels=channels,
        classes=classes,
        size=size,
        intensities=(Intensity(0, 255, 127, 64),) * len(channels),
        architecture=resnet(18, len(size), len(channels), 2, small=True),
        frame=PICTURES if len(size) == 2 else VOLUMES,
    )


def a_bundle(folder, plan):
    """A network whose logits are minus and plus the mean of the image."""
    channels, axes = len(plan.channels), len(plan.size)
    weight = np.array([[-1.0, 1.0]], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=list(range(1, 2 + axes)), keepdims=0),
        helper.make_node("Unsqueeze", ["m", "one"], ["column"]),
        helper.make_node("MatMul", ["column", "w"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, *plan.size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.array([1]), "one")],
    )
    folder.mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / WEIGHTS)
    (folder / PLAN).write_text(plan.to_json())
    (folder / CARD).write_text('name = "mean"\nversion = "0"\n')
    seal(folder)
    return folder


def predict(*typed):
    return main(["predict", *map(str, typed)])


def rows_of(folder):
    with (folder / "predictions.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_of_a_medmnist_file_are_a_table_in_their_order(tmp_path):
    bundle = a_bundle(tmp_path / "bundle", a_plan(classes=("0", "1")))
    images = np.full((3, 28, 28), 127, np.uint8)
    images[0], images[2] = 63, 191  # one deviation below and above the mean
    np.savez(tmp_path / "some.npz", test_images=images, test_labels=np.zeros((3, 1), np.uint8))
    assert predict(bundle, tmp_path / "some.npz", "-o", tmp_path / "out") == 0
    rows = rows_of(tmp_path / "out")
    assert list(rows[0]) == ["input", "prediction", "p_0", "p_1"]
    name = f"{tmp_path / 'some.npz'}#test_images"
    assert [row["input"] for row in rows] == [f"{name}/{n}" for n in range(3)]
    assert [rows[n]["prediction"] for n in (0, 2)] == ["0", "1"]
    odds = np.exp(2.0)
    assert float(rows[2]["p_1"]) == pytest.approx(odds / (1 + odds), abs=1e-5)
    assert float(rows[1]["p_1"]) == pytest.approx(0.5, abs=1e-5)


def test_classes_with_names_are_named(tmp_path):
    bundle = a_bundle(tmp_path / "bundle", a_plan())
    cv2.imwrite(str(tmp_path / "a.png"), np.full((20, 30), 250, np.uint8))
    assert predict(bundle, tmp_path / "a.png", "-o", tmp_path / "out") == 0
    (row,) = rows_of(tmp_path / "out")
    assert (row["prediction"], row["class"]) == ("1", "bright")


def test_gray_is_a_color_but_no_color_is_gray(tmp_path, capsys):
    colors = a_bundle(tmp_path / "colors", a_plan(("red", "green", "blue")))
    grays = a_bundle(tmp_path / "grays", a_plan())
    folder = tmp_path / "in"
    folder.mkdir()
    gray, color = np.full((9, 9), 200, np.uint8), np.zeros((9, 9, 3), np.uint8)
    color[..., 2] = 255
    cv2.imwrite(str(folder / "color.png"), color)
    cv2.imwrite(str(folder / "gray.png"), gray)
    assert predict(colors, folder, "-o", tmp_path / "out") == 0
    assert [row["class"] for row in rows_of(tmp_path / "out")] == ["dark", "bright"]
    assert predict(grays, folder, "-o", tmp_path / "other") == 3
    assert "color.png: is in color; the network reads gray pictures" in capsys.readouterr().err
    assert len(rows_of(tmp_path / "other")) == 1


def test_volumes_get_a_class_too_and_pictures_are_left_to_others(tmp_path, capsys):
    bundle = a_bundle(tmp_path / "bundle", a_plan(size=(4, 4, 4)))
    folder = tmp_path / "in"
    folder.mkdir()
    grid = Grid((5, 6, 7), np.eye(4)[:, [2, 1, 0, 3]])
    write_nifti(np.full(grid.shape, 240, np.int16), grid, folder / "scan.nii.gz")
    cv2.imwrite(str(folder / "a.png"), np.zeros((9, 9), np.uint8))
    assert predict(bundle, folder, "-o", tmp_path / "out") == 0
    assert [row["class"] for row in rows_of(tmp_path / "out")] == ["bright"]
    assert "a.png: is a picture; the bundle reads volumes" in capsys.readouterr().err


def test_maps_of_a_class_of_images_are_refused(tmp_path, capsys):
    bundle = a_bundle(tmp_path / "bundle", a_plan())
    code = predict(bundle, tmp_path, "-o", tmp_path / "out", "--probabilities")
    assert code == 2
    assert "mean classifies" in capsys.readouterr().err


def test_a_bundle_says_what_it_is_not_for(tmp_path):
    bundle = load_bundle(a_bundle(tmp_path / "bundle", a_plan()))
    with pytest.raises(InputError, match="is for classification, not segmentation"):
        _ = bundle.segmentation_plan
    with pytest.raises(InputError, match="is for classification, not for photographs"):
        _ = bundle.photograph_plan
