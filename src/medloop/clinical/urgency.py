"""How soon a person should look at a study, from what an analysis found.

Decision support for the order of a list, not a diagnosis: it never hides a study. What is
urgent follows the time that guidelines give: proliferative retinopathy and suspected lung
cancer days to weeks, what is referable weeks to months.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from medloop.clinical.brain.sentences import ALERTS as BRAIN
from medloop.clinical.lung.sentences import ALERTS as LUNG
from medloop.clinical.radiotherapy.sentences import ALERTS as RADIOTHERAPY
from medloop.clinical.retina.sentences import DISAGREEMENTS as RETINA
from medloop.core.finding import Assessment, Result


class Urgency(IntEnum):
    """The order in which studies are read."""

    ROUTINE = 0
    CHECK = 1  # something about the result needs a look: notices of alert kind, ungradable
    SOON = 2
    URGENT = 3


@dataclass(frozen=True, slots=True)
class Triage:
    """How urgent a result is, and the value that says so, as ``ICDR 4``; "" if none does."""

    urgency: Urgency
    because: str


@dataclass(frozen=True, slots=True)
class Rule:
    """An assessment that makes a study urgent."""

    scale: str
    holds: Callable[[Assessment], bool]
    urgency: Urgency


def _is_one_of(*values: str) -> Callable[[Assessment], bool]:
    return lambda value: str(value) in values


# The first that holds counts. Sources: ICO Guidelines for Diabetic Eye Care 2017, table 4
# (proliferative: within a month; severe and center-involved edema: refer); Lung-RADS v2022
# (4B, 4X: clinical evaluation; 4A: 3 months; 3: 6 months, after a look at the images).
RULES: Final[tuple[Rule, ...]] = (
    Rule("ICDR", _is_one_of("4"), Urgency.URGENT),
    Rule("Lung-RADS", _is_one_of("4B", "4X"), Urgency.URGENT),
    Rule("ICDR", _is_one_of("3"), Urgency.SOON),
    Rule("DME", _is_one_of("2"), Urgency.SOON),
    Rule("Lung-RADS", _is_one_of("4A"), Urgency.SOON),
    Rule("referable", _is_one_of("True"), Urgency.SOON),
    Rule("gradable", _is_one_of("False"), Urgency.CHECK),
    Rule("Lung-RADS", _is_one_of("0", "3"), Urgency.CHECK),
)
ALERTS: Final = frozenset().union(BRAIN, LUNG, RADIOTHERAPY, RETINA)
_MAIN: Final = ("ICDR", "Lung-RADS")  # told even of what is routine
_SPOKEN: Final[Mapping[str, str]] = {"referable": "ICDR", "gradable": "ungradable"}


def triage(result: Result) -> Triage:
    """Say how urgent a result is."""
    held = result.assessments
    found = next((rule for rule in RULES if rule.scale in held and _holds(rule, held)), None)
    if found is not None:
        return Triage(found.urgency, _told(_SPOKEN.get(found.scale, found.scale), held))
    main = next((_told(scale, held) for scale in _MAIN if held.get(scale) is not None), "")
    if any(notice.code in ALERTS for notice in result.warnings) or _has_doubts(held):
        return Triage(Urgency.CHECK, main)
    return Triage(Urgency.ROUTINE, main)


def _holds(rule: Rule, held: Mapping[str, Assessment]) -> bool:
    return rule.holds(held[rule.scale])


def _told(scale: str, held: Mapping[str, Assessment]) -> str:
    value = held.get(scale)
    return scale if value is None else f"{scale} {value}"


def _has_doubts(held: Mapping[str, Assessment]) -> bool:
    """Whether organs were drawn that the analysis itself wants looked at again."""
    doubtful = held.get("organs_to_review", 0)
    return isinstance(doubtful, int | float) and doubtful > 0
