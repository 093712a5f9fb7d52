"""Asking a PACS for studies and fetching them: C-FIND, then C-GET or C-MOVE (PS3.4 C).

Study Root, one level after the other, so that no peer needs relational queries. With C-MOVE
the PACS opens associations to us: either the node's own receiver listens on our port already
and keeps what comes, or a receiver of our own does while objects are fetched.
"""

import logging
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID
from pynetdicom import (
    AE,
    StoragePresentationContexts,
    build_context,
    build_role,
    evt,
)
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from medloop.core.errors import InputError, ServiceError
from medloop.core.names import SeriesUid, SopUid, StudyUid
from medloop.core.retrieve import Held, Listed, Missing, Wanted
from medloop.dicom.net.answer import Answer
from medloop.dicom.net.landing import (
    COMPRESSED,
    NATIVE,
    VERIFICATION,
    Here,
    Landing,
    receiving,
)

log = logging.getLogger(__name__)

_FIND: Final = UID("1.2.840.10008.5.1.4.1.2.2.1")  # Study Root (PS3.4 C.6.2)
_MOVE: Final = UID("1.2.840.10008.5.1.4.1.2.2.2")
_GET: Final = UID("1.2.840.10008.5.1.4.1.2.2.3")
MOST: Final = 10_000  # studies one query may find; more is a slip of the pen
_IN_ONE: Final = 100  # instances named in one request
_CONTEXTS: Final = 127  # 128 in an association (PS3.8 9.3.2.2), less the one for C-GET
_PENDING: Final = (0xFF00, 0xFF01)
_SUB_OPERATIONS_FAILED: Final = 0xB000


@dataclass(frozen=True, slots=True)
class Pacs:
    """A PACS reached by DIMSE; implements `workflow.ports.Source`.

    `timeout_s` bounds each wait: for a connection, an answer, the next message.
    """

    name: str
    host: str
    port: int
    ae_title: str
    here: Here = Here()  # noqa: RUF009 (it is frozen)
    is_moved: bool = False  # C-MOVE rather than C-GET
    tls: ssl.SSLContext | None = None
    timeout_s: float = 60.0

    def find(self, wanted: Wanted) -> tuple[Held, ...]:
        """Ask which studies there are, the newest first.

        Raises
        ------
        InputError
            If there are more than `MOST`.
        ServiceError
            If the PACS cannot be reached, refuses or fails.
        """
        with self._association([build_context(_FIND)]) as association:
            found = {
                match.study: match
                for answer in _find(association, _study_keys(wanted))
                if (match := _match(answer)) is not None
            }
            if wanted.modality:  # not every PACS matches by it, or returns it
                found = {
                    uid: match
                    for uid, match in found.items()
                    if wanted.modality in (match.modalities or _modalities(association, uid))
                }
        return tuple(sorted(found.values(), key=lambda each: (each.date, each.study)))[::-1]

    def listing(self, study: StudyUid) -> tuple[Listed, ...]:
        """List the objects of a study, series by series; raises `ServiceError` as `find`."""
        with self._association([build_context(_FIND)]) as association:
            return tuple(
                Listed(SopUid(uid), SeriesUid(series), str(answer.get("SOPClassUID") or ""))
                for series in _series(association, study)
                for answer in _find(association, _keys("IMAGE", study, series))
                if (uid := str(answer.get("SOPInstanceUID") or ""))
            )

    def fetch(
        self, study: StudyUid, missing: Sequence[Missing], folder: Path
    ) -> Iterator[Path]:
        """Fetch objects into files of a folder, each yielded once it is whole.

        Where our own node's receiver takes what C-MOVE sends, nothing is yielded.

        Raises
        ------
        ServiceError
            If the PACS fails; what was yielded before is good. Also if it could not send all.
        """
        landing = Landing(folder, frozenset(o.uid for part in missing for o in part.objects))
        if self.is_moved:
            yield from self._move(study, missing, landing)
        else:
            yield from self._get(study, missing, landing)

    def echo(self) -> None:
        """Ask for a sign of life (C-ECHO); raises `ServiceError` without one."""
        with self._association([build_context(VERIFICATION)]) as association:
            _require_success(self.name, association.send_c_echo(), "C-ECHO")

    def _get(
        self, study: StudyUid, missing: Sequence[Missing], landing: Landing
    ) -> Iterator[Path]:
        classes = sorted({each.sop_class for part in missing for each in part.objects})
        if not all(classes):
            classes = [str(each.abstract_syntax) for each in StoragePresentationContexts]
        contexts = [build_context(_GET), *_storage_contexts(classes)]
        roles = [build_role(name, scp_role=True) for name in classes]
        handlers = [(evt.EVT_C_STORE, landing.take)]
        with self._association(contexts, roles=roles, handlers=handlers) as association:
            for asked in _requests(study, missing):
                yield from self._followed(association.send_c_get(asked, _GET), landing)
        landing.require_all(self.name)

    def _move(
        self, study: StudyUid, missing: Sequence[Missing], landing: Landing
    ) -> Iterator[Path]:
        with (
            receiving(self.here, landing, self.timeout_s) as is_ours,
            self._association([build_context(_MOVE)]) as association,
        ):
            if not is_ours:
                log.info("%s sends to the receiver that listens already", self.name)
            for asked in _requests(study, missing):
                answers = association.send_c_move(asked, self.here.ae_title, _MOVE)
                yield from self._followed(answers, landing)
        if is_ours:
            landing.require_all(self.name)

    def _followed(
        self, answers: Iterator[tuple[Dataset, Dataset | None]], landing: Landing
    ) -> Iterator[Path]:
        """Yield what lands while the PACS sends."""
        status = Dataset()
        for status, _ in answers:
            yield from landing.landed()
            if status.get("Status") not in _PENDING:
                break
        yield from landing.landed()
        if landing.trouble is not None:
            raise ServiceError(f"cannot be kept: {landing.trouble}")
        if status.get("Status") == _SUB_OPERATIONS_FAILED:
            failed = status.get("NumberOfFailedSuboperations") or "some"
            raise ServiceError(f"{self.name} could not send {failed} objects")
        _require_success(self.name, status, "retrieval")

    @contextmanager
    def _association(
        self,
        contexts: list[PresentationContext],
        *,
        roles: Sequence[object] = (),
        handlers: Sequence[object] = (),
    ) -> Iterator[Association]:
        """Open an association for a service, the one that the first context names."""
        ae = AE(ae_title=self.here.ae_title)
        ae.acse_timeout = ae.dimse_timeout = ae.connection_timeout = self.timeout_s
        ae.network_timeout = self.timeout_s
        answer = Answer()
        association = ae.associate(
            self.host,
            self.port,
            contexts=contexts,
            ae_title=self.ae_title,
            ext_neg=list(roles),  # type: ignore[arg-type]  # a wider element type there
            evt_handlers=[answer.handler, *handlers],  # type: ignore[list-item]
            tls_args=(self.tls, self.host) if self.tls else None,
        )
        if not association.is_established:
            without = "does not offer the service" if answer.is_accepted else "does not answer"
            raise ServiceError(f"{self.name} {answer.refusal or without}")
        accepted = {each.abstract_syntax for each in association.accepted_contexts}
        if contexts[0].abstract_syntax not in accepted:
            association.abort()
            raise ServiceError(f"{self.name} does not offer the service")
        try:
            yield association
        except BaseException:
            association.abort()
            raise
        else:
            association.release()


def _requests(study: StudyUid, missing: Sequence[Missing]) -> Iterator[Dataset]:
    """Ask for whole series where all of one is wanted, else for its objects by their UIDs."""
    for part in missing:
        if part.is_whole:
            asked = Dataset()
            asked.QueryRetrieveLevel = "SERIES"
            asked.StudyInstanceUID, asked.SeriesInstanceUID = study, part.series
            yield asked
            continue
        for start in range(0, len(part.objects), _IN_ONE):
            asked = Dataset()
            asked.QueryRetrieveLevel = "IMAGE"
            asked.StudyInstanceUID, asked.SeriesInstanceUID = study, part.series
            asked.SOPInstanceUID = [each.uid for each in part.objects[start : start + _IN_ONE]]
            yield asked


def _study_keys(wanted: Wanted) -> Dataset:
    keys = _keys("STUDY", StudyUid(wanted.study))
    keys.StudyDate = wanted.date_range
    keys.PatientID = wanted.patient
    keys.AccessionNumber = wanted.accession
    keys.ModalitiesInStudy = wanted.modality
    keys.NumberOfStudyRelatedInstances = ""
    return keys


def _keys(level: str, study: StudyUid, series: str = "") -> Dataset:
    """Ask for the unique keys of a level (PS3.4 C.6.2.1) and what we read beside them."""
    keys = Dataset()
    keys.QueryRetrieveLevel = level
    keys.StudyInstanceUID = study
    if level != "STUDY":
        keys.SeriesInstanceUID = series
    if level == "SERIES":
        keys.Modality = ""
    if level == "IMAGE":
        keys.SOPInstanceUID = keys.SOPClassUID = ""
    return keys


def _find(association: Association, keys: Dataset) -> Iterator[Dataset]:
    for number, (status, answer) in enumerate(association.send_c_find(keys, _FIND)):
        if status.get("Status") not in _PENDING:
            _require_success("PACS", status, "query")
            return
        if number >= MOST and keys.QueryRetrieveLevel == "STUDY":
            raise InputError(f"more than {MOST} studies match; narrow the query")
        if answer is not None:
            yield answer


def _series(association: Association, study: StudyUid) -> list[str]:
    answers = list(_find(association, _keys("SERIES", study)))
    return [uid for each in answers if (uid := str(each.get("SeriesInstanceUID") or ""))]


def _modalities(association: Association, study: StudyUid) -> frozenset[str]:
    answers = _find(association, _keys("SERIES", study))
    return frozenset(str(answer.get("Modality") or "") for answer in answers)


def _match(answer: Dataset) -> Held | None:
    uid = str(answer.get("StudyInstanceUID") or "")
    if not uid:
        return None
    count = answer.get("NumberOfStudyRelatedInstances")
    return Held(
        StudyUid(uid),
        date=str(answer.get("StudyDate") or ""),
        modalities=_words(answer.get("ModalitiesInStudy")),
        instances=int(count) if count not in (None, "") else None,
    )


def _words(value: object) -> tuple[str, ...]:
    parts = value if isinstance(value, MultiValue | list) else [value]
    return tuple(str(part) for part in parts if part)


def _storage_contexts(classes: Sequence[str]) -> list[PresentationContext]:
    """Offer native syntaxes together, and each compressed one alone while there is room."""
    room = max(_CONTEXTS // max(len(classes), 1), 1) - 1
    return [
        context
        for name in classes[:_CONTEXTS]
        for context in (
            build_context(name, list(NATIVE)),
            *(build_context(name, syntax) for syntax in COMPRESSED[:room]),
        )
    ]


def _require_success(name: str, status: Dataset, what: str) -> None:
    code = status.get("Status")
    if code is None:
        raise ServiceError(f"{name} broke off the {what}, or did not answer in time")
    if code != 0:
        raise ServiceError(f"{name} answered the {what} with status 0x{code:04X}")
