"""What a model is least sure of is read first, and not the same thing again and again."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.annotation.queue import Candidate, Strategy, next_sample, uncertainty
from tests.workflow.cases import a_case, a_result


def a_graded(*shares, finding=None):
    result = a_result(a_case())
    findings = () if finding is None else (replace(result.findings[0], probability=finding),)
    grades = {"ICDR": int(np.argmax(shares)), "ICDR_probabilities": shares} if shares else {}
    return replace(result, findings=findings, assessments=grades)


def chosen(results, strategy, known=(), seed=0):
    candidates = [Candidate(n, each) for n, each in enumerate(results, start=1)]
    rng = np.random.default_rng(seed)
    found = next_sample(candidates, strategy, rng=rng, known=known)
    return found and found.job


SURE = a_graded(0.98, 0.01, 0.01)
HALF = a_graded(0.5, 0.5, 0.0)
EVEN = a_graded(1 / 3, 1 / 3, 1 / 3)


def test_an_even_choice_is_the_least_sure_and_no_probability_is_sure():
    assert uncertainty(EVEN) == pytest.approx(1)
    assert uncertainty(HALF) == pytest.approx(np.log(2) / np.log(3))
    assert uncertainty(a_graded()) == 0
    assert uncertainty(a_graded(finding=0.5)) == pytest.approx(1)
    assert uncertainty(a_graded(1.0, 0.0, finding=0.9)) == uncertainty(a_graded(finding=0.9))


@given(st.floats(0, 1))
def test_a_finding_is_as_unsure_as_its_opposite(probability):
    one, other = (uncertainty(a_graded(finding=p)) for p in (probability, 1 - probability))
    assert one == pytest.approx(other, abs=1e-6)
    assert 0 <= one <= 1 + 1e-9


def test_each_strategy_chooses_as_it_says():
    results = [SURE, HALF, EVEN]
    assert chosen(results, Strategy.FIRST) == 1
    assert chosen(results, Strategy.UNSURE) == 3
    assert {chosen(results, Strategy.RANDOM, seed=n) for n in range(30)} == {1, 2, 3}


def test_of_equals_the_oldest_goes_first():
    assert chosen([EVEN, EVEN], Strategy.UNSURE) == 1


def test_what_is_unlike_the_known_goes_before_another_of_the_same():
    twin, other = a_graded(0.51, 0.48, 0.01), a_graded(0.01, 0.48, 0.51)
    assert chosen([twin, other], Strategy.UNLIKE) == 1
    assert chosen([twin, other], Strategy.UNLIKE, known=[twin]) == 2


def test_sure_answers_wait_however_unlike_they_are():
    strange = a_graded(0.0, 0.0, 1.0)
    many = [a_graded(0.4, 0.4, 0.2)] * 40
    assert chosen([strange, *many], Strategy.UNLIKE, known=[many[0]]) != 1


@pytest.mark.parametrize("strategy", list(Strategy))
def test_where_nothing_is_left_nothing_is_chosen(strategy):
    assert chosen([], strategy) is None


@pytest.mark.parametrize("strategy", list(Strategy))
def test_results_without_numbers_can_be_chosen_from(strategy):
    assert chosen([a_graded()], strategy, known=[a_graded()]) == 1
