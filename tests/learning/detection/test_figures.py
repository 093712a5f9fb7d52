"""Figures of a card: by hand, and against COCO's own tool."""

import contextlib
import io
import warnings
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from medloop.learning.detection.figures import best_threshold, detection_figures
from tests.models.test_detect import FLAT, SOLID

pytestmark = pytest.mark.train

NODULES = replace(
    SOLID,
    classes=("nodule",),
    architecture=replace(SOLID.architecture, classes=1),
)


def a_ball(center, diameter, **more):
    half = diameter / 2
    box = [*(c - half for c in center), *(c + half for c in center)]
    return {"class": 0, "box": box, **more}


def figures_of(plan, *parts):
    made = detection_figures(plan, parts, np.random.default_rng(0))
    return {figure.name: figure for figure in made}


ONE = a_ball((10, 10, 10), 6)
TWO = a_ball((30, 10, 10), 8)
HALF = {
    "name": ["a", "b", "c"],
    "truth": [[ONE], [TWO], []],
    "marks": [
        [a_ball((11, 10, 10), 6, score=0.9)],  # 1 mm off
        [a_ball((34.5, 10, 10), 8, score=0.8)],  # 4.5 mm off: beyond the radius
        [a_ball((5, 5, 5), 6, score=0.2)],
    ],
}


def test_sensitivity_and_cpm_are_those_of_luna16s_rules():
    told = figures_of(NODULES, HALF)
    assert told["sensitivity at 4 false marks per scan"].value == pytest.approx(0.5)
    assert told["CPM"].value == pytest.approx(0.5)
    assert told["CPM"].cases == 3
    assert told["CPM"].low <= 0.5 <= told["CPM"].high


def test_boxes_that_overlap_by_a_tenth_count_for_average_precision():
    # 4.5 mm off of 8: 3.5 / 12.5 = 0.28 in common, so both are found before the false mark
    assert figures_of(NODULES, HALF)["average precision at IoU 0.1"].value == pytest.approx(1)


def test_perfect_marks_are_perfect_and_folds_are_pooled():
    part = {"name": ["a"], "truth": [[ONE, TWO]]}
    part["marks"] = [[{**ONE, "score": 0.7}, {**TWO, "score": 0.6}]]
    told = figures_of(NODULES, part, part)
    assert told["CPM"].value == told["average precision at IoU 0.1"].value == 1
    assert told["CPM"].cases == 2


def test_the_threshold_has_the_best_f1():
    marks = [a_ball((10, 10, 10), 6, score=0.9), a_ball((50, 50, 50), 6, score=0.6)]
    part = {
        "name": ["a", "b"],
        "truth": [[ONE], [ONE]],
        "marks": [marks, [a_ball((10, 10, 10), 6, score=0.5)]],
    }
    # from 0.9: F1 = 2 / 3; from 0.5: 4 / 5
    assert best_threshold(NODULES, [part]) == 0.5
    told = figures_of(replace(NODULES, threshold=0.55), part)
    assert told["sensitivity at a score of 0.55"].value == 0.5
    assert told["false marks per case at a score of 0.55"].value == 0.5


def test_where_nothing_is_found_the_threshold_stays():
    part = {"name": ["a"], "truth": [[ONE]], "marks": [[]]}
    assert best_threshold(NODULES, [part]) == NODULES.threshold
    assert figures_of(NODULES, part)["CPM"].value == 0


def test_a_class_without_objects_has_no_figures():
    part = {"name": ["a"], "truth": [[]], "marks": [[{**ONE, "score": 0.9}]]}
    assert figures_of(NODULES, part) == {}


def test_average_precision_in_pictures_is_cocos():
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    judging = pytest.importorskip("pycocotools.cocoeval")
    rng = np.random.default_rng(11)
    part, truths, marks = _some_pictures(rng)
    table = {
        "images": [{"id": n} for n in range(12)],
        "categories": [{"id": 1, "name": "bright"}, {"id": 2, "name": "dark"}],
        "annotations": truths,
    }
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = coco.COCO()
        known.dataset = table
        known.createIndex()
        judge = judging.COCOeval(known, known.loadRes(marks), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert 0.2 < judge.stats[1] < 0.95
    ours = figures_of(FLAT, part)["mean average precision at IoU 0.5"].value
    assert ours == pytest.approx(judge.stats[1], abs=1e-6)


def _some_pictures(rng):
    part = {"name": [], "truth": [], "marks": []}
    truths, marks = [], []
    for picture in range(12):
        part["name"].append(str(picture))
        part["truth"].append([])
        part["marks"].append([])
        for _ in range(int(rng.integers(0, 6))):
            kind, (y, x), side = (
                int(rng.integers(0, 2)),
                rng.uniform(0, 80, 2),
                rng.uniform(8, 20),
            )
            part["truth"][-1].append({"class": kind, "box": [y, x, y + side, x + side]})
            truths.append(
                {
                    "id": len(truths) + 1,
                    "image_id": picture,
                    "category_id": kind + 1,
                    "bbox": [x, y, side, side],
                    "area": side**2,
                    "iscrowd": 0,
                }
            )
            for _ in range(int(rng.integers(0, 3))):
                v, u = rng.normal(0, 3, 2)
                score = float(rng.random())
                box = [y + v, x + u, y + v + side, x + u + side]
                part["marks"][-1].append({"class": kind, "box": box, "score": score})
                marks.append(
                    {
                        "image_id": picture,
                        "category_id": kind + 1,
                        "bbox": [x + u, y + v, side, side],
                        "score": score,
                    }
                )
    return part, truths, marks
