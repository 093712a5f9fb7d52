"""``medloop analyze``: a folder archive in, a folder of results and a summary out."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from medloop.apps.bootstrap import choose_analyses
from medloop.apps.console import Exit, UsageError, note, progress, say
from medloop.apps.output import require_folder, write_whole
from medloop.apps.settings import Settings
from medloop.core.finding import Result
from medloop.core.study import Case, Study
from medloop.workflow.intake import FolderArchive, Intake, Problem, gather
from medloop.workflow.pipeline import Run, run_all
from medloop.workflow.ports import Analysis, Archive
from medloop.workflow.prior import (
    COMPARING,
    Comparing,
    Past,
    Shelf,
    in_order_of_date,
    line_of,
    named_prior,
)
from medloop.workflow.products import write_products
from medloop.workflow.routing import Refusal, Route, route, suiting
from medloop.workflow.worker import Ending, Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """One line of summary.json: what became of one input under one analysis.

    `study` and `analysis` are empty for an input that could not be read at all; `path` is the
    result folder relative to OUT, empty unless done.
    """

    input: str
    study: str
    analysis: str
    outcome: str
    reason: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """All rows of one run; `trouble` tells that something outside failed, not the input."""

    rows: tuple[Row, ...]
    trouble: bool = False

    @property
    def code(self) -> Exit:
        """How the command ends."""
        outcomes = {row.outcome for row in self.rows}
        if self.trouble:
            return Exit.TROUBLE
        if "failed" in outcomes:
            return Exit.BAD_INPUT
        return Exit.DONE if "done" in outcomes else Exit.UNSUITABLE

    def to_json(self) -> str:
        """Return the text of summary.json."""
        rows = [asdict(row) for row in self.rows]
        return json.dumps({"results": rows}, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of patients from before: results on a shelf, and those somebody named."""

    shelf: Shelf
    named: Mapping[str, Callable[[Study], Past]] = field(default_factory=dict)

    def find(self, study: Study, analysis: str) -> Past:
        """Find what an analysis is to be compared with."""
        if analysis in self.named:
            return self.named[analysis](study)
        return self.shelf.find(study, analysis)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a run works with: its analyses, where results go, and who does the work.

    `do` does all routes and tells of each by its number; `scratch` is a folder for what zips
    hold, the system's own unless whoever works must see it.
    """

    analyses: Sequence[Analysis]
    out: Path
    language: str
    past: Known
    are_named: bool = True
    do: "Do | None" = None
    scratch: Path | None = None


Tell = Callable[[int, Outcome], None]
Do = Callable[[Sequence[Route], Tell], None]


def analyze(
    inputs: Sequence[Path],
    out: Path,
    names: Sequence[str],
    settings: Settings,
    *,
    as_json: bool,
    prior: Path | None = None,
) -> Exit:
    """Run the command: analyze, write OUT, print what was done.

    `prior` is a result to compare with, instead of the latest earlier one in `out`.

    Raises
    ------
    UsageError
        If an analysis is unknown, `out` is a file, or there is no `prior`.
    InputError
        If the `prior` is no result that can be compared.
    """
    require_folder(out)
    analyses = choose_analyses(names, settings)
    past = past_of(out, prior, analyses)
    summary = analyze_into(
        inputs, out, analyses, language=settings.language, are_named=bool(names), past=past
    )
    return tell(summary, out, as_json=as_json)


def tell(summary: Summary, out: Path, *, as_json: bool) -> Exit:
    """Print what was done, and say how the command ends."""
    if not summary.rows:
        note("medloop: there is no image among the inputs")
    for row in summary.rows:
        what = f"{row.input}: {row.analysis} {row.outcome}".replace(":  ", ": ")
        if row.outcome != "done":
            note(f"{what}: {row.reason}")
        elif not as_json:
            say(f"{what}: {out / row.path}")
    if as_json:
        say(summary.to_json().rstrip())
    return summary.code


def analyze_into(
    inputs: Sequence[Path],
    out: Path,
    analyses: Sequence[Analysis],
    *,
    language: str,
    are_named: bool = True,
    past: Known | None = None,
) -> Summary:
    """Analyze all inputs and write results and summary.json into `out`.

    Analyses that compare are given the latest earlier result of the patient in `out`, or what
    `past` knows; so studies of one patient are analyzed in order of their dates.

    Where somebody named the analyses, each says of each study why it does not suit; else only
    where none suits. Earlier results in `out` are replaced study by study and analysis by
    analysis. Analyses may be used again: their networks stay loaded.

    Raises
    ------
    UsageError
        If `out` is a file.
    """
    return summarize(
        inputs, Desk(analyses, out, language, past or Known(Shelf(out)), are_named)
    )


def summarize(inputs: Sequence[Path], desk: Desk) -> Summary:
    """Analyze all inputs, as `analyze_into` does, and write what was done."""
    out = desk.out
    require_folder(out)
    with tempfile.TemporaryDirectory(prefix=".medloop-", dir=desk.scratch) as scratch:
        intake = gather_inputs(inputs, Path(scratch))
        routes = route(intake.studies, desk.analyses)
        if not desk.are_named:
            routes = suiting(routes)
        answers = _answers(routes, FolderArchive(intake), desk)
        endings = [ending for ending, _ in answers.values()]
        rows = [_unreadable(problem) for problem in intake.problems]
        rows += [answers[n][1] for n in range(len(routes))]
        _remove_stale(routes, rows, out)
    summary = Summary(tuple(rows), trouble=Ending.RETRY in endings)
    text = summary.to_json()
    write_whole(out / "summary.json", lambda part: part.write_text(text, encoding="utf-8"))
    return summary


def gather_inputs(inputs: Sequence[Path], scratch: Path) -> Intake:
    """Find the studies in the inputs, with a bar for whoever watches."""
    with progress("reading") as report:
        return gather(inputs, scratch=scratch, report=report)


def _unreadable(problem: Problem) -> Row:
    return Row(str(problem.source), "", "", "failed", problem.reason)


def past_of(out: Path, prior: Path | None, analyses: Sequence[Analysis]) -> Known:
    """Open what somebody named, or look among the results of earlier runs."""
    if prior is None:
        return Known(Shelf(out))
    if not (prior / "result.json" if prior.is_dir() else prior).is_file():
        raise UsageError(f"{prior}: there is no result.json")
    analysis, find = named_prior(prior, [each.name for each in analyses])
    return Known(Shelf(out), {analysis: find})


def _answers(
    routes: Sequence[Route | Refusal], archive: Archive, desk: Desk
) -> dict[int, tuple[Ending, Row]]:
    """Do all runs, earlier studies of a patient first; answers by the number of their route."""
    order = in_order_of_date(routes)
    runs = [(n, each) for n in order if isinstance(each := routes[n], Route)]
    answers = {n: _refused(each) for n in order if isinstance(each := routes[n], Refusal)}
    with progress("analyzing", len(routes)) as report:
        report(len(answers), len(routes))

        def done(number: int, outcome: Outcome) -> None:
            n, answered = runs[number]
            answers[n] = outcome.state, _row(answered, outcome)
            report(len(answers), len(routes))

        if desk.do:
            desk.do([each for _, each in runs], done)
        else:
            run_all([run_of(each, archive, desk) for _, each in runs], done)
    return answers


def _refused(refusal: Refusal) -> tuple[Ending, Row]:
    study, name = refusal.study, refusal.analysis.name
    ending = Ending.FAILED if refusal.is_bad else Ending.SKIPPED
    return ending, Row(_source(study), study.name, name, ending, refusal.reason)


def run_of(answer: Route, archive: Archive, desk: Desk) -> Run:
    """Say how one selection is read, analyzed and written."""
    study, analysis = answer.study, answer.analysis
    folder = desk.out / study.name / answer.folder
    is_comparing = analysis.name in COMPARING

    def write(case: Case, result: Result) -> Path:
        write_products(case, result, folder, language=desk.language)
        if is_comparing:
            desk.past.shelf.add(study, analysis.name, folder)
        return folder

    run = Run(analysis, archive, study, answer.selection, write)
    if not is_comparing:
        return run
    comparing = Comparing(archive, lambda of: desk.past.find(of, analysis.name))
    return replace(run, archive=comparing, line=line_of(answer))


def _row(answer: Route, outcome: Outcome) -> Row:
    study, done = answer.study, outcome.state is Ending.DONE
    return Row(
        input=answer.selection.source,
        study=study.name,
        analysis=answer.analysis.name,
        outcome="failed" if outcome.state is Ending.RETRY else str(outcome.state),
        reason=outcome.reason,
        path=f"{study.name}/{answer.folder}" if done else "",
    )


def _source(study: Study) -> str:
    """Name what a person gave: the file or series folder, or the folder of several series."""
    sources = {series.source for series in study.series}
    return sources.pop() if len(sources) == 1 else os.path.commonpath(sources)


def _remove_stale(routes: Iterable[Route | Refusal], rows: Iterable[Row], out: Path) -> None:
    """Remove numbered results of an earlier run that answered more often about a study."""
    written = {row.path for row in rows if row.path}
    for study, analysis in {(r.study.name, r.analysis.name) for r in routes}:
        if f"{study}/{analysis}" not in written:
            continue
        for folder in (out / study).glob(f"{analysis}-[0-9]*"):
            if f"{study}/{folder.name}" not in written:
                shutil.rmtree(folder, ignore_errors=True)
