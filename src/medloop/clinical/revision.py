"""A result that a reader has corrected, with all that follows from the corrections.

What tables and rules derive (categories, stages, sums) is derived again where the reader's
changes matter. What the reader states wins over any rule, and a notice says so; so do notices
where what was stated contradicts what stands beside it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from medloop.clinical.brain.revision import revise_hippocampus
from medloop.clinical.contradictions import contradictions, is_counted
from medloop.clinical.lung.revision import revise_lung
from medloop.clinical.radiotherapy.revision import revise_head_neck
from medloop.clinical.report.reviewed import Reviewed
from medloop.clinical.retina.revision import revise_retina
from medloop.core.finding import Assessment, Result
from medloop.core.study import Notice

_RULES: Final[Mapping[str, Callable[[Result, Reviewed], Result]]] = {
    "retina": revise_retina,
    "hippocampus": revise_hippocampus,
    "lung": revise_lung,
    "head_neck": revise_head_neck,
}
# What rules derive from findings and grades.
_DERIVED: Final = frozenset(
    {"Lung-RADS", "Fleischner_low", "Fleischner_high", "CN1984", "ETDRS_range"}
)


def revised(corrected: Result, reviewed: Reviewed, model: Result) -> Result:
    """Derive again what depends on what the reader changed; untouched results stay as they are.

    `corrected` has the reader's findings, assessments and labels; `model` is what the analysis
    had said.
    """
    if not reviewed.is_changed:
        return corrected
    rule = _RULES.get(corrected.provenance.analysis)
    if rule is None:
        result = by_rule = corrected
    else:
        result = rule(corrected, reviewed)
        unstated = replace(reviewed, assessed=reviewed.assessed - _DERIVED)
        by_rule = rule(replace(corrected, labels=None), unstated)
    counted = {
        each for each in reviewed.assessed if is_counted(result.provenance.analysis, each)
    }
    said = tuple(
        notice
        for scale in sorted(reviewed.assessed - counted)
        for notice in _stated(scale, result, by_rule, model)
    )
    against = contradictions(result, reviewed, model)
    return replace(result, warnings=(*result.warnings, *said, *against))


def _stated(scale: str, result: Result, by_rule: Result, model: Result) -> tuple[Notice, ...]:
    """Say that an assessment is the reader's own, what the analysis had, what rules give."""
    value, ruled = result.assessments.get(scale), by_rule.assessments.get(scale)
    if isinstance(value, Mapping | tuple):
        return ()
    name, now, was = (
        scale.replace("_", " "),
        _shown(value),
        _shown(model.assessments.get(scale)),
    )
    text = f"{name} {now} was stated by the reader; the analysis had {was}"
    values: tuple[tuple[str, str | float | int], ...] = (
        ("scale", name),
        ("now", now),
        ("was", was),
    )
    if scale in _DERIVED and ruled is not None and _shown(ruled) != now:
        text += f", and the findings as corrected give {_shown(ruled)} by rule"
        return (Notice("reader-stated-against", text, (*values, ("rule", _shown(ruled)))),)
    return (Notice("reader-stated", text, values),)


def _shown(value: Assessment) -> str:
    return "–" if value is None else str(value)
