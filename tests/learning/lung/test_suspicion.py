"""Suspicion of malignancy: from readers' ratings to a probability."""

import numpy as np
import pytest

from medloop.learning.lung.readings import Contour, Reading, ScanReadings
from medloop.learning.lung.suspicion import Rated, fit_suspicion, rated, suspicion_figure
from medloop.models.nodule_plan import Suspicion


def reading(side_px, **ratings):
    square = np.array([(0, 0), (side_px, 0), (side_px, side_px), (0, side_px)])
    return Reading((Contour(0.0, square), Contour(2.5, square // 2)), ratings)


def test_a_nodule_is_what_its_readers_say_on_average():
    marks = [
        reading(10, malignancy=5, texture=5, calcification=6),
        reading(20, malignancy=4, texture=3, calcification=6),
        reading(30, malignancy=3, texture=3, calcification=4),
    ]
    found = rated([ScanReadings("1.2", tuple(marks), "P", 0.5, 2.5)])
    mean_mm = 2 * 0.5 * 20 / np.sqrt(np.pi)  # disks as large as the squares
    assert found.features[0] == pytest.approx([np.log(mean_mm), 0, 1, 1])
    assert found.suspected.tolist() == [True]
    two = rated([ScanReadings("1.2", tuple(marks[:2]), "P", 0.5, 2.5)])
    assert two.features.shape == (0, 4)


def a_population(rng, count=600):
    """Large nodules are suspected, calcified ones are not: a known logistic model."""
    size = rng.uniform(np.log(3), np.log(30), count)
    calcified = rng.random(count) < 0.2
    features = np.c_[size, np.zeros(count), np.zeros(count), calcified]
    logit = -8 + 4 * size - 3 * calcified
    suspected = rng.random(count) < 1 / (1 + np.exp(-logit))
    return Rated(tuple(f"P{n // 3}" for n in range(count)), features, suspected)


def test_the_model_that_drew_the_ratings_is_found_again():
    population = a_population(np.random.default_rng(0), 6000)
    fitted = fit_suspicion(population)
    assert fitted.is_known
    assert fitted.log_mm == pytest.approx(4, abs=0.5)
    assert fitted.calcified == pytest.approx(-3, abs=0.5)
    kind = {"is_non_solid": False, "is_part_solid": False}
    chances = [fitted.probability(mm, **kind, is_calcified=False) for mm in (4, 8, 16)]
    assert chances == pytest.approx(
        [1 / (1 + np.exp(8 - 4 * np.log(mm))) for mm in (4, 8, 16)], abs=0.06
    )
    assert fitted.probability(16, **kind, is_calcified=True) < chances[2]


def test_the_figure_is_better_than_chance_and_no_better_than_it_can_be():
    figure = suspicion_figure(a_population(np.random.default_rng(1)), np.random.default_rng(0))
    assert 0.8 < figure.low < figure.value < figure.high < 1


def test_few_nodules_are_not_learned_from():
    few = a_population(np.random.default_rng(0), 60)
    assert fit_suspicion(few) == Suspicion()
    assert not Suspicion().is_known
    assert suspicion_figure(few, np.random.default_rng(0)) is None
