"""Networks that segment, measured end to end on scans with a known answer."""

import csv
import json
from dataclasses import replace

import cv2
import nibabel as nib
import numpy as np
import pytest

from medloop.apps.cli import main
from medloop.core.errors import InputError
from medloop.learning.evaluate import Wanted, evaluate
from medloop.learning.evaluating.segmentation import measure
from medloop.learning.evaluating.words import Language
from medloop.models.architecture import unet
from medloop.models.bundle import load_bundle
from medloop.models.segmentation_plan import PICTURES, Intensity
from tests.apps.test_label import PLAN_3D, a_bundle
from tests.learning.evaluating.tiny import some_scans, write_table

PLAN = replace(PLAN_3D, spacing_mm=(2.0, 1.0, 1.0))
# Of two 4 x 4 x 4 boxes, 0 or 1 row apart: voxels in common, over all of both.
DICE = {0: 1.0, 1: 2 * 48 / 128, 2: 2 * 32 / 128, 4: 0.0}


@pytest.fixture
def bundle(tmp_path):
    return load_bundle(a_bundle(tmp_path / "bright", PLAN))


def metrics_of(out):
    return json.loads((out / "metrics.json").read_text())


def figure(metrics, key, name="bright"):
    (found,) = [f for f in metrics["figures"] if (f["key"], f["class"]) == (key, name)]
    return found


def test_figures_are_those_of_boxes_a_row_apart(bundle, tmp_path):
    data = some_scans(tmp_path / "data", shifts=(0, 1, 1, 2))
    evaluate(bundle, data, tmp_path / "out")
    metrics = metrics_of(tmp_path / "out")
    dice = [DICE[0], DICE[1], DICE[1], DICE[2]]
    assert metrics["task"] == "segmentation"
    assert metrics["data"]["cases"] == 4
    assert figure(metrics, "dice")["value"] == pytest.approx(np.mean(dice), abs=1e-4)
    low, high = figure(metrics, "dice")["interval_95"]
    assert min(dice) <= low < np.mean(dice) < high <= max(dice)
    # One row apart, every border voxel is 0 or 1 mm off and the face that moved sets HD95.
    assert figure(metrics, "hd95")["value"] == pytest.approx((0 + 1 + 1 + 2) / 4)
    assert figure(metrics, "hd95")["unit"] == "mm"
    assert figure(metrics, "surface_dice_2")["value"] == pytest.approx(1)
    assert figure(metrics, "volume_difference")["value"] == 0
    assert figure(metrics, "missed")["value"] == 0


def test_cases_are_listed_the_worst_first(bundle, tmp_path):
    data = some_scans(tmp_path / "data", shifts=(1, 0, 2))
    evaluate(bundle, data, tmp_path / "out")
    with (tmp_path / "out/cases.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["case"] for row in rows] == ["scan2", "scan0", "scan1"]
    assert [float(row["dice_bright"]) for row in rows] == [DICE[2], DICE[1], DICE[0]]
    assert float(rows[0]["true_volume_bright"]) == 64 * 2
    page = (tmp_path / "out/report.html").read_text()
    assert "data:image/png;base64" in page
    assert page.index("scan2") < page.index("scan1")
    assert "http" not in page  # self-contained


def test_subgroups_are_those_of_the_table_and_small_ones_are_not_reported(bundle, tmp_path):
    data = some_scans(
        tmp_path / "data",
        shifts=(0,) * 10 + (1,) * 4,
        sex=["F"] * 10 + ["M"] * 4,
        age=["30"] * 7 + ["70"] * 7,
    )
    evaluate(bundle, data, tmp_path / "out")
    groups = metrics_of(tmp_path / "out")["groups"]
    assert set(groups) == {"sex", "age"}
    assert (groups["sex"]["F"]["cases"], groups["sex"]["F"]["reported"]) == (10, True)
    assert groups["sex"]["F"]["figures"][0]["value"] == 1
    assert groups["sex"]["M"] == {
        "cases": 4,
        "reported": False,
        "figures": [groups["sex"]["M"]["figures"][0]],
    }
    assert groups["sex"]["M"]["figures"][0]["value"] is None
    assert set(groups["age"]) == {"18-39", "65+"}
    assert "not reported" in (tmp_path / "out/report.html").read_text()


def test_cases_of_one_patient_are_drawn_together(bundle, tmp_path):
    shifts = (0, 0, 2, 2)
    data = some_scans(tmp_path / "data", shifts=shifts, patient=["a", "a", "b", "b"])
    evaluate(bundle, data, tmp_path / "out")
    metrics = metrics_of(tmp_path / "out")
    assert metrics["data"]["patients"] == 2
    assert figure(metrics, "dice")["interval_95"] == [DICE[2], DICE[0]]


def test_another_bundle_is_compared_on_the_same_cases(bundle, tmp_path):
    data = some_scans(tmp_path / "data", shifts=(0,) * 12)
    blind = replace(PLAN, intensities=(Intensity(0, 200, 300, 10),))
    other = load_bundle(a_bundle(tmp_path / "blind", blind))
    evaluate(bundle, data, tmp_path / "out", wanted=Wanted(against=other))
    found = metrics_of(tmp_path / "out")["against"]["figures"]
    (dice,) = [f for f in found if f["key"] == "dice"]
    assert (dice["this"], dice["other"], dice["difference"]) == (1, 0, 1)
    assert dice["p"] < 0.01
    (hd95,) = [f for f in found if f["key"] == "hd95"]
    assert hd95["difference"] is None  # one that finds nothing has no distance


def test_a_class_that_is_never_found_is_missed_in_every_case(tmp_path):
    blind = replace(PLAN, intensities=(Intensity(0, 200, 300, 10),))
    bundle = load_bundle(a_bundle(tmp_path / "blind", blind))
    evaluate(bundle, some_scans(tmp_path / "data"), tmp_path / "out")
    metrics = metrics_of(tmp_path / "out")
    assert figure(metrics, "missed")["value"] == 1
    assert figure(metrics, "dice")["value"] == 0
    assert figure(metrics, "surface_dice_3")["value"] == 0
    assert figure(metrics, "hd95") | {"value": None, "cases": 0} == figure(metrics, "hd95")


def test_pictures_are_measured_in_pixels(tmp_path):
    plan = replace(
        PLAN_3D,
        channels=("red", "green", "blue"),
        spacing_mm=(),
        patch=(16, 16),
        intensities=(Intensity(0, 255, 127, 10),) * 3,
        architecture=unet(2, 3, 2, widths=(4, 8)),
        frame=PICTURES,
    )
    bundle = load_bundle(a_bundle(tmp_path / "bundle", plan))
    for part in ("images", "masks"):
        (tmp_path / "data" / part).mkdir(parents=True)
    for n in range(2):
        picture, mask = np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.uint8)
        picture[5:11, 5:11] = 255
        mask[5:11, 5 + n : 11 + n] = 1
        cv2.imwrite(str(tmp_path / f"data/images/{n}.png"), picture)
        cv2.imwrite(str(tmp_path / f"data/masks/{n}.png"), mask)
    evaluate(bundle, tmp_path / "data", tmp_path / "out")
    metrics = metrics_of(tmp_path / "out")
    assert figure(metrics, "dice")["value"] == pytest.approx((1 + 30 / 36) / 2, abs=1e-4)
    assert figure(metrics, "hd95")["unit"] == "px"
    assert figure(metrics, "hd95")["value"] == 0.5
    assert figure(metrics, "volume_error")["unit"] == "px2"
    assert any("2 cases" in warning for warning in metrics["warnings"])


def test_a_scan_that_cannot_be_read_is_left_out_and_named(bundle, tmp_path, capsys):
    data = some_scans(tmp_path / "data")
    (data / "scan1.nii.gz").write_bytes(b"no image")
    code = main(
        ["evaluate", str(bundle.folder), "--data", str(data), "-o", str(tmp_path / "out")]
    )
    told = capsys.readouterr().err
    assert code == 3
    assert "1 case was left out: scan1: scan1.nii.gz" in told
    assert metrics_of(tmp_path / "out")["data"]["left_out"] == 1
    assert metrics_of(tmp_path / "out")["data"]["cases"] == 3


def test_classes_of_another_number_and_name_are_refused(bundle, tmp_path):
    data = some_scans(tmp_path / "data")
    rows = [{"image": f"scan{n}.nii.gz", "label": f"mask{n}.nii.gz"} for n in range(4)]
    write_table(data / "labels.csv", rows, {})
    mask = data / "mask3.nii.gz"
    some_scans(tmp_path / "more", shifts=(0,))
    image = nib.load(tmp_path / "more/mask0.nii.gz")
    array = np.asarray(image.dataobj).copy()
    array[0, 0, 0] = 2
    nib.save(nib.Nifti1Image(array, image.affine), mask)
    with pytest.raises(InputError, match="2 classes"):
        evaluate(bundle, data, tmp_path / "out")


def test_the_page_is_written_in_chinese(bundle, tmp_path):
    data = some_scans(tmp_path / "data")
    evaluate(bundle, data, tmp_path / "out", wanted=Wanted(language=Language.CHINESE))
    page = (tmp_path / "out/report.html").read_text()
    assert '<html lang="zh">' in page
    assert "95% 豪斯多夫距离" in page
    assert "HD95" not in page


def test_the_same_bundle_and_data_give_the_same_bytes(bundle, tmp_path):
    data = some_scans(tmp_path / "data", shifts=(0, 1, 2))
    for out in ("one", "two"):
        evaluate(bundle, data, tmp_path / out)
    for name in ("metrics.json", "report.html", "cases.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_figures_of_a_case_are_monais():
    metrics = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.standard_normal((24, 28)), (0, 0), 3)
    truth = np.stack([smooth > 0.02] * 3).astype(int)
    found = np.roll(truth, 2, axis=2)
    spacing = (2.5, 0.8, 1.2)
    ours = measure(truth, found, spacing, 1)
    one_hot = [torch.tensor(m)[None, None].float() for m in (found, truth)]
    given = {"include_background": True, "spacing": spacing}
    dice = metrics.compute_dice(*one_hot).item()
    hd95 = metrics.compute_hausdorff_distance(*one_hot, percentile=95, **given).item()
    mean = metrics.compute_average_surface_distance(*one_hot, symmetric=True, **given)
    surface = metrics.compute_surface_dice(
        *one_hot, class_thresholds=[2.0], use_subvoxels=True, **given
    )
    assert ours["dice"][0] == pytest.approx(dice)
    assert ours["hd95"][0] == pytest.approx(hd95, rel=1e-5)
    assert ours["mean_surface_distance"][0] == pytest.approx(mean.item(), rel=1e-5)
    assert ours["surface_dice_2"][0] == pytest.approx(surface.item(), abs=1e-5)
