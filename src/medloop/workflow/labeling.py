"""Choosing what people label next among the results of a store."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from medloop.annotation.queue import Candidate, Strategy, next_sample
from medloop.core.errors import InputError
from medloop.core.finding import Result
from medloop.core.record import from_record
from medloop.store import Store

_MOST: Final = 300  # records are opened to compare them


def next_job(
    store: Store,
    waiting: Sequence[int],
    strategy: Strategy,
    *,
    rng: np.random.Generator,
    known: Sequence[int] = (),
) -> int | None:
    """Choose one of the jobs that wait to be read; `known` were read. None where none waits.

    Of very many the newest are compared.
    """
    jobs = sorted(waiting)
    if strategy is Strategy.FIRST:
        return jobs[0] if jobs else None
    if strategy is Strategy.RANDOM:
        return jobs[int(rng.integers(len(jobs)))] if jobs else None
    candidates = [Candidate(job, result) for job, result in _results(store, jobs[-_MOST:])]
    seen = [result for _, result in _results(store, sorted(known)[-_MOST:])]
    chosen = next_sample(candidates, strategy, rng=rng, known=seen)
    return None if chosen is None else chosen.job


def _results(store: Store, jobs: Sequence[int]) -> Iterator[tuple[int, Result]]:
    for job in jobs:
        try:
            yield job, from_record(store.results.get(job).record).result
        except InputError:  # it left with its study meanwhile, or cannot be read
            continue
