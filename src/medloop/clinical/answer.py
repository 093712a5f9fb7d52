"""What every analysis does with a network's answer: refuse NaN, and say who gave it."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike

import medloop
from medloop.core.errors import InputError
from medloop.core.finding import Provenance, Weights
from medloop.core.study import Case
from medloop.models.predict import Predictor
from medloop.models.segmentation_plan import SegmentationPlan


@dataclass(frozen=True, slots=True, eq=False)
class SegmentingNetwork:
    """A bundle ready to answer: its predictor, its plan, and whom to blame."""

    predictor: Predictor
    plan: SegmentationPlan
    identity: Weights


def require_finite(answer: ArrayLike, weights: Weights) -> None:
    """Refuse an answer that holds NaN or infinity.

    Raises
    ------
    InputError
        If it does; names the bundle.
    """
    if not np.isfinite(answer).all():
        raise InputError(f"bundle {weights.bundle} {weights.version} answered with NaN")


def provenance_of(
    case: Case,
    *,
    analysis: str,
    weights: tuple[Weights, ...],
    finished: datetime,
    version: str = medloop.__version__,
) -> Provenance:
    """Say which analysis, with which weights, read which instances, and when it was done."""
    instances = [i for series in case.selection.series for i in series.instances]
    return Provenance(
        analysis=analysis,
        version=version,
        weights=weights,
        inputs=tuple(instance.uid for instance in instances),
        input_sha256=instances[0].sha256,
        finished=finished,
    )
