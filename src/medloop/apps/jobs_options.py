"""``medloop jobs`` and ``medloop worker``: what the queue holds, and who does it."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from medloop.apps.console import Exit, UsageError, note, say, whoami
from medloop.apps.opening import opened_store
from medloop.apps.settings import Settings

if TYPE_CHECKING:  # ``medloop --help`` needs no database
    from medloop.store import Job, Store
    from medloop.store.steering import Listed

SUMMARY: Final = "List, show, repeat, cancel or hurry jobs."
EXAMPLES: Final = (
    "list --state failed",
    "list --study 1.2.840.113619.2.55 --json",
    "retry 17 18",
    "cancel 19 --reason duplicate",
    "priority 20 --to 10",
)
STATES: Final = ("waiting", "running", "sending", "done", "skipped", "failed", "reviewed")
_VERBS: Final = ("list", "show", "retry", "cancel", "priority")


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=_VERBS)
    parser.add_argument(
        "numbers", metavar="JOB", nargs="*", type=int, help="which jobs, by number"
    )
    parser.add_argument("--state", choices=STATES, help="list: only jobs in this state")
    parser.add_argument("--study", metavar="UID", help="list: only jobs of this study")
    parser.add_argument(
        "--limit", type=int, default=100, metavar="N", help="list: the newest N (default 100)"
    )
    parser.add_argument(
        "--to", type=int, metavar="N", help="priority: the higher goes first; 0 is usual"
    )
    parser.add_argument("--reason", default="", help="cancel: why, for whoever asks later")
    parser.add_argument(
        "--names",
        action="store_true",
        help="list, show: patients' names and numbers too; the audit log notes who asked",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_worker_options(parser: ArgumentParser) -> None:
    """Declare the options of ``medloop worker`` that are about processes."""
    parser.add_argument("--once", action="store_true", help="stop when no job is waiting")
    parser.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="how many worker processes to keep alive (default 1; with --once, this one only)",
    )
    parser.add_argument(
        "--alone",
        metavar="NAME",
        help="be one worker process of this name, as a supervisor starts it",
    )


def start_workers(options: Namespace, settings: Settings) -> Exit:
    """Work in this process, or keep worker processes alive.

    Raises
    ------
    UsageError
        If there are to be no processes.
    ServiceError
        If the database cannot be reached at first.
    """
    from medloop.apps.logs import node_process
    from medloop.apps.workers import Working, supervise_workers, work

    count = options.processes
    if count is not None and count < 1:
        raise UsageError(f"--processes {count}: one process or more")
    if options.once and count is None and not options.alone:
        return work(settings, once=True, working=Working.of_site(""))
    with node_process(settings.home):
        if options.alone:
            working = Working.of_site(options.alone)
            return work(settings, once=options.once, working=working)
        return supervise_workers(settings, count or 1, once=options.once)


def answer(options: Namespace, settings: Settings) -> Exit:
    """Check that the options belong together, and do what they ask.

    Raises
    ------
    UsageError
        If they do not.
    InputError
        If there is no such job, or its state does not allow it.
    ServiceError
        If the database cannot be reached.
    """
    if options.action != "list" and not options.numbers:
        raise UsageError(f"jobs {options.action} needs JOB, the number of one")
    if options.action == "priority" and options.to is None:
        raise UsageError("jobs priority needs --to")
    if options.limit < 1:
        raise UsageError(f"--limit {options.limit}: one job or more")
    with opened_store(settings) as store:
        match options.action:
            case "list":
                _list(options, store)
            case "show":
                _show(options, store)
            case _:
                for number in options.numbers:
                    _change(options, store, number)
    return Exit.DONE


def _list(options: Namespace, store: "Store") -> None:
    from medloop.core.study import StudyUid
    from medloop.store import JobState
    from medloop.store.steering import find_jobs
    from medloop.workflow.room import obstacle

    found = find_jobs(
        store,
        state=JobState(options.state) if options.state else None,
        study=StudyUid(options.study) if options.study else None,
        limit=options.limit,
    )
    _note_names(options, store, found)
    if options.json:
        say(json.dumps([facts(each, names=options.names) for each in found], indent=2))
    else:
        for each in found:
            say(_line(each, names=options.names))
    if not found:
        note(f"medloop: no such job in the store {store.root}")
    trouble = obstacle(store.results_folder)
    if trouble:
        note(f"medloop: no job is begun here: {trouble}")


def _show(options: Namespace, store: "Store") -> None:
    from medloop.store.steering import find_jobs

    shown = []
    for number in options.numbers:
        job = store.jobs.get(number)
        shown += [each for each in find_jobs(store, study=job.study) if each.job.id == number]
    _note_names(options, store, shown)
    told = [facts(each, names=options.names) for each in shown]
    if options.json:
        say(json.dumps(told, indent=2))
        return
    for each in told:
        for key, value in each.items():
            say(f"{key:<12}{value}")


def _change(options: Namespace, store: "Store", number: int) -> None:
    from medloop.store import Entry
    from medloop.store.steering import again, cancel, prioritize

    now, who = _now(), whoami()
    match options.action:
        case "retry":
            job, deed = again(store, number, now=now), "job retried"
        case "cancel":
            reason = f"canceled by {who}" + (f": {options.reason}" if options.reason else "")
            job, deed = cancel(store, number, reason, now=now), "job canceled"
        case _:
            job, deed = prioritize(store, number, options.to, now=now), "job prioritized"
    details = {"job": str(job.id), "analysis": job.analysis, "priority": str(job.priority)}
    store.audit.append(Entry(now, who, deed, job.study, details))
    say(_told(job))


def facts(listed: "Listed", *, names: bool = False) -> dict[str, str | int]:
    """Say what is known of a job, for JSON; of the patient only with `names`."""
    job = listed.job
    told: dict[str, str | int] = {
        "job": job.id,
        "study": job.study,
        "analysis": job.analysis,
        "state": job.state.value,
        "reason": job.reason,
        "priority": job.priority,
        "attempts": job.attempts,
        "crashes": job.crashes,
        "worker": job.worker,
        "due": job.due.isoformat(timespec="seconds"),
        "started": job.started.isoformat(timespec="seconds") if job.started else "",
        "changed": job.changed.isoformat(timespec="seconds") if job.changed else "",
        "objects": len(job.selection),
        "folder": job.folder,
    }
    if names:
        told |= {"patient": listed.patient_name, "patient_id": listed.patient_identifier}
    return told


def _line(listed: "Listed", *, names: bool) -> str:
    told = _told(listed.job)
    return f"{told}  [{listed.patient_name}, {listed.patient_identifier}]" if names else told


def _told(job: "Job") -> str:
    urgent = f" priority {job.priority}" if job.priority else ""
    reason = f": {job.reason}" if job.reason else ""
    return f"{job.id:>6}  {job.state.value:<8} {job.analysis:<12} {job.study}{urgent}{reason}"


def _note_names(options: Namespace, store: "Store", shown: "Sequence[Listed]") -> None:
    """Note that somebody was shown whose jobs these are."""
    from medloop.store import Entry

    if options.names:
        for study in dict.fromkeys(each.job.study for each in shown):
            store.audit.append(Entry(_now(), whoami(), "names shown", study, {"by": "jobs"}))


def _now() -> datetime:
    return datetime.now(UTC)


JOBS: Final = ("jobs", SUMMARY, add_options, answer, EXAMPLES)
