"""Programs of the benchmarks on tiny inputs: what they draw, and that sides answer."""

import numpy as np
import pytest
from benchmarks.memory import a_chest, enlarged, needed_gb, written
from benchmarks.page import TABLE
from benchmarks.workers import Worker
from pydicom import dcmread


def test_a_volume_is_enlarged_slice_by_slice_over_the_same_space():
    coarse = a_chest()
    fine = enlarged(coarse, 30)
    assert fine.array.shape == (30, 512, 512)
    extent = [n * mm for n, mm in zip(fine.array.shape, fine.grid.spacing_mm, strict=True)]
    sides = zip(coarse.array.shape, coarse.grid.spacing_mm, strict=True)
    np.testing.assert_allclose(extent, [n * mm for n, mm in sides])
    assert fine.array.mean() == pytest.approx(coarse.array.mean(), abs=3)


@pytest.mark.slow
def test_a_drawn_chest_says_that_it_is_one(tmp_path):
    liters = written("lung", 4, tmp_path / "ct")
    files = sorted((tmp_path / "ct").glob("*.dcm"))
    header = dcmread(files[0])
    assert len(files) == 4
    assert header.BodyPartExamined == "CHEST"
    assert liters == pytest.approx(0.36 * 0.32 * 0.36 * 1000, rel=0.02)


def test_the_need_of_nnunet_is_its_logits_on_both_grids_and_the_image():
    voxels = 10**6
    liters = 1.5**3 * voxels / 1e6  # as many voxels of the network as of the CT
    assert needed_gb(8, voxels, liters) == pytest.approx((8 * 2 * 2 + 4) * voxels / 2**30)


def test_a_table_on_the_page_begins_after_an_empty_line():
    assert TABLE.sub("\n\n|", "told\n| a |\n|---|\n| b |") == "told\n\n| a |\n|---|\n| b |"


@pytest.mark.slow
@pytest.mark.train
def test_a_side_answers_in_a_process_of_its_own(tmp_path):
    pytest.importorskip("monai")
    from benchmarks.windows import light_network  # noqa: PLC0415 (after the skip)

    light_network(tmp_path / "light.onnx")
    told = {}
    for side in ("medloop", "MONAI"):
        labels = tmp_path / f"{side}.npy"
        asked = ["--slices", "40", "--width", "64", "--side", side, "--out", str(labels)]
        worker = Worker.start("windows", [*asked, "--weights", str(tmp_path / "light.onnx")])
        told[side] = worker.ask()
        worker.stop()
        assert told[side]["ms"] > 0
    one, other = (np.load(tmp_path / f"{side}.npy") for side in told)
    assert (one == other).mean() > 0.999
