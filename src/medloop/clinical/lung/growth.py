"""Growth between two studies: which nodule is which, and how long one takes to double."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

FASTEST_DAYS, SLOWEST_DAYS = 30.0, 400.0  # between which cancers usually double (Larici 2017)
_SURE_GROWTH = 0.25  # volumes of small nodules repeat within 25 % (QIBA 2019)


def doubling_time_days(before_mm3: float, now_mm3: float, days: float) -> float:
    """Volume doubling time, t ln 2 / ln(V2 / V1) (Schwartz 1961); negative where it shrinks.

    Infinite where both volumes are equal.

    Raises
    ------
    ValueError
        If a volume or the time is not positive.
    """
    if min(before_mm3, now_mm3, days) <= 0:
        raise ValueError(
            f"{before_mm3} mm3, {now_mm3} mm3 and {days} days: all must be positive"
        )
    grown = math.log(now_mm3 / before_mm3)
    return math.inf if grown == 0 else days * math.log(2) / grown


def is_measurable(before_mm3: float, now_mm3: float) -> bool:
    """Whether a change of volume is beyond what two scans of an unchanged nodule differ by."""
    return abs(now_mm3 - before_mm3) / before_mm3 > _SURE_GROWTH


def match(
    now_mm: Float[ndarray, "n 3"],
    before_mm: Float[ndarray, "m 3"],
    *,
    farthest_mm: float = 15.0,
) -> Sequence[tuple[int, int]]:
    """Pair nodules of two studies whose places (LPS mm, brought into one frame) are closest.

    The sum of distances is least (Kuhn 1955); pairs further apart than `farthest_mm`, which
    breathing can explain, are none.
    """
    if not len(now_mm) or not len(before_mm):
        return ()
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 (slow to load)

    apart = np.linalg.norm(now_mm[:, None] - before_mm[None], axis=2)
    rows, columns = linear_sum_assignment(np.minimum(apart, 2 * farthest_mm))
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return tuple((n, m) for n, m in pairs if apart[n, m] <= farthest_mm)
