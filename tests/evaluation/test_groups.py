"""Figures by group."""

import numpy as np
import pytest

from medloop.evaluation.classification import accuracy
from medloop.evaluation.groups import by_group, figures_by_group


def test_each_group_has_its_own_figure():
    values = np.array([1.0, 2.0, 10.0, 20.0, 30.0])
    sites = ["north", "north", "east", "east", "east"]
    east, north = by_group(values, sites, np.mean, np.random.default_rng(0), draws=200)
    assert (east.name, east.value, east.cases) == ("east", 20, 3)
    assert (north.name, north.value, north.cases) == ("north", 1.5, 2)
    assert 10 <= east.low <= 20 <= east.high <= 30
    assert north.high <= 2


def test_statistics_of_several_arrays_take_case_numbers():
    truth, given = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 1])
    sexes = ["F", "F", "M", "M"]
    found = by_group(
        np.arange(4), sexes, lambda n: accuracy(truth[n], given[n]), np.random.default_rng(0)
    )
    assert [(figure.name, figure.value) for figure in found] == [("F", 1), ("M", 0)]


def test_one_case_has_no_interval():
    (found,) = by_group(np.array([3.0]), ["alone"], np.mean, np.random.default_rng(0))
    assert (found.value, found.cases) == (3, 1)
    assert np.isnan([found.low, found.high]).all()


def test_groups_that_do_not_fit_the_values_are_refused():
    with pytest.raises(ValueError, match="groups"):
        by_group(np.zeros(3), ["a", "b"], np.mean, np.random.default_rng(0))


def test_a_small_group_is_counted_and_nothing_else_is_told():
    values = np.concatenate([np.full(9, 1.0), np.full(10, 2.0)])
    found = figures_by_group(
        lambda n: np.array([values[n].mean(), values[n].max()]),
        ["few"] * 9 + ["enough"] * 10,
        np.random.default_rng(0),
        names=("mean", "most"),
    )
    assert list(found) == ["enough", "few"]
    assert [(f.name, f.value, f.cases) for f in found["enough"]] == [
        ("mean", 2, 10),
        ("most", 2, 10),
    ]
    assert [figure.cases for figure in found["few"]] == [9, 9]
    assert all(np.isnan([f.value, f.low, f.high]).all() for f in found["few"])


def test_a_group_of_one_patient_has_an_interval_without_width():
    values = np.arange(20.0)
    (found,) = figures_by_group(
        lambda n: np.array([values[n].mean()]),
        ["all"] * 20,
        np.random.default_rng(0),
        names=("mean",),
        clusters=np.zeros(20, int),
    )["all"]
    assert (found.value, found.low, found.high) == (9.5, 9.5, 9.5)
