"""Divisions that leak nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medloop.learning.folds import stratified_folds

members = st.lists(
    st.tuples(st.integers(0, 30), st.tuples(st.integers(0, 4))), min_size=1, max_size=120
)


@given(members, st.integers(2, 6), st.integers(0, 9))
def test_a_group_is_never_divided(rows, folds, seed):
    groups = np.array([group for group, _ in rows])
    found = stratified_folds(groups, [s for _, s in rows], folds=folds, seed=seed)
    assert all(len(set(found[groups == g])) == 1 for g in groups)
    assert set(found) <= set(range(folds))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=120), st.integers(2, 6))
def test_each_stratum_is_dealt_out_evenly(strata, folds):
    groups = np.arange(len(strata))
    found = stratified_folds(groups, [(s,) for s in strata], folds=folds, seed=0)
    for stratum in set(strata):
        counts = np.bincount(found[np.array(strata) == stratum], minlength=folds)
        assert counts.max() - counts.min() <= 1
    counts = np.bincount(found, minlength=folds)
    assert counts.max() - counts.min() <= 1


@given(members)
def test_the_same_photographs_are_divided_the_same_way(rows):
    groups, strata = np.array([g for g, _ in rows]), [s for _, s in rows]
    first = stratified_folds(groups, strata, folds=5, seed=0)
    assert (first == stratified_folds(groups, strata, folds=5, seed=0)).all()
