"""Learning to outline: healthy photographs beside sick ones, and what is reported of a map."""

from dataclasses import replace

import numpy as np
import pytest

from medloop.evaluation.precision_recall import LEVELS
from tests.learning.photographs import a_quick_recipe, some_gradings, some_outlines

pytest.importorskip("torch", reason="torch is not installed")

from medloop.learning.lesions import coarsen
from medloop.learning.tasks import LesionTask, open_task


@pytest.fixture
def task(tmp_path) -> LesionTask:
    some_gradings(tmp_path, count=10)
    some_outlines(tmp_path, count=4)
    return open_task(a_quick_recipe("retina_lesions", healthy=0.5), tmp_path)


@pytest.mark.train
def test_only_photographs_without_either_disease_are_healthy(task):
    assert [example.grades for example in task.healthy] == [(0, 0)]
    assert len(task.healthy_fold) == len(task.healthy)


@pytest.mark.train
def test_healthy_photographs_of_the_held_out_fold_are_not_shown(task):
    (fold,) = task.healthy_fold
    folds = task.division.folds(task.recipe.of_folds)
    assert len(task.healthy_beside(np.flatnonzero(folds != fold))) == 0
    assert len(task.healthy_beside(np.arange(len(folds)))) == int(fold in folds)


@pytest.mark.train
def test_a_healthy_crop_asks_for_no_lesion_and_nothing_of_the_disc(task):
    canvas = task.pictures.canvases[0]
    plan = task.recipe.plan
    batches, _ = task.batches(np.arange(4))
    shown = replace(batches, healthy=(canvas,), share=1.0)
    _, targets = next(shown(np.random.default_rng(0)))
    disc = plan.classes.index("OD")
    assert (targets[:, disc] == -1).all()
    assert (np.delete(targets.numpy(), disc, axis=1) == 0).all()


@pytest.mark.train
def test_without_healthy_photographs_every_crop_shows_a_sick_one(task):
    batches, _ = task.batches(np.arange(4))
    _, targets = next(replace(batches, healthy=(), share=1.0)(np.random.default_rng(0)))
    assert (targets >= 0).all()


@pytest.mark.train
def test_a_coarser_picture_keeps_its_size_and_loses_detail():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    coarse = coarsen(picture, 0.5)
    assert coarse.shape == picture.shape
    assert coarse.std() < 0.7 * picture.std()
    assert coarsen(picture, 1.0) is picture


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
