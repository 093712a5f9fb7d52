"""What is wrong with a data set, before anything is trained on it."""

from collections.abc import Iterable, Mapping, Sequence

from medloop.learning.data.description import TEST, CaseSource, Dataset
from medloop.learning.data.survey import (
    Facts,
    Problem,
    Progress,
    Severity,
    file_of,
    survey,
)


def check(
    dataset: Dataset, *, workers: int = 1, progress: Progress | None = None
) -> tuple[Problem, ...]:
    """Read every case and return all problems, errors first; parameters as in `survey`."""
    return problems_of(dataset, survey(dataset, workers=workers, progress=progress))


def problems_of(dataset: Dataset, facts: Sequence[Facts]) -> tuple[Problem, ...]:
    """Return the problems of single cases, and those between cases, errors first.

    Between cases: one picture stored twice, one patient in two of the data's own parts. That
    is an error where the test part is concerned; elsewhere a warning, for folds of
    `make_split` keep copies and patients together.
    """
    found = [problem for each in facts for problem in each.problems]
    found += _copies(dataset, facts)
    found += _patients(dataset)
    return tuple(sorted(found, key=lambda problem: problem.severity is not Severity.ERROR))


def alike(facts: Iterable[Facts]) -> Mapping[str, tuple[Facts, ...]]:
    """Group the cases that have the same pixels, by their digest; single cases are left out."""
    groups: dict[str, list[Facts]] = {}
    for each in facts:
        if each.pixels:
            groups.setdefault(each.pixels, []).append(each)
    return {key: tuple(group) for key, group in groups.items() if len(group) > 1}


def _copies(dataset: Dataset, facts: Sequence[Facts]) -> list[Problem]:
    cases = {case.name: case for case in dataset.cases}
    problems = []
    for group in alike(facts).values():
        first = cases[group[0].case]
        for copy in group[1:]:
            case = cases[copy.case]
            text = f"same pixels as {file_of(first, dataset.root)}"
            if case.split != first.split:
                text += f", which is in {first.split or 'no part'}, this in {case.split}"
            if copy.label != group[0].label:
                text += "; their labels differ"
            severity = _severity({case.split, first.split})
            problems.append(Problem(severity, file_of(case, dataset.root), text))
    return problems


def _patients(dataset: Dataset) -> list[Problem]:
    cases: dict[str, dict[str, CaseSource]] = {}
    for case in dataset.cases:
        cases.setdefault(case.patient, {}).setdefault(case.split, case)
    problems = []
    for parts in cases.values():
        if len(parts) > 1:
            first, *others = parts.values()
            for case in others:
                text = (
                    f"same patient as {file_of(first, dataset.root)}, which is in"
                    f" {first.split or 'no part'}, this in {case.split or 'no part'}"
                )
                problems.append(
                    Problem(_severity(set(parts)), file_of(case, dataset.root), text)
                )
    return problems


def _severity(parts: set[str]) -> Severity:
    crosses = len(parts) > 1 and TEST in parts
    return Severity.ERROR if crosses else Severity.WARNING
