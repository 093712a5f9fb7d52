"""Watched cases are of other patients than those learnt from, and never held out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from medloop.core.errors import InputError  # noqa: E402
from medloop.learning.ranks import Ranks  # noqa: E402
from medloop.learning.watch import apart, mean_loss  # noqa: E402
from tests.learning.test_loop import a_network, batches, plain  # noqa: E402

pytestmark = pytest.mark.train


@given(st.integers(3, 6), st.data())
def test_training_cases_are_divided_by_fold_and_none_is_lost(folds, data):
    fold_of = np.array([*range(folds), *data.draw(st.lists(st.integers(0, folds - 1)))])
    held_out = data.draw(st.integers(0, folds))  # `folds`: the final network holds out none
    chosen = np.flatnonzero(fold_of != held_out)
    learnt, watched = apart(chosen, fold_of)
    assert sorted([*learnt, *watched]) == chosen.tolist()
    assert set(fold_of[watched]).isdisjoint(fold_of[learnt])
    assert set(fold_of[watched]) == {(held_out + 1) % folds if held_out < folds else 0}


def test_two_folds_leave_nothing_to_watch():
    with pytest.raises(InputError, match="patience needs of_folds=3"):
        apart(np.array([0, 1]), np.array([0, 0, 1]))


def test_the_measure_is_that_of_the_same_batches_every_time():
    network = a_network()
    measure = mean_loss(plain, batches, 3, Ranks(), "fp32")
    first = measure(network)
    assert measure(network) == first
    assert not network.training
    with torch.no_grad():
        network.head.bias += 10
    assert measure(network) > first
