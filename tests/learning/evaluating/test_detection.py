"""Networks that find objects, measured on marks whose judgement is known."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from medloop.evaluation.froc import CPM_FALSE_PER_SCAN
from medloop.learning.data import CaseSource, Dataset, Kind, Task
from medloop.learning.evaluate import Wanted, evaluate
from medloop.learning.evaluating.cases import Chosen
from medloop.learning.evaluating.detection import (
    case_table,
    compare,
    curves,
    figures,
    judge,
)
from medloop.models.architecture import center_unet
from medloop.models.bundle import CARD, PLAN, WEIGHTS, load_bundle, seal
from medloop.models.detection_plan import DetectionPlan
from medloop.models.segmentation_plan import Intensity
from tests.learning.detection.phantoms import some_volumes
from tests.models.test_detect import SOLID

PLAN_3D = replace(
    SOLID,
    classes=("nodule",),
    architecture=center_unet(3, 1, 1, widths=(4, 8, 8)),
    intensities=(Intensity(-1000, 1000, 30, 5),),
    size=(9.0, 9.0, 9.0),
    threshold=0.5,
)


def objects(*centers, side=4.0):
    """Cubes around centers (x mm along each axis)."""
    half = side / 2
    return [
        {"class": 0, "box": [*(c - half for c in each), *(c + half for c in each)]}
        for each in centers
    ]


def marks(*scored):
    """Cubes with a score."""
    return [{**objects(center)[0], "score": score} for center, score in scored]


def some_cases(count):
    """Cases by name alone: what was found in them is told apart."""
    cases = tuple(CaseSource(f"scan{n}", f"scan{n}", Kind.SOLID, ()) for n in range(count))
    root = Path("nowhere")
    dataset = Dataset("drawn", "none", root, Task.DETECTION, ("CT",), {"nodule": (1,)}, cases)
    return Chosen(dataset, cases, None, {})


HERE, THERE, NOWHERE = (10.0, 10.0, 10.0), (30.0, 10.0, 10.0), (50.0, 50.0, 50.0)


@pytest.fixture
def found():
    """Two scans: three objects, two of them found, one false mark in between."""
    truth = [objects(HERE, THERE), objects(HERE)]
    told = [marks((HERE, 0.9), (NOWHERE, 0.6)), marks((HERE, 0.5))]
    return judge(PLAN_3D, truth, told)


def test_cpm_is_counted_by_hand(found):
    rows, _ = figures(found, some_cases(2), np.random.default_rng(0))
    values = {row.key: row.figure.value for row in rows}
    # 1/3 at no false mark, level to 1/2 a scan, there 2/3 as the next mark hits.
    curve = [np.interp(rate, [0, 0.5], [1 / 3, 1 / 3]) for rate in CPM_FALSE_PER_SCAN[:2]]
    wanted = [*curve, *[2 / 3] * 5]
    assert [values[f"froc_{rate:g}"] for rate in CPM_FALSE_PER_SCAN] == pytest.approx(wanted)
    assert values["cpm"] == pytest.approx(np.mean(wanted))
    assert values["sensitivity_at_threshold"] == pytest.approx(2 / 3)
    assert values["false_at_threshold"] == 0.5
    assert {row.figure.cases for row in rows} == {2}


def test_the_case_with_most_errors_is_first(found):
    table = case_table(found, some_cases(2))
    assert table.heads == ("case", "objects", "missed_objects", "false_marks")
    assert [row[1:] for row in table.rows] == [["2", "1", "1"], ["1", "0", "0"]]


def test_the_curve_runs_from_an_eighth_to_eight_within_its_band(found):
    (curve,) = curves(found, np.random.default_rng(0))
    across, up = curve.lines["nodule"]
    _, low, high = curve.bands["nodule"]
    assert (across[0], across[-1]) == (0, 1)
    assert (np.diff(up) >= 0).all()
    assert (np.array(low) <= np.array(high)).all()


def test_a_finder_of_everything_beats_one_of_nothing():
    truth = [objects(HERE)] * 12
    every = judge(PLAN_3D, truth, [marks((HERE, 0.9))] * 12)
    none = judge(PLAN_3D, truth, [[]] * 12)
    chosen = some_cases(12)
    ((key, name, result, test),) = compare(every, none, chosen, np.random.default_rng(0))
    assert (key, name, test) == ("cpm", "nodule", "bootstrap")
    assert (result.one, result.other) == (1, 0)
    assert result.p < 0.01


def a_bundle(folder, plan: DetectionPlan):
    """A network whose score is the mean of a cell, its boxes those of the typical size."""
    dims = len(plan.patch)
    cells = list(plan.cell)
    weight = np.zeros((1, len(plan.channels), *cells), np.float32)
    weight[:, 0] = 1 / np.prod(cells)
    nothing = np.zeros((2 * dims, len(plan.channels), *cells), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["score"], strides=cells),
        helper.make_node("Sigmoid", ["score"], ["heat"]),
        helper.make_node("Conv", ["x", "z"], ["box"], strides=cells),
    ]
    shape = [1, len(plan.channels), *plan.patch]
    graph = helper.make_graph(
        nodes,
        "cells",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in ("heat", "box")],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(nothing, "z")],
    )
    folder.mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / WEIGHTS)
    (folder / PLAN).write_text(plan.to_json())
    (folder / CARD).write_text('name = "cells"\nversion = "0"\n')
    seal(folder)
    return folder


@pytest.mark.slow
def test_bright_balls_are_found_and_compared_with_nothing_found(tmp_path):
    data = some_volumes(tmp_path / "data", 4)
    bundle = load_bundle(a_bundle(tmp_path / "cells", PLAN_3D))
    blind = replace(PLAN_3D, intensities=(Intensity(-1000, 1000, 300, 5),))
    other = load_bundle(a_bundle(tmp_path / "blind", blind))
    evaluate(bundle, data, tmp_path / "out", wanted=Wanted(against=other))
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    values = {figure["key"]: figure["value"] for figure in metrics["figures"]}
    assert metrics["task"] == "detection"
    assert metrics["objects"] == {"nodule": 9}
    assert values["sensitivity_at_threshold"] == 1
    assert values["froc_8"] == 1
    (against,) = metrics["against"]["figures"]
    assert (against["key"], against["other"]) == ("cpm", 0)
    page = (tmp_path / "out/report.html").read_text()
    assert "FROC curve" in page
    assert "<polygon" in page
