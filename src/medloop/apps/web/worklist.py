"""The worklist: what to read, the most urgent first, as it comes in and is analyzed.

Names of patients never stand in an address: words to search for come in a body.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from medloop.apps.web.administration import analysis_name, moment
from medloop.apps.web.context import Context
from medloop.apps.web.pages import fill_in, language_of, page
from medloop.apps.web.remembered import Remembered
from medloop.apps.web.security import Permission, Principal, require
from medloop.apps.web.texts import book, text
from medloop.clinical.report.language import Language, age_years, day, person
from medloop.clinical.urgency import Urgency
from medloop.core.study import Patient
from medloop.store.studylist import ANALYZING, OPEN, Listing, StudyList, StudyState, Wanted
from medloop.store.throughput import durations
from medloop.store.worklist import Line

ROWS: Final = 50  # on a page
TABS: Final[Mapping[str, frozenset[StudyState]]] = {
    "open": OPEN,
    "analyzing": ANALYZING,
    "unread": frozenset({StudyState.DONE}),
    "failed": frozenset({StudyState.FAILED}),
    "reviewed": frozenset({StudyState.REVIEWED}),
    "skipped": frozenset({StudyState.SKIPPED}),
    "all": frozenset(StudyState),
}
# Modalities of objects that tell of images, as results do (PS3.3 C.7.3.1.1.1).
_ABOUT_IMAGES: Final = frozenset({"DOC", "KO", "OT", "PR", "RTSTRUCT", "SEG", "SR"})
_KEPT: Final = 64  # pages of the list that are remembered
_NEARLY: Final = 0.97  # of a run that takes longer than usual
Reader = Annotated[Principal, Depends(require(Permission.READ))]


class Asked(BaseModel):
    """What a page shows and has; `tag` names what it got last."""

    tab: Annotated[str, Field(max_length=20)] = "open"
    modality: Annotated[str, Field(max_length=16)] = ""
    since: Annotated[str, Field(max_length=10)] = ""
    until: Annotated[str, Field(max_length=10)] = ""
    words: Annotated[str, Field(max_length=100)] = ""
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    tag: Annotated[str, Field(max_length=64)] = ""

    def wanted(self) -> Wanted:
        """Say it as the store does; what cannot be meant is left out."""
        is_of_images = self.modality not in _ABOUT_IMAGES  # results come and go with readings
        return Wanted(
            TABS.get(self.tab, OPEN),
            self.modality if self.modality.isalnum() and is_of_images else "",
            _dicom_date(self.since),
            _dicom_date(self.until),
            self.words.replace("\0", " "),
        )


class Told(BaseModel):
    """What has changed: `html` of the list, None if the page has it; jobs are so far (0..1)."""

    tag: str
    html: str | None
    progress: dict[int, float]


@dataclass(frozen=True, slots=True)
class Desk:
    """Looks the list up, once for all who look at the same page of it."""

    studies: StudyList
    stamp: Callable[[], str]
    progress: Callable[[], dict[int, float]]
    modalities: Callable[[], tuple[str, ...]]
    _found: dict[tuple[Wanted, int, str], Listing] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, wanted: Wanted, number: int, stamp: str) -> Listing:
        """Return a page of the list as it was at a stamp."""
        key = (wanted, number, stamp)
        with self._lock:
            known = self._found.get(key)
            if known is not None:
                return known
            found = self.studies.find(wanted, limit=ROWS, offset=(number - 1) * ROWS)
            self._found[key] = found
            while len(self._found) > _KEPT:
                del self._found[next(iter(self._found))]
        return found


def router(context: Context) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter(include_in_schema=False)
    desk = desk_of(context)

    @routes.get("/")
    def worklist(
        request: Request,
        principal: Reader,
        asked: Annotated[Asked, Depends(_of_address)],
    ) -> Response:
        """Show the list."""
        context.trail.saw(principal.name, "studies", "searched")
        stamp = desk.stamp()
        return page(
            request,
            "worklist",
            200,
            asked=asked,
            tag=_tag(asked, language_of(request), stamp),
            modalities=[each for each in desk.modalities() if each not in _ABOUT_IMAGES],
            may_send=principal.may(Permission.SEND),
            **_values(context, request, asked, desk.find(asked.wanted(), asked.page, stamp)),
        )

    @routes.post("/worklist")
    def changes(request: Request, principal: Reader, asked: Asked) -> Told:
        """Tell what has changed of the list, or what words find."""
        context.trail.saw(principal.name, "studies", "searched")
        stamp = desk.stamp()
        tag = _tag(asked, language_of(request), stamp)
        html = None
        if tag != asked.tag:
            found = desk.find(asked.wanted(), asked.page, stamp)
            html = fill_in(request, "worklist_studies", _values(context, request, asked, found))
        return Told(tag=tag, html=html, progress=desk.progress())

    return routes


def desk_of(context: Context) -> Desk:
    """Make what looks the list up; what all ask for is asked once a second."""
    studies = StudyList(context.store.database)
    usual = Remembered(lambda: _usual_s(context), 60.0)
    return Desk(
        studies,
        Remembered(studies.stamp, 1.0),
        Remembered(lambda: _progress(context, studies, usual()), 1.0),
        Remembered(studies.modalities, 10.0),
    )


def words_of(language: Language) -> Mapping[str, object]:
    """Return what templates about studies need to say things."""
    return {
        "person": partial(name_of, language),
        "of_images": of_images,
        "day": day,
        "age": age_years,
        "moment": moment,
        "analysis": partial(analysis_name, language),
        "because": partial(_because, language),
        "urgencies": {each.value: each.name.lower() for each in Urgency},
    }


def name_of(language: Language, line: Line) -> str:
    """Name a study as people do."""
    return whose(line.patient, line.name if line.name != line.uid else "", language)


def whose(patient: Patient, file: str, language: Language) -> str:
    """Name a study by its patient, or their number; a picture of nobody by its file."""
    known = person(patient, language) or patient.identifier
    return known or file or text("study.nameless", language)


def of_images(modalities: Sequence[str]) -> tuple[str, ...]:
    """Leave out what only tells of images, where there are others."""
    images = tuple(each for each in modalities if each not in _ABOUT_IMAGES)
    return images or tuple(modalities)


def _because(language: Language, value: str) -> str:
    key = f"worklist.because.{value}"
    return text(key, language) if key in book() else value


def _values(
    context: Context, request: Request, asked: Asked, found: Listing
) -> dict[str, object]:
    last = max(1, -(-found.total // ROWS))
    is_filtered = any((asked.modality, asked.since, asked.until, asked.words))
    return {
        "found": found,
        "tabs": [
            (name, sum(found.counts.get(each, 0) for each in of)) for name, of in TABS.items()
        ],
        "tab": asked.tab if asked.tab in TABS else "open",
        "number": asked.page,
        "link": partial(_link, asked),
        "last": last,
        "first_row": (asked.page - 1) * ROWS + 1,
        "is_filtered": is_filtered,
        "is_empty": not found.counts and not is_filtered,
        "dicom": context.site.dicom,
        **words_of(language_of(request)),
    }


def _link(asked: Asked, **changed: object) -> str:
    """Return the address of another page or part of the list; words are not in it."""
    said = {**asked.model_dump(exclude={"tag", "words"}), **changed}
    plain = {"tab": "open", "page": 1}
    kept = {key: value for key, value in said.items() if value and value != plain.get(key)}
    return "/?" + urlencode(kept) if kept else "/"


def _of_address(
    tab: str = "open", modality: str = "", since: str = "", until: str = "", page: str = "1"
) -> Asked:
    """Take what an address says; what cannot be meant is left out, as in a bookmark."""
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
    return Asked(
        tab=tab[:20], modality=modality[:16], since=since[:10], until=until[:10],
        page=max(number, 1),
    )  # fmt: skip


def _dicom_date(said: str) -> str:
    try:
        return f"{date.fromisoformat(said):%Y%m%d}"
    except ValueError:
        return ""


def _tag(asked: Asked, language: Language, stamp: str) -> str:
    said = f"{asked.model_dump(exclude={'tag'})}|{language}|{stamp}"
    return hashlib.sha256(said.encode(errors="surrogatepass")).hexdigest()[:20]


def _usual_s(context: Context) -> Mapping[str, float]:
    since = context.now() - timedelta(days=30)
    return {
        each.analysis: each.median_s for each in durations(context.store.database, since=since)
    }


def _progress(
    context: Context, studies: StudyList, usual_s: Mapping[str, float]
) -> dict[int, float]:
    """Say how far running jobs are, by how long such jobs usually take."""
    now, far = context.now(), {}
    for job, analysis, started in studies.running():
        expected_s = usual_s.get(analysis, 0.0)
        took_s = (now - started).total_seconds()
        if expected_s > 0 and took_s >= 0:
            far[job] = round(min(took_s / expected_s, _NEARLY), 2)
    return far
