"""Which analyses apply to which studies: a pure function over what the analyses select."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from medloop.core.errors import InputError, UnsuitableError
from medloop.core.study import Selection, SopUid, Study
from medloop.workflow.ports import Analysis


@dataclass(frozen=True, slots=True)
class Route:
    """One run to do: an analysis over one selection of a study.

    `folder` names the result folder inside the study's; no two routes of a study share it.
    """

    study: Study
    analysis: Analysis
    selection: Selection
    folder: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An analysis that will not run on a study; `is_bad` tells bad data from the wrong tool."""

    study: Study
    analysis: Analysis
    reason: str
    is_bad: bool = False


def route(
    studies: Iterable[Study], analyses: Sequence[Analysis]
) -> tuple[Route | Refusal, ...]:
    """Ask every analysis about every study; answers come study by study, in order."""
    return tuple(
        answer for study in studies for analysis in analyses for answer in _ask(analysis, study)
    )


def suiting(answers: Sequence[Route | Refusal]) -> tuple[Route | Refusal, ...]:
    """Leave out why analyses do not suit a study that suits another one."""
    taken = {each.study.uid for each in answers if isinstance(each, Route) or each.is_bad}
    return tuple(
        each
        for each in answers
        if isinstance(each, Route) or each.is_bad or each.study.uid not in taken
    )


def _ask(analysis: Analysis, study: Study) -> tuple[Route | Refusal, ...]:
    try:
        selections = analysis.select(study)
    except UnsuitableError as unsuitable:
        return (Refusal(study, analysis, str(unsuitable)),)
    except InputError as bad:
        return (Refusal(study, analysis, str(bad), is_bad=True),)
    if not selections:
        return (Refusal(study, analysis, f"nothing in the study is for {analysis.name}"),)
    return tuple(
        Route(study, analysis, selection, analysis.name + (f"-{count}" if count > 1 else ""))
        for count, selection in enumerate(selections, start=1)
    )


def urgency_of(answer: Route, urgency: Mapping[str, int]) -> int:
    """Say how urgent a run is: the highest of its analysis' and its modalities' priorities."""
    names = {answer.analysis.name, *(series.modality for series in answer.selection.series)}
    return max((urgency[name] for name in names if name in urgency), default=0)


def instances_of(selection: Selection) -> tuple[SopUid, ...]:
    """Name what a selection reads, in its order; `selection_from` turns the names back."""
    return tuple(instance.uid for series in selection.series for instance in series.instances)


def selection_from(study: Study, uids: Sequence[SopUid]) -> Selection:
    """Choose instances of a study by name; series come in the order of their first instance.

    Raises
    ------
    InputError
        If the study does not hold one of them.
    """
    place = {uid: order for order, uid in enumerate(uids)}
    chosen = []
    for series in study.series:
        kept = sorted(
            (instance for instance in series.instances if instance.uid in place),
            key=lambda instance: place[instance.uid],
        )
        if kept:
            chosen.append(replace(series, instances=tuple(kept)))
    found = sum(len(series.instances) for series in chosen)
    if found != len(place) or not place:
        raise InputError(f"study holds {found} of the {len(place)} objects to read")
    chosen.sort(key=lambda series: place[series.instances[0].uid])
    return Selection(tuple(chosen))


def folder_name(text: str) -> str:
    """Make a name from outside safe as one folder: unchanged if plain, else a digest of it."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        return text
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
