"""Splits: by photograph group, stratified, the same for the same data and seed."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from numpy import ndarray


def stratified_folds(
    groups: Int[ndarray, " n"], strata: Sequence[tuple[int, ...]], *, folds: int, seed: int
) -> Int[ndarray, " n"]:
    """Give each example a fold; a group is never divided, strata are dealt out evenly.

    A group belongs to the highest stratum among its members. Groups are shuffled within their
    stratum and dealt round robin, on from where the stratum before stopped.
    """
    rng = np.random.default_rng(seed)
    stratum: dict[int, tuple[int, ...]] = {}
    for group, value in zip(groups.tolist(), strata, strict=True):
        stratum[group] = max(stratum.get(group, value), value)
    fold_of: dict[int, int] = {}
    for value in sorted(set(stratum.values())):
        members = sorted(g for g, s in stratum.items() if s == value)
        for position in rng.permutation(len(members)):
            fold_of[members[position]] = len(fold_of) % folds
    return np.array([fold_of[g] for g in groups.tolist()])
