"""Figures by group."""

import numpy as np
import pytest

from medloop.evaluation.classification import accuracy
from medloop.evaluation.groups import by_group


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
