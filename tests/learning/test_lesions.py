"""Learning to outline: healthy photographs beside sick ones, and what is reported of a map."""

import numpy as np
import pytest

from medloop.evaluation.precision_recall import LEVELS
from tests.learning.photographs import a_quick_recipe, some_gradings, some_outlines

pytest.importorskip("torch", reason="torch is not installed")

from medloop.learning.tasks import LesionTask, open_task


@pytest.fixture
def task(tmp_path) -> LesionTask:
    some_gradings(tmp_path, count=10)
    some_outlines(tmp_path, count=4)
    return open_task(a_quick_recipe("retina_lesions", healthy_epochs=1), tmp_path)


@pytest.mark.train
def test_only_photographs_without_either_disease_are_healthy(task):
    assert [example.grades for example in task.healthy] == [(0, 0)]
    assert len(task.healthy_fold) == len(task.healthy)


@pytest.mark.train
def test_healthy_photographs_of_the_held_out_fold_are_not_shown(task):
    (fold,) = task.healthy_fold
    chosen = np.arange(4)
    assert task.restraint(task.network(), chosen, fold) is None
    assert task.restraint(task.network(), chosen, fold + 1) is not None


@pytest.mark.train
def test_a_healthy_photograph_has_no_lesion_and_sick_ones_have_a_blurred_copy(task):
    batches = task.restraint(task.network(), np.arange(4), None)
    pictures = batches.pictures
    assert len(pictures.canvases) == 4 + 1 + 4
    disc = 1 << task.recipe.plan.classes.index("OD")
    assert not (pictures.bits[4] & ~np.uint8(disc)).any()
    for sick, copy in zip(range(4), range(5, 9), strict=True):
        assert (pictures.bits[sick] == pictures.bits[copy]).all()
        assert pictures.canvases[sick].shape == pictures.canvases[copy].shape


@pytest.mark.train
def test_nine_in_ten_healthy_photographs_stay_below_the_peak(task):
    zeros = np.zeros((1, 5, LEVELS), int)
    positives, negatives = zeros.copy(), zeros.copy()
    positives[..., -100:] = 1
    negatives[..., :-110] = 1
    tops = [[n / 20, 0.01, 1.0, 0.6, 0.9] for n in range(20)]
    fold = {
        "name": ["eye"],
        "positives": positives.tolist(),
        "negatives": negatives.tolist(),
        "healthy_tops": tops,
    }
    plan = task.calibrate(task.recipe.plan, [fold])
    peaks = dict(zip(plan.classes, plan.peaks, strict=True))
    assert np.mean([top[0] < max(peaks["MA"], plan.thresholds[0]) for top in tops]) >= 0.9
    assert peaks["HE"] == plan.thresholds[1]
    assert peaks["EX"] == 0.9
    assert peaks["OD"] == 0
