"""What was signed becomes documents: report, SR, SEG and PDF beside the model's own.

Signing only keeps a statement; `issue_due`, a duty of the keeper, makes the rest. It can be
killed at any moment and does the same again. The class of an error decides as for analyses.
"""

import logging
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jaxtyping import UInt8
from numpy import ndarray

from medloop.core.attestation import Attestation, Document
from medloop.core.errors import InputError, ServiceError, UnsuitableError
from medloop.core.finding import Finding, Result
from medloop.core.structure import Structure
from medloop.core.study import Case
from medloop.store.reading import SIGNED
from medloop.workflow.ports import Archive

if TYPE_CHECKING:  # as in the worker: a database is loaded by whoever has a store
    from medloop.store import Entry, Store
    from medloop.store.issues import Issue
    from medloop.workflow.products import Makers
    from medloop.workflow.revising import Revision
    from medloop.workflow.statement import Statement

log = logging.getLogger(__name__)

Figures = Mapping[str, UInt8[ndarray, "y x 3"]]
_CONTOURED: Final = frozenset({"head_neck"})  # analyses whose labels are contours, too


@dataclass(frozen=True, slots=True)
class Press:
    """Who makes documents, by which clock and parts, and who gets them.

    `destinations` as in `worker.Bench`; `makers` are the real ones unless given.
    """

    archive: Archive
    now: Callable[[], datetime]
    destinations: Mapping[str, Collection[str]]
    name: str = "keeper"
    makers: "Makers | None" = None


def issue_due(store: "Store", press: Press) -> int:
    """Make the documents of what was signed and waits; return how many reports were made.

    Raises
    ------
    ServiceError
        If the database cannot be reached.
    """
    store.issues.enlist(now=press.now())
    made = 0
    while (issue := store.issues.claim(now=press.now())) is not None:
        made += _bounded(store, issue, press)
    return made


def _bounded(store: "Store", issue: "Issue", press: Press) -> bool:
    about = f"reading {issue.reading}, version {issue.version.number}"
    try:
        folder = make_report(store, issue, press)
        _finish(store, issue, press, folder)
    except (InputError, UnsuitableError) as bad:
        _fail(store, issue, press, str(bad))
        log.warning("%s: not issued: %s", about, bad)
    except ServiceError as trouble:
        if not store.issues.retry(issue, str(trouble), now=press.now()):
            _fail(store, issue, press, f"gave up: {trouble}")
        log.warning("%s: not issued now: %s", about, trouble)
    except Exception as bug:  # noqa: BLE001 (the boundary of an issue, as of a job)
        # Where, but not what: the text of a foreign exception may quote the patient's data.
        frames = "".join(traceback.format_tb(bug.__traceback__))
        log.error("%s has a bug: %s\n%s", about, type(bug).__name__, frames)  # noqa: TRY400
        _fail(store, issue, press, f"internal error: {type(bug).__name__}")
    else:
        log.info("%s: issued", about)
        return True
    return False


def make_report(store: "Store", issue: "Issue", press: Press) -> Path:
    """Write the documents of a signed version into its folder, and file them.

    Raises
    ------
    InputError
        If what was signed no longer fits what is there.
    ServiceError
        If the disk or the database is in the way.
    """
    from medloop.workflow.filing import file_products  # noqa: PLC0415 - loads what writes DICOM
    from medloop.workflow.products import Makers, write_products  # noqa: PLC0415 - as above
    from medloop.workflow.revising import Revising  # noqa: PLC0415 - as above
    from medloop.workflow.statement import changed_since, read_statement  # noqa: PLC0415

    said = store.archive.read(issue.version.record)
    statement = read_statement(said)
    revision = Revising(store, press.archive).whole(issue.reading, edits=statement.edits)
    if changed := changed_since(said, revision):
        names = ", ".join(changed)
        raise InputError(f"no longer what was signed: {names}; look at it and sign again")
    signed = _attestation(store, issue, statement, revision)
    real = press.makers or Makers.real()

    def html(_case: Case, result: Result, language: str, figures: Figures) -> str:
        return report_html(revision, result, language, figures=figures, signed=signed)

    def dicom(
        case: Case, result: Result, pdf: bytes | None, figures: Figures, part: Path
    ) -> None:
        real.dicom(case, result, pdf, figures, part)
        (part / SIGNED).write_bytes(said)

    folder = store.results_folder / issue.version.folder
    write_products(
        revision.case,
        attested(revision, signed),
        folder,
        language=statement.signing.language,
        makers=replace(real, html=html, dicom=dicom),
    )
    file_products(store, folder, now=issue.version.at)
    return folder


def report_html(
    revision: "Revision",
    result: Result,
    language: str,
    *,
    figures: Figures,
    signed: Attestation | None = None,
) -> str:
    """Lay out the report of a reading: as signed, or as a draft that says so."""
    from medloop.clinical.naming import finding_name  # noqa: PLC0415 - loads what draws
    from medloop.clinical.report.language import Language  # noqa: PLC0415 - as above
    from medloop.clinical.report.review import Words, review_of  # noqa: PLC0415 - as above
    from medloop.clinical.reports import report_for  # noqa: PLC0415 - as above

    tongue, analysis = Language(language), result.provenance.analysis
    written = Words(
        reader=revision.reading.reader,
        conclusion=revision.draft.conclusion or "",
        addendum=signed.addendum if signed else "",
        signed=signed,
    )
    review = review_of(
        revision.reviewed,
        written,
        (revision.model, result),
        name=lambda finding: finding_name(finding, analysis, tongue),
        language=tongue,
    )
    return report_for(
        revision.case,
        result,
        language=language,
        now=result.provenance.told,
        rendered=figures,
        review=review,
    )


def attested(revision: "Revision", signed: Attestation | None) -> Result:
    """Return a reading's result as its documents hold it.

    Lesions keep the names that they have in the model's documents. Heat maps and
    probabilities are of the network's answer, and stay with that.
    """
    from medloop.dicom.write.tracking import named  # noqa: PLC0415 - loads what writes DICOM

    result, kept = revision.result, revision.reviewed.kept
    findings = result.findings
    if len(findings) == len(kept):
        known = named(revision.model).findings
        findings = tuple(
            replace(finding, tracking=finding.tracking or known[int(each.key) - 1].tracking)
            if each.key.isdecimal() and _is_same(finding, each.finding)
            else finding
            for finding, each in zip(findings, kept, strict=True)
        )
    return replace(
        result,
        findings=findings,
        heat_maps=(),
        likely={},
        provenance=replace(result.provenance, attested=signed),
        structures=_structures(revision),
    )


def _is_same(one: Finding, other: Finding) -> bool:
    """Whether two findings are of one thing; lesions that were counted anew may be others."""
    return (one.concept, one.site) == (other.concept, other.site)


def _structures(revision: "Revision") -> tuple[Structure, ...]:
    """Draw contours of the labels, for analyses that draw contours."""
    labels = revision.result.labels
    if revision.model.provenance.analysis not in _CONTOURED or labels is None:
        return ()
    from medloop.clinical.radiotherapy.contours import structures_of_labels  # noqa: PLC0415

    return structures_of_labels(labels)


def _attestation(
    store: "Store", issue: "Issue", statement: "Statement", revision: "Revision"
) -> Attestation:
    signing = statement.signing
    return Attestation(
        reading=issue.reading,
        version=issue.version.number,
        meaning=signing.meaning,
        signer=signing.signer,
        name=signing.name,
        organization=signing.organization,
        at=signing.at,
        language=signing.language,
        statement=issue.version.record,
        conclusion=statement.conclusion,
        addendum=signing.addendum,
        predecessors=_predecessors(store, issue, revision),
        drawn=tuple(revision.drawn.items()),
        described=revision.described,
        amends=_amends(store, issue, revision),
    )


def _amends(store: "Store", issue: "Issue", revision: "Revision") -> bool:
    """Whether a version says otherwise than the last one before that is final or after it."""
    from medloop.workflow.statement import changed_since  # noqa: PLC0415 - as above

    verified = [
        each.record
        for each in store.readings.versions(issue.reading)
        if each.number < issue.version.number and each.meaning.is_verified
    ]
    return bool(verified and changed_since(store.archive.read(verified[-1]), revision))


def _predecessors(store: "Store", issue: "Issue", revision: "Revision") -> tuple[Document, ...]:
    """Name the report that this one follows: the version before, or the model's own."""
    earlier = [
        each.folder
        for each in store.readings.versions(issue.reading)
        if each.number < issue.version.number and each.products
    ]
    folder = earlier[-1] if earlier else revision.looked.kept.folder
    return _document(store.results_folder / folder / "sr.dcm")


def _document(path: Path) -> tuple[Document, ...]:
    from medloop.dicom.header import read_header  # noqa: PLC0415 - loads what reads DICOM

    if not path.is_file():
        return ()
    header = read_header(path)
    return (Document(header.study_uid, header.series_uid, header.sop_class, header.uid),)


def _finish(store: "Store", issue: "Issue", press: Press, folder: Path) -> None:
    analysis = store.jobs.get(issue.job).analysis
    wanted = press.destinations.items()
    recipients = [name for name, them in wanted if not them or analysis in them]
    products = [path.name for path in folder.iterdir()]
    store.issues.finish(issue, products, recipients, _entry(store, issue, press, "issued"))


def _fail(store: "Store", issue: "Issue", press: Press, reason: str) -> None:
    store.issues.fail(issue, reason, _entry(store, issue, press, "failed"))


def _entry(store: "Store", issue: "Issue", press: Press, outcome: str) -> "Entry":
    from medloop.store import Entry  # noqa: PLC0415 - whoever has a store has loaded it

    details = {
        "job": str(issue.job),
        "reading": str(issue.reading),
        "version": str(issue.version.number),
        "meaning": issue.version.meaning.value,
        "sha256": issue.version.record,
        "outcome": outcome,
    }
    study = store.jobs.get(issue.job).study
    return Entry(press.now(), press.name, "report issued", study, details)
