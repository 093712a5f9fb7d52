"""Files that people bring by the web, and what becomes of them: studies and their jobs."""

import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from medloop.apps.web.context import Context
from medloop.apps.web.curtain import curtain_of
from medloop.apps.web.incoming import receive, sweep
from medloop.apps.web.limits import allow_large_body
from medloop.apps.web.security import Permission, Principal, require
from medloop.core.errors import InputError
from medloop.core.study import StudyUid
from medloop.dicom.web.multipart import PartsToFiles, TooLargeError, boundary_of
from medloop.store.job import Job, JobState
from medloop.store.studylist import StudyList, state_of
from medloop.store.worklist import Line, Worklist
from medloop.workflow.brought import Brought, Given, bring
from medloop.workflow.reception import Reception

_MOST: Final = 500  # on a page
_NAME: Final = 200  # characters of a file's name

Reader = Annotated[Principal, Depends(require(Permission.READ))]
Sender = Annotated[Principal, Depends(require(Permission.SEND))]
Limit = Annotated[int, Query(ge=1, le=_MOST)]
Offset = Annotated[int, Query(ge=0, le=2**31)]
_Uid = Annotated[str, Query(pattern=r"^[0-9.]{1,64}$")]


class UploadedFile(BaseModel):
    """What became of one file: `outcome` is stored, known, conflict, partly or refused."""

    name: str
    outcome: str
    reason: str
    studies: list[str]
    stored: int
    known: int
    conflicts: int


class Standing(BaseModel):
    """Where a study stands to which something was brought: whether it has `grown` by that.

    `state` is that of the worklist; `is_signed` once a final report is.
    """

    grown: bool
    state: str
    is_signed: bool


class Uploaded(BaseModel):
    """What became of an upload; follow the studies at ``/api/studies/{uid}``."""

    files: list[UploadedFile]
    studies: list[str]
    standing: dict[str, Standing]


class StudyLine(BaseModel):
    """A study in the list; `jobs` counts its jobs by their state."""

    uid: str
    name: str
    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    date: str
    description: str
    accession: str
    modalities: list[str]
    arrived: datetime
    is_settled: bool
    instances: int
    jobs: dict[str, int]


class StudyPage(BaseModel):
    """One page of the studies, the latest arrival first."""

    total: int
    studies: list[StudyLine]


class JobLine(BaseModel):
    """One analysis of one part of a study; `reason` says why it was skipped or failed."""

    id: int
    study: str
    analysis: str
    state: str
    reason: str
    attempts: int
    priority: int
    due: datetime
    started: datetime | None
    changed: datetime | None


class JobPage(BaseModel):
    """One page of the jobs, the newest first."""

    total: int
    jobs: list[JobLine]


class StudyAlone(StudyLine):
    """A study with its jobs, the newest first."""

    newest_jobs: list[JobLine]


def router(context: Context) -> APIRouter:
    """Take in files, and tell what becomes of them."""
    routes = APIRouter(prefix="/api", tags=["studies"])
    _add_uploads(routes, context)
    _add_lists(routes, context)
    return routes


def _add_uploads(routes: APIRouter, context: Context) -> None:
    folder = context.store.root / "uploads"
    sweep(folder)
    large = Depends(allow_large_body(context.site.web.max_upload_mb))

    @routes.post("/uploads", responses={413: {}, 415: {}})
    async def upload(
        request: Request, principal: Sender, _large: Annotated[None, large]
    ) -> Uploaded:
        """Take in the files of a form (multipart/form-data): DICOM, pictures, NIfTI, zips."""
        kind = request.headers.get("content-type", "")
        if not kind.lower().startswith("multipart/form-data"):
            raise HTTPException(415, "send the files as multipart/form-data")
        boundary = boundary_of(kind)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
            limit = context.site.web.max_upload_mb << 20
            parts = PartsToFiles(Path(scratch), boundary, limit)
            try:
                await receive(request.stream(), parts)
            except TooLargeError as error:
                raise HTTPException(413, str(error)) from error
            return await run_in_threadpool(_keep, context, parts, principal, Path(scratch))


def _add_lists(routes: APIRouter, context: Context) -> None:
    worklist = Worklist(context.store.database)
    curtain = curtain_of(context)

    @routes.get("/studies")
    def studies(
        principal: Reader, response: Response, limit: Limit = 50, offset: Offset = 0
    ) -> StudyPage:
        """List the studies, the latest arrival first."""
        without = curtain.withheld(principal.name)
        lines, total = worklist.studies(limit=limit, offset=offset, without=without)
        context.trail.saw(principal.name, "studies", "searched")
        _keep_private(response)
        return StudyPage(
            total=total, studies=[StudyLine.model_validate(_told(line)) for line in lines]
        )

    @routes.get("/studies/{uid}", responses={404: {}})
    def study(principal: Reader, response: Response, uid: str) -> StudyAlone:
        """Tell of one study and its jobs."""
        try:
            line = worklist.study(StudyUid(uid), without=curtain.withheld(principal.name, uid))
        except InputError as error:
            raise HTTPException(404, str(error)) from error
        newest, _ = worklist.jobs(limit=_MOST, study=line.uid)
        context.trail.saw(principal.name, line.uid)
        _keep_private(response)
        told = {**_told(line), "newest_jobs": [_job(job) for job in newest]}
        return StudyAlone.model_validate(told)

    @routes.get("/jobs")
    def jobs(
        _principal: Reader,
        response: Response,
        study: _Uid | None = None,
        state: JobState | None = None,
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> JobPage:
        """List jobs, the newest first; of one study or in one state, if asked."""
        of = StudyUid(study) if study is not None else None
        found, total = worklist.jobs(limit=limit, offset=offset, study=of, state=state)
        _keep_private(response)
        return JobPage(total=total, jobs=[_job(job) for job in found])


def _keep(
    context: Context, parts: PartsToFiles, principal: Principal, scratch: Path
) -> Uploaded:
    files = [
        Given(path, named)
        for path, name in zip(parts.files, parts.names, strict=True)
        if (named := _plain_name(name))  # other fields of the form have none
    ]
    if not files:
        raise HTTPException(422, "the form has no file")
    reception = cast("Reception", context.reception)  # what every process of a node is given
    answers = bring(files, reception, scratch=scratch, source=f"upload:{principal.name}")
    studies = list(dict.fromkeys(str(uid) for each in answers for uid in each.studies))
    for uid in studies:
        context.trail.did(principal.name, "stored", uid, {"by": "upload"})
    grown = {str(uid) for each in answers for uid in each.grown}
    standing = {uid: _standing(context, uid, grown=uid in grown) for uid in studies}
    files_told = [_uploaded(each) for each in answers]
    return Uploaded(files=files_told, studies=studies, standing=standing)


def _standing(context: Context, uid: str, *, grown: bool) -> Standing:
    study, listed = StudyUid(uid), StudyList(context.store.database)
    line = Worklist(context.store.database).study(study)
    states = [each.state for each in listed.jobs_of(study)]
    return Standing(
        grown=grown,
        state=state_of(states, is_settled=line.is_settled).value,
        is_signed=any(each.is_signed for each in listed.read_of(study)),
    )


def _uploaded(brought: Brought) -> UploadedFile:
    return UploadedFile(
        name=brought.name,
        outcome=_outcome(brought),
        reason=brought.problem,
        studies=[str(uid) for uid in brought.studies],
        stored=brought.stored,
        known=brought.known,
        conflicts=brought.conflicts,
    )


def _outcome(brought: Brought) -> str:
    if brought.problems:
        return "partly" if brought.studies else "refused"
    if brought.conflicts:
        return "conflict"
    return "stored" if brought.stored or not brought.known else "known"


def _plain_name(name: str) -> str:
    """Keep the last part of a name, without what cannot be printed."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(letter if letter.isprintable() else "_" for letter in last)[-_NAME:]


def _told(line: Line) -> Mapping[str, object]:
    return {
        "uid": line.uid,
        "name": line.name,
        "patient_name": line.patient.name,
        "patient_id": line.patient.identifier,
        "birth_date": line.patient.birth_date,
        "sex": line.patient.sex,
        "date": line.date,
        "description": line.description,
        "accession": line.accession,
        "modalities": list(line.modalities),
        "arrived": line.arrived,
        "is_settled": line.is_settled,
        "instances": line.instances,
        "jobs": {str(state): count for state, count in line.jobs.items()},
    }


def _job(job: Job) -> JobLine:
    return JobLine(
        id=job.id,
        study=job.study,
        analysis=job.analysis,
        state=str(job.state),
        reason=job.reason,
        attempts=job.attempts,
        priority=job.priority,
        due=job.due,
        started=job.started,
        changed=job.changed,
    )


def _keep_private(response: Response) -> None:
    response.headers["Cache-Control"] = "private, no-store"
