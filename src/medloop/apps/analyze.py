"""``medloop analyze``: a folder archive in, a folder of results and a summary out."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from medloop.apps.bootstrap import choose_analyses
from medloop.apps.console import Exit, note, progress, say
from medloop.apps.output import require_folder, write_whole
from medloop.apps.settings import Settings
from medloop.core.finding import Result
from medloop.core.study import Case, Study
from medloop.workflow.intake import FolderArchive, Intake, Problem, gather
from medloop.workflow.ports import Analysis
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


def analyze(
    inputs: Sequence[Path],
    out: Path,
    names: Sequence[str],
    settings: Settings,
    *,
    as_json: bool,
) -> Exit:
    """Run the command: analyze, write OUT, print what was done.

    Raises
    ------
    UsageError
        If an analysis is unknown or `out` is a file.
    """
    require_folder(out)
    analyses = choose_analyses(names, settings)
    summary = analyze_into(
        inputs, out, analyses, language=settings.language, are_named=bool(names)
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
) -> Summary:
    """Analyze all inputs and write results and summary.json into `out`.

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
        archive = FolderArchive(intake)
        rows = [_unreadable(problem) for problem in intake.problems]
        endings: list[Ending] = []
        with progress("analyzing", len(routes)) as report:
            for done, answer in enumerate(routes):
                report(done, len(routes))
                ending, row = _answer(answer, archive, out, language)
                endings.append(ending)
                rows.append(row)
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


def _answer(
    answer: Route | Refusal, archive: FolderArchive, out: Path, language: str
) -> tuple[Ending, Row]:
    study, analysis = answer.study, answer.analysis
    if isinstance(answer, Refusal):
        ending = Ending.FAILED if answer.is_bad else Ending.SKIPPED
        return ending, Row(_source(study), study.name, analysis.name, ending, answer.reason)
    folder = out / study.name / answer.folder

    def write(case: Case, result: Result) -> Path:
        write_products(case, result, folder, language=language)
        return folder

    outcome = run(analysis, archive, study, answer.selection, write=write)
    done = outcome.state is Ending.DONE
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
