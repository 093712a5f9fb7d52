"""``medloop predict`` with a network that segments."""

import json
from dataclasses import replace

import cv2
import nibabel as nib
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from medloop.apps.cli import main
from medloop.core.geometry import Grid
from medloop.files.nifti import write_nifti
from medloop.models.architecture import unet
from medloop.models.bundle import CARD, PLAN, WEIGHTS, seal
from medloop.models.segmentation_plan import PICTURES, Intensity, SegmentationPlan

PLAN_3D = SegmentationPlan(
    channels=("T1",),
    classes=("bright",),
    spacing_mm=(1.0, 1.0, 1.0),
    patch=(8, 8, 8),
    intensities=(Intensity(0, 200, 100, 10),),
    architecture=unet(3, 1, 2, widths=(4, 8)),
)


def predict(*typed):
    return main(["predict", *map(str, typed)])


@pytest.fixture
def bundle(tmp_path):
    return a_bundle(tmp_path / "bright", PLAN_3D)


def a_bundle(folder, plan):
    """A network that calls bright what is above the mean in the last channel."""
    channels = len(plan.channels)
    weight = np.zeros((2, channels, *[1] * len(plan.patch)), np.float32)
    weight[:, -1] = np.array([-1.0, 1.0]).reshape(2, *[1] * len(plan.patch))
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["score"]),
        helper.make_node("Softmax", ["score"], ["probability"], axis=1),
    ]
    shape = [1, channels, *plan.patch]
    graph = helper.make_graph(
        nodes,
        "bright",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    folder.mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / WEIGHTS)
    (folder / PLAN).write_text(plan.to_json())
    (folder / CARD).write_text('name = "bright"\nversion = "0"\n')
    seal(folder)
    return folder


def a_scan(path):
    """A bright box on a tilted, flipped, anisotropic grid."""
    array = np.full((9, 12, 14), 50, np.int16)
    array[2:6, 3:9, 4:11] = 150
    tilt = np.deg2rad(12)
    affine = np.eye(4)
    affine[:3, :3] = [[0, -np.sin(tilt), -0.9], [0, -np.cos(tilt), 0.1], [2.0, 0, 0]]
    write_nifti(array, Grid(array.shape, affine), path)
    return array == 150


def test_labels_lie_on_the_inputs_grid_under_its_stem(bundle, tmp_path):
    (tmp_path / "in").mkdir()
    truth = a_scan(tmp_path / "in" / "scan.a.nii.gz")
    code = predict(bundle, tmp_path / "in", "-o", tmp_path / "out")
    assert code == 0
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["scan.a.nii.gz"]
    ours = nib.load(tmp_path / "out/scan.a.nii.gz")
    source = nib.load(tmp_path / "in/scan.a.nii.gz")
    assert ours.get_data_dtype() == np.uint8
    np.testing.assert_allclose(ours.affine, source.affine, atol=1e-5)
    found = np.asarray(ours.dataobj).transpose(2, 1, 0) == 1
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9


def test_probabilities_lie_on_the_inputs_voxels(bundle, tmp_path):
    truth = a_scan(tmp_path / "scan.nii")
    code = predict(bundle, tmp_path / "scan.nii", "-o", tmp_path / "o", "--probabilities")
    assert code == 0
    with np.load(tmp_path / "o/scan.npz") as maps:
        assert list(maps) == ["bright"]
        assert maps["bright"].dtype == np.float16
        assert maps["bright"].shape == truth.shape
        assert maps["bright"][truth].mean() > 0.8
        assert maps["bright"][~truth].mean() < 0.2


def test_pictures_are_labelled_flat_and_volumes_refused(tmp_path, capsys):
    flat = replace(
        PLAN_3D,
        spacing_mm=(),
        patch=(8, 8),
        frame=PICTURES,
        architecture=unet(2, 1, 2, widths=(4, 8)),
    )
    bundle = a_bundle(tmp_path / "flat", flat)
    picture = np.full((20, 31), 50, np.uint8)
    picture[4:9, 7:19] = 150
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in/a.png"), picture)
    a_scan(tmp_path / "in/b.nii.gz")
    code = predict(bundle, tmp_path / "in", "-o", tmp_path / "out")
    assert code == 0
    assert "is a volume; the bundle reads pictures" in capsys.readouterr().err
    found = np.asarray(nib.load(tmp_path / "out/a.nii.gz").dataobj).transpose(2, 1, 0)[0]
    assert (found == (picture == 150)).all()


def test_a_photograph_is_no_volume(bundle, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 20), np.uint8))
    code = predict(bundle, tmp_path / "a.png", "-o", tmp_path / "out")
    assert code == 4
    assert "is a picture; the bundle reads volumes" in capsys.readouterr().err


def test_a_damaged_volume_is_named_and_the_rest_done(bundle, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    a_scan(tmp_path / "in/good.nii.gz")
    (tmp_path / "in/bad.nii.gz").write_bytes((tmp_path / "in/good.nii.gz").read_bytes()[:60])
    code = predict(bundle, tmp_path / "in", "-o", tmp_path / "out")
    assert code == 3
    assert "bad.nii.gz" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["good.nii.gz"]


def test_a_plan_with_a_frame_of_the_future_is_refused(bundle, tmp_path, capsys):
    plan = json.loads((bundle / PLAN).read_text())
    (bundle / PLAN).write_text(json.dumps(plan | {"frame": "ras/ijk"}))
    seal(bundle)
    a_scan(tmp_path / "scan.nii")
    code = predict(bundle, tmp_path / "scan.nii", "-o", tmp_path / "out")
    assert code == 3
    assert "frame 'ras/ijk'" in capsys.readouterr().err


TWO_CHANNELS = replace(
    PLAN_3D,
    channels=("T1", "T2"),
    intensities=PLAN_3D.intensities * 2,
    architecture=unet(3, 2, 2, widths=(4, 8)),
)


def test_channels_are_files_that_differ_in_their_number(tmp_path):
    bundle = a_bundle(tmp_path / "two", TWO_CHANNELS)
    inputs = tmp_path / "in"
    inputs.mkdir()
    for case in ("a", "b"):
        truth = a_scan(inputs / f"{case}_0001.nii.gz")
        dark = nib.load(inputs / f"{case}_0001.nii.gz")
        nib.save(
            nib.Nifti1Image(dark.get_fdata() * 0, dark.affine), inputs / f"{case}_0000.nii.gz"
        )
    assert predict(bundle, inputs, "-o", tmp_path / "out") == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.nii.gz", "b.nii.gz"]
    found = np.asarray(nib.load(tmp_path / "out/b.nii.gz").dataobj).transpose(2, 1, 0) == 1
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9


def test_a_channel_that_is_missing_or_lies_elsewhere_is_named(tmp_path, capsys):
    bundle = a_bundle(tmp_path / "two", TWO_CHANNELS)
    inputs = tmp_path / "in"
    inputs.mkdir()
    for name in ("a_0001", "b_0000", "b_0001", "alone"):
        a_scan(inputs / f"{name}.nii.gz")
    moved = nib.load(inputs / "b_0001.nii.gz")
    affine = moved.affine.copy()
    affine[0, 3] += 5
    nib.save(nib.Nifti1Image(np.asarray(moved.dataobj), affine), inputs / "b_0001.nii.gz")
    assert predict(bundle, inputs, "-o", tmp_path / "out") == 3
    said = capsys.readouterr().err
    assert "a_0001.nii.gz: a_0000, a channel, is missing" in said
    assert "b_0001.nii.gz: position differs by up to" in said
    assert "alone.nii.gz: is one channel, the network reads 2" in said


def test_pictures_of_16_bits_keep_their_values(tmp_path):
    flat = replace(
        PLAN_3D,
        spacing_mm=(),
        patch=(8, 8),
        intensities=(Intensity(0, 60000, 1000, 10),),
        frame=PICTURES,
        architecture=unet(2, 1, 2, widths=(4, 8)),
    )
    bundle = a_bundle(tmp_path / "flat", flat)
    picture = np.full((20, 31), 900, np.uint16)
    picture[4:9, 7:19] = 1100
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    assert predict(bundle, tmp_path / "a.png", "-o", tmp_path / "out") == 0
    found = np.asarray(nib.load(tmp_path / "out/a.nii.gz").dataobj).transpose(2, 1, 0)[0]
    assert (found == (picture == 1100)).all()
