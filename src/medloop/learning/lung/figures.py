"""Figures of nodule detection: sensitivity over scans and crops, false marks over scans."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from medloop.evaluation.bootstrap import Figure, interval_95
from medloop.evaluation.classification import roc_auc
from medloop.evaluation.detection import match_points
from medloop.evaluation.froc import CPM_FALSE_PER_SCAN
from medloop.learning.figures import Predictions, binary_temperature
from medloop.models.nodule_plan import NodulePlan
from medloop.models.nodules import probabilities

FALSE_PER_SCAN: Final = 2.0  # the operating point
_FLOOR: Final = -30.0  # logit of what no network has reviewed


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One case: the score with which each nodule was found, and those of false marks.

    `hits` is -inf where a nodule was missed; a crop's false marks are not counted.
    """

    patient: str
    is_whole: bool
    hits: Float[ndarray, " f"]
    alarms: Float[ndarray, " a"]


def judge_cases(predictions: Sequence[Predictions]) -> list[Judged]:
    """Match the places of every held-out case with its marks, by LUNA16's rules.

    Each nodule counts once: a crop for the nodule in its middle alone, and not where a scan of
    the same patient is a case, too.
    """
    rows = [case for part in predictions for case in part["cases"]]
    scanned = {case["patient"] for case in rows if case["is_whole"]}
    out = []
    for case in rows:
        if not case["is_whole"] and case["patient"] in scanned:
            continue
        marks = case["marks"]
        counts = np.array([m["counts"] for m in marks], bool)
        if not case["is_whole"] and len(marks):
            counts &= np.arange(len(marks)) == _middle(case)
        matched = match_points(
            np.array([m["center_mm"] for m in marks]).reshape(-1, 3),
            np.array([max(m["diameter_mm"] / 2, 2.0) for m in marks]),
            np.array(case["places_mm"]).reshape(-1, 3),
            np.array(case["logits"], float),
            relevant=counts,
        )
        alarms = matched.alarms if case["is_whole"] else np.zeros(0)
        out.append(Judged(case["patient"], case["is_whole"], matched.hits, alarms))
    return out


def _middle(case: dict[str, Any]) -> int:
    """Which mark a crop was cut around: the nearest to its middle."""
    centers = np.array([m["center_mm"] for m in case["marks"]])
    return int(np.linalg.norm(centers - np.array(case["middle_mm"]), axis=1).argmin())


def threshold_at(judged: Sequence[Judged], false_per_scan: float) -> float:
    """Lowest score at which scans have at most so many false marks each, on average."""
    scans = sum(each.is_whole for each in judged)
    alarms = np.sort(np.concatenate([each.alarms for each in judged]))[::-1]
    allowed = math.floor(false_per_scan * scans + 1e-9)
    beyond = alarms[allowed] if len(alarms) > allowed else -math.inf
    above = np.concatenate([alarms[:allowed], *(each.hits for each in judged)])
    above = above[above > beyond]
    return float(above.min()) if len(above) else beyond


def sensitivity(judged: Sequence[Judged], threshold: float) -> float:
    """Share of the nodules found at a score of this or more; NaN without nodules."""
    hits = np.concatenate([each.hits for each in judged])
    return float((hits >= threshold).mean()) if len(hits) else math.nan


def settled(plan: NodulePlan, predictions: Sequence[Predictions]) -> NodulePlan:
    """Fit the temperature to all places of scans, and choose the operating point."""
    if not predictions:
        return plan
    judged = judge_cases(predictions)
    temperature = _temperature(judged)
    plan = replace(plan, temperature=temperature)
    if not any(each.is_whole for each in judged):
        return plan
    logit = threshold_at(judged, FALSE_PER_SCAN)
    return replace(plan, threshold=round(float(probabilities(np.array([logit]), plan)[0]), 4))


def _temperature(judged: Sequence[Judged]) -> float:
    """Divide logits so that they fit what was found (Guo 2017); 1 where nothing can be fit."""
    hits = np.concatenate([each.hits for each in judged])
    alarms = np.concatenate([each.alarms for each in judged])
    hits, alarms = hits[hits > _FLOOR], alarms[alarms > _FLOOR]
    if not len(hits) or not len(alarms):
        return 1.0
    logits = np.concatenate([hits, alarms])
    truth = np.repeat([1.0, 0.0], [len(hits), len(alarms)])
    return round(binary_temperature(logits, truth, bounds=(-1.5, 2.0)), 3)


def nodule_figures(
    predictions: Sequence[Predictions], rng: np.random.Generator
) -> list[Figure]:
    """Measure sensitivity at 1/8 to 8 false marks a scan, by patient, and the patches' AUC."""
    judged = judge_cases(predictions)
    out = []
    if any(each.is_whole for each in judged):
        out += [_sensitivity_figure(judged, rate, rng) for rate in CPM_FALSE_PER_SCAN]
    labels = [np.array(part["patches"]["labels"]) for part in predictions if part["patches"]]
    if labels:
        scores = [
            np.array(part["patches"]["logits"]) for part in predictions if part["patches"]
        ]
        out.append(_patch_figure(labels[0].astype(bool), scores, rng))
    return out


def _sensitivity_figure(
    judged: Sequence[Judged], rate: float, rng: np.random.Generator
) -> Figure:
    names = sorted({each.patient for each in judged})
    by_patient = [[j for j in judged if j.patient == name] for name in names]

    def statistic(drawn: Int[ndarray, " n"]) -> float:
        chosen = [each for n in drawn for each in by_patient[n]]
        if not any(each.is_whole for each in chosen):
            return math.nan
        return sensitivity(chosen, threshold_at(chosen, rate))

    value, low, high = interval_95(statistic, cases=len(names), rng=rng, draws=1000)
    nodules = sum(len(each.hits) for each in judged)
    shown = {0.125: "1/8", 0.25: "1/4", 0.5: "1/2"}.get(rate, f"{rate:g}")
    return Figure(f"sensitivity at {shown} false marks a scan", value, low, high, nodules)


def _patch_figure(
    labels: Bool[ndarray, " n"], scores: Sequence[ndarray], rng: np.random.Generator
) -> Figure:
    """Mean AUC of the folds' networks, on patches that none of them learned from."""

    def statistic(n: Int[ndarray, " n"]) -> float:
        return float(np.mean([roc_auc(labels[n], s[n]) for s in scores]))

    value, low, high = interval_95(statistic, cases=len(labels), rng=rng, draws=500)
    return Figure("AUC, axial patches: nodule or not", value, low, high, len(labels))
