"""Agreement against values computed by hand."""

import math

import numpy as np
import pytest

from medloop.annotation.draft import mask_to_plain
from medloop.annotation.pairs import (
    DECIDED,
    MODEL,
    Measure,
    Seen,
    Task,
    agreements,
    kind_of,
    seen_of,
    value_for,
)
from tests.annotation.test_draft import a_finding, played

PAIR = ("li", "wang")
ICDR = Task("retina", Measure.GRADE, "ICDR")
VERDICT = Task("retina", Measure.VERDICT)


def told(seen, **how):
    return agreements(seen, rng=np.random.default_rng(1), draws=50, **how)


def pairs_of(task, table, names=PAIR):
    """What two said, from a table of counts: one's value, the other's value, how often."""
    each = [pair for pair, count in table.items() for _ in range(count)]
    return [Seen(task, job, names, pair) for job, pair in enumerate(each)]


def test_kappa_of_verdicts_is_that_of_the_textbook():
    # Cohen 1960's form: 20 both yes, 15 both no, 5 and 10 apart; po .7, pe .5, kappa .4.
    seen = pairs_of(VERDICT, {(1, 1): 20, (1, 0): 5, (0, 1): 10, (0, 0): 15})
    (found,) = told(seen)
    assert found.figure.value == pytest.approx(0.4)
    assert found.figure.low < 0.4 < found.figure.high
    assert (found.figure.cases, found.jobs, found.names) == (50, 50, PAIR)


def test_grades_weigh_by_the_square_of_how_far_they_are_apart():
    # Grades 0 and 2 only ever meet 1: sum w*o = 2 of 4, by chance w*e =
    # rows (1, 2, 1), columns (1, 2, 1) -> (2+2 + 4+4 ... )/4: computed below by the definition.
    table = {(0, 1): 1, (1, 1): 1, (1, 0): 1, (2, 2): 1}
    rows, columns = np.array([1, 2, 1]), np.array([1, 2, 1])
    weight = np.array([[0, 1, 4], [1, 0, 1], [4, 1, 0]])
    chance = (weight * np.outer(rows, columns)).sum() / 4
    (found,) = told(pairs_of(ICDR, table))
    assert chance == 4.0
    assert found.figure.value == pytest.approx(1 - 2 / 4.0)


def test_words_with_an_order_weigh_alike_and_others_do_not_weigh():
    near, far = {("1", "2"): 1, ("2", "2"): 3}, {("1", "4X"): 1, ("2", "2"): 3}
    for name, is_ordered in (("Lung-RADS", True), ("quality", False)):
        task = Task("lung", Measure.GRADE, name)
        values = [
            told([*pairs_of(task, table), Seen(task, 9, PAIR, ("4X", "4X"))])[0].figure.value
            for table in (near, far)
        ]
        assert (values[0] > values[1] + 0.1) is is_ordered


def test_one_grade_throughout_has_no_kappa():
    (found,) = told(pairs_of(ICDR, {(2, 2): 5}))
    assert not found.is_known
    assert found.is_few


def test_who_says_one_thing_throughout_is_told_apart():
    (found,) = told(pairs_of(ICDR, {(2, 1): 3, (2, 3): 3}))
    assert found.is_constant
    assert found.figure.value == 0
    (other,) = told(pairs_of(ICDR, {(2, 1): 3, (1, 3): 3}))
    assert not other.is_constant


def test_the_analysis_gives_no_verdict_on_what_it_proposed_itself():
    drafts = {"li": played(("reject", "1")), MODEL: played()}
    measures = {each.task.measure for each in seen_of(7, "retina", drafts)}
    assert measures == {Measure.GRADE, Measure.FINDINGS}


def test_one_result_alone_has_no_interval():
    (found,) = told([Seen(VERDICT, 7, PAIR, (1, 1)), Seen(VERDICT, 7, PAIR, (0, 0))])
    assert found.figure.value == 1
    assert math.isnan(found.figure.low)
    assert found.jobs == 1


def test_dice_is_the_mean_over_results_where_somebody_drew():
    task = Task("lung", Measure.MASK, "nodule")
    counts = [(8, 10), (0, 4), (0, 0)]  # Dice .8, 0, and nothing drawn by either
    seen = [Seen(task, job, PAIR, pair) for job, pair in enumerate(counts)]
    (found,) = told(seen)
    assert found.figure.value == pytest.approx(0.4)


def test_findings_agree_positively():
    task = Task("lung", Measure.FINDINGS)
    (found,) = told(pairs_of(task, {(1, 1): 3, (1, 0): 2}))
    assert found.figure.value == pytest.approx(2 * 3 / (5 + 3))


def test_what_two_said_of_a_result_comes_from_their_drafts():
    li = played(("reject", "1"), ("assess", "ICDR", 3), ("add", "a1", a_finding()))
    wang = played(("accept", "1"))
    seen = list(seen_of(7, "retina", {"li": li, "wang": wang}))
    values = {(each.task.measure, each.task.name): [] for each in seen}
    for each in seen:
        values[each.task.measure, each.task.name].append(each.values)
    assert values[Measure.GRADE, "ICDR"] == [(3, 2)]
    assert values[Measure.VERDICT, ""] == [(0, 1), (1, 1)]
    assert sorted(values[Measure.FINDINGS, ""]) == [(0, 1), (1, 0), (1, 1)]


def test_masks_are_compared_by_what_they_are_kept_as():
    li = played(("mask", "", mask_to_plain("a" * 64, {})))
    asked = []

    def voxels(one, other):
        asked.append((one, other))
        return {"lesion": (6, 8)}

    seen = list(seen_of(7, "retina", {"li": li, MODEL: played()}, voxels))
    assert asked == [("a" * 64, None)]
    assert seen[-1].values == (6, 8)


@pytest.mark.parametrize(
    ("segment", "kind"),
    [
        ("nodule 12", "nodule"),
        ("Lesion_3", "Lesion"),
        ("left kidney", "left kidney"),
        ("7", "7"),
    ],
)
def test_numbered_segments_are_of_one_kind(segment, kind):
    assert kind_of(segment) == kind


def test_all_readers_are_judged_together_when_there_are_three():
    drafts = {
        "li": played(("reject", "1")),
        "wang": played(("reject", "1")),
        "zhao": played(),
        DECIDED: played(("reject", "1")),
    }
    seen = list(seen_of(7, "retina", drafts))
    found = [each for each in told(seen) if each.task.measure is Measure.VERDICT]
    assert found[0].names == ()
    assert len(found) == 1 + 6
    # Three pairs over two findings, each pair both ways: (0,0)x2 (0,1)x4... by the definition:
    # li-wang (0,0) (1,1); li-zhao (0,1) (1,1); wang-zhao (0,1) (1,1) -> table [[2,2],[2,6]].
    assert found[0].figure.value == pytest.approx((8 / 12 - 80 / 144) / (1 - 80 / 144))
    by_names = {each.names: each.figure.value for each in found}
    assert by_names["li", "wang"] == 1


def test_the_gate_asks_for_the_worst_task_among_readers():
    mask = Measure.MASK
    seen = [
        Seen(Task("lung", mask, "a"), 1, PAIR, (9, 10)),
        Seen(Task("lung", mask, "b"), 1, PAIR, (5, 10)),
        Seen(Task("lung", mask, "b"), 1, ("li", MODEL), (1, 10)),
    ]
    found = told(seen)
    assert value_for(found, "lung", mask) == pytest.approx(0.5)
    assert value_for(found, "lung", mask, "a") == pytest.approx(0.9)
    assert math.isnan(value_for(found, "lung", Measure.GRADE))
    assert math.isnan(value_for(found, "brain", mask))
