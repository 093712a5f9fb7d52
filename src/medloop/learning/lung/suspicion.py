"""How suspicious LIDC's readers would find a nodule: their opinion, no pathology."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from medloop.evaluation.bootstrap import Figure, interval_95
from medloop.evaluation.classification import roc_auc
from medloop.learning.lung.cases import ENOUGH
from medloop.learning.lung.readings import Reading, ScanReadings
from medloop.learning.lung.truth import Marked, nodules
from medloop.models.nodule_plan import Suspicion

_LEAST: Final = 50  # nodules of either kind, to learn from
_SUSPECTED: Final = 3.0  # mean rating above which readers suspect malignancy
_FOLDS: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Rated:
    """Nodules of three or more readers: what can be measured of them, and the opinion."""

    patients: tuple[str, ...]
    features: Float[ndarray, "n 4"]  # as `Suspicion.features` makes them
    suspected: Bool[ndarray, " n"]


def rated(scans: Iterable[ScanReadings]) -> Rated:
    """Collect nodules with their mean ratings; texture and calcification by their scales.

    Texture 1 is non-solid, 5 solid; calcification 6 is none (McNitt-Gray 2007).
    """
    patients, features, suspected = [], [], []
    for scan in scans:
        for marked in nodules(scan.readings, scan.pixel_mm, scan.slice_mm):
            if len(marked.readings) < ENOUGH or np.isnan(marked.mean("malignancy")):
                continue
            texture = marked.mean("texture")
            patients.append(scan.patient)
            features.append(
                Suspicion.features(
                    _diameter_mm(marked, scan.pixel_mm),
                    is_non_solid=texture < 2,
                    is_part_solid=2 <= texture < 4,
                    is_calcified=marked.mean("calcification") < 5.5,
                )
            )
            suspected.append(marked.mean("malignancy") > _SUSPECTED)
    return Rated(tuple(patients), np.array(features).reshape(-1, 4), np.array(suspected, bool))


def fit_suspicion(nodules_rated: Rated) -> Suspicion:
    """Fit a logistic regression; without enough nodules of both kinds there is none."""
    suspected = nodules_rated.suspected
    if min(suspected.sum(), (~suspected).sum()) < _LEAST:
        return Suspicion()
    weights = _fitted(nodules_rated.features, suspected)
    return Suspicion(*(round(float(w), 4) for w in weights))


def suspicion_figure(nodules_rated: Rated, rng: np.random.Generator) -> Figure | None:
    """Measure the AUC over five folds by patient; None without enough nodules."""
    suspected, features = nodules_rated.suspected, nodules_rated.features
    if min(suspected.sum(), (~suspected).sum()) < _LEAST:
        return None
    names, patient = np.unique(nodules_rated.patients, return_inverse=True)
    fold = (np.random.default_rng(0).permutation(len(names)) % _FOLDS)[patient]
    score = np.zeros(len(suspected))
    for n in range(_FOLDS):
        weights = _fitted(features[fold != n], suspected[fold != n])
        score[fold == n] = weights[0] + features[fold == n] @ weights[1:]
    value, low, high = interval_95(
        lambda n: roc_auc(suspected[n], score[n]),
        cases=len(suspected),
        rng=rng,
        draws=500,
        clusters=patient,
    )
    name = "AUC, readers' suspicion of malignancy from outlines and ratings"
    return Figure(name, value, low, high, len(suspected))


def _fitted(
    features: Float[ndarray, "n f"], truth: Bool[ndarray, " n"]
) -> Float[ndarray, " w"]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (slow to import)

    model = LogisticRegression(C=10, max_iter=500).fit(features, truth)
    return np.concatenate([model.intercept_, model.coef_[0]])


def _diameter_mm(marked: Marked, pixel_mm: float) -> float:
    """Diameter of a disk as large as the largest cut, the mean over readers."""
    return float(np.mean([_largest_mm(reading, pixel_mm) for reading in marked.readings]))


def _largest_mm(reading: Reading, pixel_mm: float) -> float:
    areas: dict[float, float] = {}
    for contour in reading.contours:
        x, y = contour.points.astype(float).T
        enclosed = abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2
        sign = -1 if contour.is_hole else 1
        areas[contour.z_mm] = areas.get(contour.z_mm, 0.0) + sign * enclosed
    return 2 * pixel_mm * float(np.sqrt(max([*areas.values(), 0.0]) / np.pi))
