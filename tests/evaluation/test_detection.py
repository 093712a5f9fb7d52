"""Matching and average precision, by hand and by MONAI's COCO."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.evaluation.detection import (
    Matched,
    average_precision,
    box_iou,
    match_boxes,
    match_points,
)

NODULES = np.array([[0.0, 0, 0], [50, 0, 0], [0, 50, 0]])
RADII = np.array([5.0, 4, 5])
RELEVANT = np.array([True, True, False])


def matched(marks, score, **options):
    return match_points(NODULES, RADII, np.array(marks, float), np.array(score), **options)


def test_the_best_of_several_hits_counts_and_the_others_do_not():
    found = matched([[3, 0, 0], [1, 0, 0]], [0.5, 0.9], relevant=RELEVANT)
    assert found.hits.tolist() == [0.9, -math.inf]
    assert (found.alarms.tolist(), found.ignored) == ([], 1)


def test_marks_on_irrelevant_findings_count_nothing():
    found = matched([[0, 50, 1]], [0.95], relevant=RELEVANT)
    assert np.isneginf(found.hits).all()
    assert (found.alarms.tolist(), found.ignored) == ([], 1)


def test_all_findings_are_relevant_unless_said():
    assert matched([[0, 50, 1]], [0.95]).hits.tolist() == [-math.inf, -math.inf, 0.95]


def test_a_mark_at_the_radius_is_no_hit():
    found = matched([[54, 0, 0], [53.9, 0, 0]], [0.8, 0.2], relevant=RELEVANT)
    assert found.hits.tolist() == [-math.inf, 0.2]
    assert found.alarms.tolist() == [0.8]


def test_one_mark_may_find_two_findings_that_overlap():
    found = match_points(
        np.array([[0.0, 0], [4, 0]]), np.array([5.0, 5]), np.array([[2.0, 0]]), np.array([0.7])
    )
    assert found.hits.tolist() == [0.7, 0.7]
    assert (len(found.alarms), found.ignored) == (0, 0)


def test_a_scan_without_findings_has_only_false_marks():
    found = match_points(np.zeros((0, 3)), np.zeros(0), np.zeros((2, 3)), np.array([0.1, 0.2]))
    assert len(found.hits) == 0
    assert found.alarms.tolist() == [0.1, 0.2]


def test_a_scan_without_marks_has_missed_all():
    found = match_points(NODULES, RADII, np.zeros((0, 3)), np.zeros(0), relevant=RELEVANT)
    assert np.isneginf(found.hits).all()
    assert len(found.hits) == 2


@given(st.integers(0, 2**32 - 1))
def test_every_mark_is_a_hit_a_false_mark_or_ignored(seed):
    rng = np.random.default_rng(seed)
    f, m = rng.integers(0, 6), rng.integers(0, 12)
    truth, radius = 100 * np.arange(f)[:, None] + np.zeros(3), rng.uniform(1, 9, f)
    marks = rng.choice(600, (m, 1)) + rng.uniform(-9, 9, (m, 3))
    found = match_points(truth, radius, marks, rng.random(m), relevant=rng.random(f) < 0.7)
    assert np.isfinite(found.hits).sum() + len(found.alarms) + found.ignored == m


@pytest.mark.parametrize(
    ("marks", "score", "radii", "what"),
    [
        (np.zeros((2, 3)), np.zeros(1), RADII, "scores"),
        (np.zeros((1, 3)), np.full(1, np.nan), RADII, "finite"),
        (np.zeros((1, 3)), np.zeros(1), RADII[:2], "radii"),
        (np.zeros((1, 3)), np.zeros(1), -RADII, "positive"),
    ],
)
def test_marks_that_cannot_be_judged_are_refused(marks, score, radii, what):
    with pytest.raises(ValueError, match=what):
        match_points(NODULES, radii, marks, score)


def test_overlap_of_boxes_is_worked_out_by_hand():
    one = np.array([[0.0, 0, 2, 2], [0, 0, 0, 0]])
    other = np.array([[1.0, 1, 3, 3], [5, 5, 6, 6], [0, 0, 2, 2]])
    assert box_iou(one, other) == pytest.approx(np.array([[1 / 7, 0, 1], [0, 0, 0]]))
    cubes = box_iou(np.array([[0.0, 0, 0, 2, 2, 2]]), np.array([[0.0, 0, 1, 2, 2, 3]]))
    assert cubes == pytest.approx(1 / 3)


def test_a_box_inside_out_is_refused():
    with pytest.raises(ValueError, match="corner"):
        box_iou(np.array([[2.0, 0, 0, 2]]), np.array([[0.0, 0, 1, 1]]))


def test_the_second_box_on_a_finding_is_false():
    truth = np.array([[0.0, 0, 10, 10]])
    boxes = np.array([[0.0, 0, 10, 9], [0.0, 0, 10, 10]])
    found = match_boxes(truth, boxes, np.array([0.9, 0.8]), least_iou=0.5)
    assert (found.hits.tolist(), found.alarms.tolist()) == ([0.9], [0.8])


def test_boxes_on_irrelevant_findings_count_nothing():
    truth = np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    boxes = np.array([[20.0, 20, 30, 29], [20, 20, 29, 30], [0, 0, 10, 9], [50, 50, 60, 60]])
    found = match_boxes(
        truth,
        boxes,
        np.array([0.9, 0.8, 0.7, 0.6]),
        least_iou=0.5,
        relevant=np.array([True, False]),
    )
    assert (found.hits.tolist(), found.alarms.tolist(), found.ignored) == ([0.7], [0.6], 2)


def test_a_box_takes_the_finding_it_overlaps_most():
    truth = np.array([[0.0, 0, 10, 10], [2, 0, 12, 10]])
    found = match_boxes(truth, np.array([[2.0, 0, 12, 10]]), np.array([0.9]), least_iou=0.5)
    assert found.hits.tolist() == [-math.inf, 0.9]


def test_average_precision_is_worked_out_by_hand():
    # found at .9 and .7 of three findings, false at .8: precision 1 up to recall 1/3 (34 of 101
    # levels), 2/3 up to recall 2/3 (33 levels), then 0
    scans = [
        Matched(np.array([0.9, -math.inf]), np.array([0.8])),
        Matched(np.array([0.7]), np.array([])),
    ]
    assert average_precision(scans) == pytest.approx((34 + 33 * 2 / 3) / 101)


def test_no_findings_have_no_average_precision():
    assert np.isnan(average_precision([Matched(np.zeros(0), np.array([0.5]))]))
    assert average_precision([Matched(np.full(2, -math.inf), np.zeros(0))]) == 0


@pytest.mark.train
@pytest.mark.parametrize("axes", [2, 3])
def test_average_precision_is_that_of_coco_in_monai(axes):
    coco = pytest.importorskip("monai.apps.detection.metrics.coco")
    matching = pytest.importorskip("monai.apps.detection.metrics.matching")
    rng = np.random.default_rng(axes)
    truths, boxes, scores = [], [], []
    for _ in range(12):
        corner = rng.uniform(0, 60, (rng.integers(0, 5), axes))
        truth = np.concatenate([corner, corner + rng.uniform(8, 16, corner.shape)], axis=1)
        shaken = np.repeat(truth, 2, axis=0) + rng.normal(0, 1, (2 * len(truth), 2 * axes))
        stray = rng.uniform(0, 60, (3, axes))
        truths.append(truth)
        boxes.append(np.concatenate([shaken, np.concatenate([stray, stray + 9], axis=1)]))
        scores.append(rng.random(len(boxes[-1])))
    metric = coco.COCOMetric(
        ["finding"], iou_list=[0.3, 0.5], max_detection=[100], verbose=False
    )
    results = matching.matching_batch(
        box_iou,
        metric.iou_thresholds,
        boxes,
        [np.zeros(len(b), int) for b in boxes],
        scores,
        truths,
        [np.zeros(len(t), int) for t in truths],
    )
    theirs, _ = metric(results)
    for least in (0.3, 0.5):
        ours = average_precision(
            [
                match_boxes(*scan, least_iou=least)
                for scan in zip(truths, boxes, scores, strict=True)
            ]
        )
        assert 0.1 < ours < 0.95
        assert ours == pytest.approx(theirs[f"AP_IoU_{least:.2f}_MaxDet_100"])
