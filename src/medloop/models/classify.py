"""From an image to the probability of each class."""

import numpy as np
from jaxtyping import Float, Float32, Shaped
from numpy import ndarray

from medloop.core.geometry import Grid
from medloop.imaging.orientation import turn_of
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.predict import Predictor, expect
from medloop.models.segment import require_suits, scaled
from medloop.models.window import mirrored


def prepare(
    image: Shaped[ndarray, " c *s"], grid: Grid | None, plan: ClassificationPlan
) -> Float32[ndarray, " c *t"]:
    """Turn a volume upright, scale each channel, and bring the whole image to the plan's size.

    Raises
    ------
    InputError
        If the image has other channels or axes than the plan.
    """
    require_suits(image, grid, channels=plan.channels, frame=plan.frame)
    upright = image if grid is None else turn_of(grid).upright(image)
    return scaled(upright, plan.intensities, plan.size, cubic=True)


def logits_of(
    predictor: Predictor, x: Float32[ndarray, " c *t"], plan: ClassificationPlan
) -> Float[ndarray, " k"]:
    """Logits of a prepared image, the mean over its mirror images."""
    answers = []
    expect(predictor, 1 << len(plan.flips), x[None])
    for axes in mirrored(plan.flips):
        seen = np.ascontiguousarray(np.flip(x, tuple(1 + axis for axis in axes)))
        answers.append(predictor.run(seen[None])["logits"][0])
    return np.asarray(np.mean(answers, axis=0, dtype=np.float64))


def probabilities_of(
    logits: Float[ndarray, "n k"], plan: ClassificationPlan
) -> Float[ndarray, "n c"]:
    """Calibrated probability of each class, a row a case; rows sum to 1.

    Grades come from P(class > k), made to fall with k (Frank & Hall 2001).
    """
    z = np.asarray(logits, np.float64) / plan.temperature
    if plan.ordinal:
        above = np.minimum.accumulate(0.5 * (1 + np.tanh(z / 2)), axis=1)
        rows = len(above)
        edges = np.concatenate([np.ones((rows, 1)), above, np.zeros((rows, 1))], axis=1)
        return edges[:, :-1] - edges[:, 1:]
    shares = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def classify(
    predictor: Predictor,
    image: Shaped[ndarray, " c *s"],
    grid: Grid | None,
    plan: ClassificationPlan,
) -> Float[ndarray, " c"]:
    """Probability of each class; `image` is (c, k, j, i), or (c, y, x) without a grid.

    Raises
    ------
    InputError
        If the image has other channels or axes than the plan.
    """
    logits = logits_of(predictor, prepare(image, grid, plan), plan)
    return probabilities_of(logits[None], plan)[0]
