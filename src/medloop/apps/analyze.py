"""``medloop analyze``: a folder archive in, a folder of results and a summary out."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from medloop.apps.bootstrap import choose_analyses
from medloop.apps.console import Exit, UsageError, note, progress, say
from medloop.apps.output import require_folder, write_whole
from medloop.apps.settings import Settings
from medloop.core.finding import Result
from medloop.core.study import Case, Study
from medloop.workflow.intake import FolderArchive, Intake, Problem, gather
from medloop.workflow.ports import Analysis, Archive
from medloop.workflow.prior import (
    COMPARING,
    Comparing,
    Past,
    Shelf,
    in_order_of_date,
    named_prior,
)
from medloop.workflow.products import write_products
from medloop.workflow.routing import Refusal, Route, route, suiting
from medloop.workflow.worker import Ending, run


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
class _Desk:
    """What one run works with."""

    archive: Archive
    out: Path
    language: str
    past: Known


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
    past = _past(out, prior, analyses)
    summary = analyze_into(
        inputs, out, analyses, language=settings.language, are_named=bool(names), past=past
    )
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
    require_folder(out)
    with tempfile.TemporaryDirectory(prefix="medloop-") as scratch:
        intake = gather_inputs(inputs, Path(scratch))
        routes = route(intake.studies, analyses)
        if not are_named:
            routes = suiting(routes)
        desk = _Desk(FolderArchive(intake), out, language, past or Known(Shelf(out)))
        answers: dict[int, tuple[Ending, Row]] = {}
        with progress("analyzing", len(routes)) as report:
            for done, n in enumerate(in_order_of_date(routes)):
                report(done, len(routes))
                answers[n] = _answer(routes[n], desk)
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


def _past(out: Path, prior: Path | None, analyses: Sequence[Analysis]) -> Known:
    """Open what somebody named, or look among the results of earlier runs."""
    if prior is None:
        return Known(Shelf(out))
    if not (prior / "result.json" if prior.is_dir() else prior).is_file():
        raise UsageError(f"{prior}: there is no result.json")
    analysis, find = named_prior(prior, [each.name for each in analyses])
    return Known(Shelf(out), {analysis: find})


def _answer(answer: Route | Refusal, desk: _Desk) -> tuple[Ending, Row]:
    study, analysis, out = answer.study, answer.analysis, desk.out
    if isinstance(answer, Refusal):
        ending = Ending.FAILED if answer.is_bad else Ending.SKIPPED
        return ending, Row(_source(study), study.name, analysis.name, ending, answer.reason)
    folder = out / study.name / answer.folder

    def write(case: Case, result: Result) -> Path:
        write_products(case, result, folder, language=desk.language)
        return folder

    archive: Archive = desk.archive
    if analysis.name in COMPARING:
        archive = Comparing(archive, lambda of: desk.past.find(of, analysis.name))
    outcome = run(analysis, archive, study, answer.selection, write=write)
    done = outcome.state is Ending.DONE
    if done and analysis.name in COMPARING:
        desk.past.shelf.add(study, analysis.name, folder)
    return outcome.state, Row(
        input=answer.selection.source,
        study=study.name,
        analysis=analysis.name,
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
