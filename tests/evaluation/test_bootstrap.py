"""Intervals hold what they promise."""

import numpy as np
import pytest

from medloop.evaluation.bootstrap import Figure, interval_95


def test_intervals_cover_a_known_mean_about_as_often_as_they_say():
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(150):
        sample = rng.normal(3.0, 1.0, 60)
        _, low, high = interval_95(
            lambda n, sample=sample: float(sample[n].mean()), cases=60, rng=rng, draws=200
        )
        inside += low <= 3.0 <= high
    assert 0.88 <= inside / 150 <= 0.99


def test_the_interval_of_a_mean_has_the_width_of_theory():
    sample = np.random.default_rng(2).standard_normal(400)
    value, low, high = interval_95(
        lambda n: float(sample[n].mean()), cases=400, rng=np.random.default_rng(3)
    )
    assert value == pytest.approx(sample.mean())
    assert high - low == pytest.approx(2 * 1.96 * sample.std() / 20, rel=0.1)


def test_the_same_generator_draws_the_same_interval():
    def once():
        rng = np.random.default_rng(4)
        return interval_95(lambda n: float(n.mean()), cases=9, rng=rng, draws=50)

    assert once() == once()


def test_draws_without_an_answer_are_left_out():
    def sometimes(n):
        return float(n.mean()) if n[0] else float("nan")

    _, low, high = interval_95(sometimes, cases=5, rng=np.random.default_rng(0), draws=100)
    assert 0 <= low <= high <= 4


def test_a_figure_says_its_interval_and_cases():
    table = Figure("kappa", 0.81234567, 0.7, 0.9, 394).as_table()
    assert table == {
        "name": "kappa",
        "value": 0.8123,
        "interval_95": [0.7, 0.9],
        "cases": 394,
    }
