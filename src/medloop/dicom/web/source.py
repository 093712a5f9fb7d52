"""Asking a PACS for studies and fetching them: QIDO-RS, then WADO-RS (PS3.18 10)."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import pydicom
import requests
from dicomweb_client.api import DICOMwebClient

from medloop.core.errors import InputError, ServiceError
from medloop.core.names import SeriesUid, SopUid, StudyUid
from medloop.core.retrieve import Held, Listed, Missing, Wanted
from medloop.dicom.foreign import DICOM_ERRORS, quiet
from medloop.dicom.header import Header, header_of
from medloop.dicom.web.multipart import PartsToFiles, boundary_of

MOST: Final = 10_000  # studies one query may find; more is a slip of the pen
_PAGE: Final = 500  # studies in one answer
_CHUNK: Final = 1 << 20
_AS_STORED: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_STUDY, _SERIES, _SOP = "0020000D", "0020000E", "00080018"
_SOP_CLASS, _DATE, _MODALITIES, _COUNT = "00080016", "00080020", "00080061", "00201208"

_Json = Mapping[str, Any]  # one data set in DICOM JSON (PS3.18 F.2)


@dataclass(frozen=True, slots=True)
class Access:
    """How to get in: a user and password, or a token alone; `authority` is a file of CAs."""

    user: str = ""
    secret: str = field(default="", repr=False)
    authority: Path | None = None
    certificate: tuple[Path, Path] | None = None  # with its key


@dataclass(frozen=True, slots=True)
class WebPacs:
    """A PACS reached by DICOMweb; implements `workflow.ports.Source`."""

    name: str
    url: str
    access: Access = Access()
    timeout_s: float = 60.0

    def find(self, wanted: Wanted) -> tuple[Held, ...]:
        """Ask which studies there are, the newest first (PS3.18 10.6).

        Raises
        ------
        InputError
            If there are more than `MOST`.
        ServiceError
            If the PACS cannot be reached, refuses or fails.
        """
        asked = {
            "StudyDate": wanted.date_range,
            "ModalitiesInStudy": wanted.modality,
            "PatientID": wanted.patient,
            "AccessionNumber": wanted.accession,
            "StudyInstanceUID": wanted.study,
        }
        filters = {key: value for key, value in asked.items() if value}
        found: dict[StudyUid, Held] = {}
        with self._session() as session:
            for page in self._pages(session, filters):
                found |= {held.study: held for each in page if (held := _held(each))}
                if len(found) > MOST:
                    raise InputError(f"more than {MOST} studies match; narrow the query")
        fitting = [held for held in found.values() if _fits(held, wanted)]
        return tuple(sorted(fitting, key=lambda each: (each.date, each.study)))[::-1]

    def listing(self, study: StudyUid) -> tuple[Listed, ...]:
        """List the objects of a study; raises `ServiceError` as `find`."""
        with self._session() as session:
            search = self._client(session).search_for_instances
            fields = ["SOPClassUID", "SeriesInstanceUID"]
            answers = self._asked(partial(search, study, fields=fields))
        return tuple(
            Listed(SopUid(uid), SeriesUid(_first(each, _SERIES)), _first(each, _SOP_CLASS))
            for each in answers
            if (uid := _first(each, _SOP))
        )

    def metadata(self, study: StudyUid) -> tuple[_Json, ...]:
        """Return all objects of a study without their bulk data, as DICOM JSON.

        Raises
        ------
        InputError
            If the PACS holds no such study.
        ServiceError
            As `find`.
        """
        with self._session() as session:
            client = self._client(session)
            return tuple(self._asked(partial(client.retrieve_study_metadata, study)))

    def headers(self, study: StudyUid) -> tuple[Header, ...]:
        """Return the headers of the objects of a study, whose files are nowhere yet.

        Those that are damaged are left out.

        Raises
        ------
        InputError
            If the PACS holds no such study.
        ServiceError
            As `find`.
        """
        found = []
        for each in self.metadata(study):
            plain = {tag: value for tag, value in each.items() if "BulkDataURI" not in value}
            with suppress(InputError), quiet():
                try:
                    dataset = pydicom.Dataset.from_json(plain)
                except DICOM_ERRORS as error:
                    raise InputError("metadata is damaged") from error
                found.append(header_of(dataset, Path()))
        return tuple(found)

    def fetch(
        self, study: StudyUid, missing: Sequence[Missing], folder: Path
    ) -> Iterator[Path]:
        """Fetch objects as they are stored into files below a folder; yields each when whole.

        The files are the caller's to remove.

        Raises
        ------
        InputError
            If the PACS no longer holds what it listed.
        ServiceError
            If the PACS or the disk fails; what was yielded before is good.
        """
        with self._session() as session:
            for part in missing:
                series = f"studies/{study}/series/{part.series}"
                if part.is_whole:
                    yield from self._retrieve(session, series, folder)
                    continue
                for each in part.objects:
                    yield from self._retrieve(session, f"{series}/instances/{each.uid}", folder)

    def _retrieve(self, session: requests.Session, what: str, folder: Path) -> Iterator[Path]:
        url = f"{self.url.rstrip('/')}/{what}"
        own = folder / secrets.token_hex(8)
        try:
            own.mkdir()
            with _translated(self.name):
                answer = session.get(
                    url, headers={"Accept": _AS_STORED}, stream=True, timeout=self.timeout_s
                )
                answer.raise_for_status()
            with answer:
                yield from self._parts(answer, own)
        except OSError as error:
            raise ServiceError(f"cannot be kept: {error.strerror}") from error

    def _parts(self, answer: requests.Response, folder: Path) -> Iterator[Path]:
        """Yield the parts of an answer as files, each when it is whole."""
        kind = answer.headers.get("Content-Type", "")
        if kind.startswith("application/dicom") and "json" not in kind:
            path = folder / "one.dcm"
            with path.open("xb") as file:
                for chunk in self._chunks(answer):
                    file.write(chunk)
            yield path
            return
        try:
            taking = PartsToFiles(folder, boundary_of(kind), max_bytes=1 << 62)
            done = 0
            for chunk in self._chunks(answer):
                taking.feed(chunk)
                ready = len(taking.files) if taking.has_ended else len(taking.files) - 1
                yield from taking.files[done:ready]
                done = max(done, ready)
            taking.close()
            yield from taking.files[done:]
        except InputError as error:  # another try may bring a whole answer
            raise ServiceError(f"{self.name} sent a damaged answer: {error}") from error

    def _chunks(self, answer: requests.Response) -> Iterator[bytes]:
        chunks = answer.iter_content(_CHUNK)
        while True:
            with _translated(self.name):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk

    def _pages(
        self, session: requests.Session, filters: Mapping[str, str]
    ) -> Iterator[list[_Json]]:
        """Ask for studies page by page, until one is not full or repeats the one before."""
        start, before = 0, None
        while True:
            search = partial(
                self._client(session).search_for_studies,
                limit=_PAGE,
                offset=start,
                fields=["ModalitiesInStudy", "NumberOfStudyRelatedInstances"],
                search_filters=dict(filters),
            )
            page = self._asked(search)
            if page == before:
                return
            yield page
            start, before = start + len(page), page
            if len(page) < _PAGE:
                return

    def _asked(self, ask: Callable[[], object]) -> list[_Json]:
        with _translated(self.name):
            answer = ask()
        if not isinstance(answer, list) or not all(isinstance(each, dict) for each in answer):
            raise ServiceError(f"{self.name} answered with something else than DICOM JSON")
        return answer

    def _client(self, session: requests.Session) -> DICOMwebClient:
        client = DICOMwebClient(
            self.url.rstrip("/"), session, permissive_uid=True, timeout=self.timeout_s
        )
        client.set_http_retry_params(retry=False)
        return client

    @contextmanager
    def _session(self) -> Iterator[requests.Session]:
        with requests.Session() as session:
            session.trust_env = False  # proxies and passwords come from our settings alone
            access = self.access
            if access.authority:
                session.verify = str(access.authority)
            if access.certificate:
                session.cert = (str(access.certificate[0]), str(access.certificate[1]))
            if access.user:
                session.auth = (access.user, access.secret)
            elif access.secret:
                session.headers["Authorization"] = f"Bearer {access.secret}"
            yield session


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Say what went wrong without the address: it may hold a patient's identifier."""
    try:
        yield
    except requests.HTTPError as error:
        code = error.response.status_code if error.response is not None else 0
        if code in (404, 410):
            raise InputError(f"{name} does not hold it (HTTP {code})") from None
        said = "refuses us" if code in (401, 403) else "fails"
        raise ServiceError(f"{name} {said} (HTTP {code})") from None
    except requests.Timeout:
        raise ServiceError(f"{name} did not answer in time") from None
    except requests.exceptions.SSLError:
        raise ServiceError(f"{name} cannot be trusted: TLS failed") from None
    except requests.exceptions.JSONDecodeError:
        raise ServiceError(f"{name} answered with something else than DICOM JSON") from None
    except requests.RequestException as error:
        raise ServiceError(f"{name} cannot be reached ({type(error).__name__})") from None


def _held(answer: _Json) -> Held | None:
    uid, count = _first(answer, _STUDY), _first(answer, _COUNT)
    if not uid:
        return None
    return Held(
        StudyUid(uid),
        date=_first(answer, _DATE),
        modalities=tuple(str(each) for each in _values(answer, _MODALITIES) if each),
        instances=int(count) if count.isdecimal() else None,
    )


def _fits(held: Held, wanted: Wanted) -> bool:
    """Whether a study has the modality; servers that do not match by it return all."""
    return not wanted.modality or not held.modalities or wanted.modality in held.modalities


def _values(answer: _Json, tag: str) -> Sequence[object]:
    element = answer.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else ()


def _first(answer: _Json, tag: str) -> str:
    values = _values(answer, tag)
    return str(values[0]) if values and values[0] is not None else ""
