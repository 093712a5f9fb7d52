"""Who may see whose reading, and who may change it: asked by every route about readings."""

from typing import Final

from fastapi import HTTPException

from medloop.annotation.blinding import Panel, panel
from medloop.apps.web.context import Context
from medloop.apps.web.security import Principal
from medloop.core.errors import InputError
from medloop.core.study import StudyUid
from medloop.store.audit import Wanted
from medloop.store.job import Job
from medloop.store.reading import Purpose, Reading, ReadingState

SAW: Final = "saw other readings of"  # in the audit log, which nobody can shorten
_KNOWS: Final = "you have seen what the others say: adjudicate instead"


def panel_of(context: Context, job: int, analysis: str) -> Panel:
    """Put the readings of a job together, with how many are wanted."""
    wanted = context.site.reading.wanted(analysis)
    return panel(context.store.readings.of_job(job), wanted=wanted)


def seen_reading(context: Context, principal: Principal, number: int) -> Reading:
    """Look a reading up that somebody may see: 404 if there is none, 403 while they may not."""
    reading = _found(context, number)
    readings = panel_of(context, reading.job, reading.analysis)
    if not readings.may_see(principal.name, reading):
        context.trail.saw(principal.name, reading.study, "was refused a reading of")
        raise HTTPException(403, "readers work apart: hand in your own reading first")
    if reading.reader != principal.name:
        note_seen(context, principal.name, readings, reading.job, reading.study)
    return reading


def own_reading(context: Context, principal: Principal, number: int) -> Reading:
    """Look one's own reading up: 404 if there is none, 403 if it is somebody else's."""
    reading = _found(context, number)
    if reading.reader != principal.name:
        raise HTTPException(403, "the reading is somebody else's: begin one of your own")
    if why := barred(context, reading):
        raise HTTPException(403, why)
    return reading


def barred(context: Context, reading: Reading) -> str:
    """Say why the reader of an open reading cannot go on with it; empty if they can."""
    if reading.state is not ReadingState.OPEN or reading.purpose is not Purpose.READ:
        return ""
    readings = panel_of(context, reading.job, reading.analysis)
    if not readings.may_read(reading.reader):
        return "you decide between the others here: read something else"
    if has_seen(context, reading.reader, readings, reading.job, reading.study):
        return _KNOWS
    return ""


def require_may_begin(
    context: Context, principal: Principal, job: Job, purpose: Purpose
) -> None:
    """Let a reading be begun, or raise 403: who decides waits for all, and reads no more."""
    readings = panel_of(context, job.id, job.analysis)
    if purpose is Purpose.ADJUDICATE and not readings.may_adjudicate(principal.name):
        raise HTTPException(403, "readings are not all in: adjudicate when they are")
    knows = has_seen(context, principal.name, readings, job.id, job.study)
    if purpose is Purpose.READ and (knows or not readings.may_read(principal.name)):
        raise HTTPException(403, _KNOWS)


def note_seen(context: Context, name: str, readings: Panel, job: int, study: StudyUid) -> None:
    """Write down, once, that somebody who has not read apart was shown what others say."""
    is_in = any(each.reader == name for each in readings.handed_in)
    if readings.wanted > 1 and not is_in and not has_seen(context, name, readings, job, study):
        context.trail.did(name, SAW, study, {"job": str(job)})


def has_seen(context: Context, name: str, readings: Panel, job: int, study: StudyUid) -> bool:
    """Whether somebody was shown what others say of a result that is read apart."""
    if readings.wanted < 2:
        return False
    rows = context.store.audit.page(Wanted(name, SAW, study))
    return any(row.entry.details.get("job") == str(job) for row in rows)


def _found(context: Context, number: int) -> Reading:
    try:
        return context.store.readings.get(number)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
