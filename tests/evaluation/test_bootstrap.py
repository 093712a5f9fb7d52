"""Intervals hold what they promise."""

import numpy as np
import pytest

from medloop.evaluation.bootstrap import Figure, interval_95, intervals_95


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


def test_several_statistics_get_the_intervals_of_one_alone():
    sample = np.random.default_rng(5).standard_normal(50)

    def both(n):
        return np.array([sample[n].mean(), sample[n].max()])

    value, low, high = intervals_95(both, cases=50, rng=np.random.default_rng(6), draws=99)
    alone = interval_95(
        lambda n: float(sample[n].mean()), cases=50, rng=np.random.default_rng(6), draws=99
    )
    assert (value[0], low[0], high[0]) == alone
    assert low[1] < high[1] == value[1]


def test_cases_of_one_patient_are_drawn_together():
    patients = np.array([0, 0, 0, 1, 2, 2])

    def check(n):
        counts = np.bincount(n, minlength=6)
        assert counts[0] == counts[1] == counts[2]
        assert counts[4] == counts[5]
        return 1.0

    interval_95(check, cases=6, rng=np.random.default_rng(0), draws=20, clusters=patients)


def test_copies_of_cases_do_not_narrow_the_interval_of_their_patients():
    sample = np.random.default_rng(7).standard_normal(60)
    copied = np.repeat(sample, 5)
    _, low, high = interval_95(
        lambda n: float(sample[n].mean()), cases=60, rng=np.random.default_rng(8)
    )
    _, *together = interval_95(
        lambda n: float(copied[n].mean()),
        cases=300,
        rng=np.random.default_rng(8),
        clusters=np.repeat(np.arange(60), 5),
    )
    assert together == pytest.approx([low, high])
