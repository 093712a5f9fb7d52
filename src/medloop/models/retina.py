"""What the retina networks answer, on the pixels of the photograph."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float16, UInt8
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.imaging.fundus import Field
from medloop.models.canvas import normalize, place, unplace
from medloop.models.evidence import outline
from medloop.models.plan import Plan, Task
from medloop.models.predict import Predictor, expect

_SURE = 1e-4  # no reader is surer than this
_STRONG_LOGITS = 6.0  # what a place adds that alone would turn "surely not" into "surely"


@dataclass(frozen=True, slots=True, eq=False)
class Grading:
    """Grades of one photograph.

    `activation` is 0..1 on the photograph's pixels: the part each place has in the decision for
    the grade given (exact class activation map; 1 is the strongest place, or six logits where
    even that is weaker, so that weak evidence looks weak).
    """

    icdr: int
    icdr_probabilities: Float[ndarray, "5"]
    dme: int
    dme_probabilities: Float[ndarray, "3"]
    referable_probability: float
    activation: Float[ndarray, "y x"]


def grade(
    predictor: Predictor,
    rgb: UInt8[ndarray, "y x 3"],
    field: Field,
    plan: Plan,
    opinion: Float[ndarray, " k"] | None = None,
) -> Grading:
    """Grade retinopathy (ICDR 0-4) and macular edema (0-2).

    The network's answer is the mean of the photograph's and its mirror image's. Where the
    lesions give an `opinion` (`models.evidence`), it counts as much as the network's.
    """
    if plan.task is not Task.GRADING:
        raise InputError(f"plan is for {plan.task}, not {Task.GRADING}")
    canvas, placement = place(rgb, field, plan)
    logits, maps = grade_canvas(predictor, canvas, plan)
    above = exceedance(joined(logits, opinion), plan)
    icdr, dme = (grade_of(p) for p in above[:2])
    step = min(max(icdr, 1), len(above[0])) - 1
    shown = _stretch(maps[step], canvas.shape[:2])
    return Grading(
        icdr=icdr,
        icdr_probabilities=grade_probabilities(above[0]),
        dme=dme,
        dme_probabilities=grade_probabilities(above[1]),
        referable_probability=float(max(above[0][1], above[1][0])),
        activation=unplace(shown, placement),
    )


def grade_canvas(
    predictor: Predictor, canvas: UInt8[ndarray, "v u 3"], plan: Plan
) -> tuple[Float[ndarray, " k"], Float[ndarray, "k h w"]]:
    """Cumulative logits and activation maps, the mean of a canvas and its mirror image."""
    x = normalize(canvas, plan)
    expect(predictor, 2, x)
    straight = predictor.run(x)
    mirrored = predictor.run(np.ascontiguousarray(x[..., ::-1]))
    logits = (straight["logits"][0] + mirrored["logits"][0]) / 2
    maps = (straight["activation"][0] + mirrored["activation"][0][..., ::-1]) / 2
    return logits, maps


def joined(
    logits: Float[ndarray, " k"], opinion: Float[ndarray, " k"] | None
) -> Float[ndarray, " k"]:
    """Log-odds of the mean of two readers' P(grade > k); the first's alone without a second."""
    if opinion is None:
        return logits
    both = (1 / (1 + np.exp(-logits.astype(np.float64))) + opinion) / 2
    both = np.clip(both, _SURE, 1 - _SURE)
    return np.log(both / (1 - both))


def exceedance(logits: Float[ndarray, " k"], plan: Plan) -> list[Float[ndarray, " s"]]:
    """P(grade > k) of each scale: calibrated, and made to fall with k."""
    parts, start = [], 0
    for n, scale in enumerate(plan.scales):
        part = logits[start : start + scale.grades - 1].astype(np.float64)
        start += scale.grades - 1
        temperature = plan.temperature[n] if plan.temperature else 1.0
        parts.append(np.minimum.accumulate(1 / (1 + np.exp(-part / temperature))))
    return parts


def grade_of(above: Float[ndarray, " s"]) -> int:
    """Median grade: as many steps as are more likely passed than not."""
    return int((above > 0.5).sum())


def grade_probabilities(above: Float[ndarray, " s"]) -> Float[ndarray, " g"]:
    """P(grade = k) from P(grade > k); sums to 1."""
    edges = np.concatenate([[1.0], above, [0.0]])
    return edges[:-1] - edges[1:]


def segment(
    predictor: Predictor, rgb: UInt8[ndarray, "y x 3"], field: Field, plan: Plan
) -> Mapping[str, Float16[ndarray, "y x"]]:
    """Probability of each lesion class and of the disc, on the photograph's pixels."""
    return outline(predictor, rgb, field, plan).on_picture()


def _stretch(activation: Float[ndarray, "v u"], size: tuple[int, ...]) -> Float[ndarray, "y x"]:
    """Scale a coarse map to 0..1 on the canvas; what speaks against the grade is 0."""
    positive = np.maximum(activation, 0).astype(np.float32)
    peak = float(positive.max())
    fine = cv2.resize(positive, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.clip(fine / max(peak, _STRONG_LOGITS), 0, 1)
