"""The page of jobs: what waits, runs or failed, how long it takes; retry, cancel, hurry."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Form, HTTPException, Query, Request
from markupsafe import Markup
from starlette.responses import Response

from medloop.apps.web.administration import ROWS, Manager, Watcher, back, show
from medloop.apps.web.context import Context
from medloop.apps.web.pages import language_of
from medloop.apps.web.plots import Heights, columns, interval
from medloop.apps.web.remembered import Remembered
from medloop.apps.web.texts import text
from medloop.clinical.report.language import Language
from medloop.core.study import StudyUid
from medloop.store.job import QUARANTINED, Job, JobState
from medloop.store.joblist import JobRow, WantedJobs, job_counts, job_row, job_rows
from medloop.store.steering import again, cancel, prioritize
from medloop.store.throughput import Hour, Took, durations, hours
from medloop.workflow.room import obstacle

SPAN: Final = timedelta(days=30)  # that durations are made of
_USUAL_S: Final = 120.0  # how long analyses take changes slowly
_HOURS_S: Final = 15.0
_HURRIED: Final = 10
_Number = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
_Urgency = Annotated[int, Form(ge=-1000, le=1000)]
# How a reason begins, and what it means in words; the rest of it is shown as it is.
_BEGINNINGS: Final = (
    (QUARANTINED, "quarantined"),
    ("gave up after", "gave_up"),
    ("canceled by", "canceled"),
    ("worker lost", "lost"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A job as the page shows it: how long it took, how far it is, its reason in words."""

    job: JobRow
    took: timedelta | None
    progress: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Pace:
    """How long analyses take, and what was done by the hour."""

    took: tuple[Took, ...]
    hours: tuple[Hour, ...]

    def usual_s(self, analysis: str) -> float:
        """Say how long a run of an analysis usually takes; 0 if nobody knows."""
        return next((each.median_s for each in self.took if each.analysis == analysis), 0.0)


def router(context: Context) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter(include_in_schema=False)
    database = context.store.database
    took = Remembered(lambda: durations(database, since=context.now() - SPAN), _USUAL_S)
    today = Remembered(lambda: hours(database, now=context.now()), _HOURS_S)
    counts = Remembered(lambda: job_counts(context.store.database), 2.0)
    _add_lists(routes, context, lambda: Pace(took(), today()), counts)
    _add_deeds(routes, context, counts)
    return routes


def _add_lists(
    routes: APIRouter,
    context: Context,
    pace: Callable[[], Pace],
    counts: Callable[[], Mapping[tuple[str, JobState], int]],
) -> None:
    database = context.store.database

    @routes.get("/jobs")
    def jobs(
        request: Request,
        _who: Watcher,
        state: str = "",
        analysis: Annotated[str, Query(max_length=100)] = "",
        study: Annotated[str, Query(pattern=r"^[0-9.]{0,64}$")] = "",
        before: _Number = None,
    ) -> Response:
        """List jobs by state and analysis, those in quarantine in front."""
        of = JobState(state) if state in tuple(JobState) else None
        wanted = WantedJobs(of, analysis or None, StudyUid(study) if study else None)
        found = job_rows(database, wanted, limit=ROWS + 1, before=before)
        poison = job_rows(database, WantedJobs(is_quarantined=True), limit=20)
        known, number, now = pace(), counts(), context.now()
        language = language_of(request)
        return show(
            request,
            "jobs",
            rows=[_row(each, known, now, language) for each in found[:ROWS]],
            poison=[_row(each, known, now, language) for each in poison],
            older=found[ROWS - 1].id if len(found) > ROWS else None,
            states=_by_state(number, analysis),
            total=sum(n for (name, _), n in number.items() if analysis in ("", name)),
            analyses=sorted({name for name, _ in number}),
            wanted=wanted,
            pace=_drawn(known.took),
            plot=plot_of(known.hours, language),
            obstacle=obstacle(context.store.results_folder),
        )

    @routes.get("/jobs/{number}")
    def job(request: Request, _who: Watcher, number: int) -> Response:
        """Tell of one job, where it is to go, and offer what can be done."""
        found = job_row(database, number) if 0 < number < 2**31 else None
        if found is None:
            raise HTTPException(404, f"there is no job {number}")
        row = _row(found, pace(), context.now(), language_of(request))
        sent = context.store.deliveries.of_job(number)
        return show(request, "job", about="jobs", row=row, deliveries=sent)


def _add_deeds(
    routes: APIRouter, context: Context, counts: Remembered[Mapping[tuple[str, JobState], int]]
) -> None:
    store = context.store

    def done(who: str, deed: str, job: Job) -> Response:
        details = {"job": str(job.id), "analysis": job.analysis, "priority": str(job.priority)}
        context.trail.did(who, deed, job.study, details)
        counts.forget()
        return back(f"/jobs/{job.id}", deed.removeprefix("job "))

    @routes.post("/jobs/{number}/retry")
    def retry(who: Manager, number: int) -> Response:
        """Let a job wait again that failed or was skipped."""
        return done(who.name, "job retried", again(store, _real(number), now=context.now()))

    @routes.post("/jobs/{number}/cancel")
    def stop(
        who: Manager, number: int, reason: Annotated[str, Form(max_length=200)] = ""
    ) -> Response:
        """Skip a job that waits or runs."""
        plain = "".join(each for each in reason if each.isprintable()).strip()
        said = f"canceled by {who.name}" + (f": {plain}" if plain else "")
        return done(
            who.name, "job canceled", cancel(store, _real(number), said, now=context.now())
        )

    @routes.post("/jobs/{number}/priority")
    def hurry(who: Manager, number: int, to: _Urgency = _HURRIED) -> Response:
        """Let a waiting job go before those of less priority."""
        job = prioritize(store, _real(number), to, now=context.now())
        return done(who.name, "job prioritized", job)


def _real(number: int) -> int:
    if not 0 < number < 2**31:
        raise HTTPException(404, "there is no such job")
    return number


def _row(job: JobRow, pace: Pace, now: datetime, language: Language) -> Row:
    took = None
    if job.state is JobState.RUNNING and job.started:
        took = now - job.started
    elif job.started and job.kept and job.kept >= job.started:
        took = job.kept - job.started
    progress = None
    usual = pace.usual_s(job.analysis)
    if job.state is JobState.RUNNING and took is not None and usual:
        progress = min(took.total_seconds() / usual, 0.97)
    return Row(job, took, progress, why(job.reason, job.state, language))


def why(reason: str, state: JobState, language: Language) -> str:
    """Say in words what a job's reason means and what to do about it."""
    if not reason:
        return ""
    for begin, key in _BEGINNINGS:
        if reason.startswith(begin):
            return text(f"jobs.why.{key}", language)
    if state in (JobState.SKIPPED, JobState.FAILED, JobState.WAITING):
        return text(f"jobs.why.{state}", language)
    return ""


def _by_state(
    counts: Mapping[tuple[str, JobState], int], analysis: str
) -> list[tuple[JobState, int]]:
    found: Counter[JobState] = Counter()
    for (name, state), number in counts.items():
        found[state] += number if analysis in ("", name) else 0
    return [(state, found[state]) for state in JobState]


def _drawn(took: Sequence[Took]) -> list[tuple[Took, Markup]]:
    most = max((each.p95_s for each in took), default=1.0)
    return [
        (each, interval(each.median_s, each.median_s, each.p95_s, most=most)) for each in took
    ]


def hour_labels(found: Sequence[Hour]) -> list[str]:
    """Return a label for every fourth hour."""
    return [
        f"{each.at.astimezone():%H:%M}" if n % 4 == 0 else "" for n, each in enumerate(found)
    ]


def plot_of(found: Sequence[Hour], language: Language) -> Markup:
    """Draw what was analyzed and what failed by the hour."""
    labels = [
        f"{each.at.astimezone():%H:%M}" if n % 4 == 0 else "" for n, each in enumerate(found)
    ]
    analyzed = tuple(float(each.analyzed) for each in found)
    failed = tuple(float(each.failed) for each in found)
    return columns(
        text("jobs.plot", language, n=int(sum(analyzed)), failed=int(sum(failed))),
        labels,
        (
            Heights(text("jobs.analyzed", language), "ok", analyzed),
            Heights(text("jobs.state.failed", language), "bad", failed),
        ),
    )
