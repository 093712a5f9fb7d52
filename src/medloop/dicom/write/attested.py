"""What a signature adds to an object: who observed, who verified, what came before.

Without a signature everything here is empty: the object is the analysis' own.
"""

from collections.abc import Sequence

from pydicom import Dataset

from medloop.core.attestation import Attestation, Document
from medloop.core.code import Code
from medloop.core.finding import Provenance
from medloop.core.person import plain_name
from medloop.dicom.codes import MANUFACTURER, dcm
from medloop.dicom.write.content import Relation, code_item, name_item, text_item

_NOT_STATED = "not stated"  # where no setting names the site's organization: it is of type 1
_CONCLUSION = dcm("121077", "Conclusion")
_ADDENDUM = Code("LN", "55107-7", "Addendum Document")
_OBSERVER, _PERSON = dcm("121005", "Observer Type"), dcm("121006", "Person")
_PERSON_NAME = dcm("121008", "Person Observer Name")
_ORGANIZATION = dcm("121009", "Person Observer's Organization Name")
_LOGIN = dcm("128774", "Person Observer's Login Name")


def signer_name(signed: Attestation) -> str:
    """Write who signed as a PN (PS3.5 6.2.1): the person, or else the user."""
    return signed.name or plain_name(signed.signer)


def series_description(provenance: Provenance, what: str) -> str:
    """Name a series, with the version and meaning of its signature."""
    signed = provenance.attested
    name = f"{MANUFACTURER} {provenance.analysis}: {what}"
    return f"{name}, {signed.meaning} {signed.version}"[:64] if signed else name


def observers(provenance: Provenance) -> list[Dataset]:
    """Name the person who read (TID 1002, 1003)."""
    signed = provenance.attested
    if signed is None:
        return []
    context = Relation.CONTEXT
    said = [
        code_item(_OBSERVER, _PERSON, context),
        name_item(_PERSON_NAME, signer_name(signed), context),
    ]
    if signed.name:
        said.append(text_item(_LOGIN, signed.signer, context))
    if signed.organization:
        said.append(text_item(_ORGANIZATION, signed.organization, context))
    return said


def statements(provenance: Provenance) -> list[Dataset]:
    """Write the reader's own conclusion, and what an addendum adds."""
    signed = provenance.attested
    if signed is None:
        return []
    texts = ((_CONCLUSION, signed.conclusion), (_ADDENDUM, signed.addendum))
    return [text_item(concept, text) for concept, text in texts if text]


def state(dataset: Dataset, provenance: Provenance) -> None:
    """Say in `dataset`, an SR, how far it may be relied on (PS3.3 C.17.2).

    A preliminary report is partial and not verified; a final one and its addenda are complete
    and verified by their signer.
    """
    signed = provenance.attested
    is_verified = signed is not None and signed.meaning.is_verified
    is_partial = signed is not None and not is_verified
    dataset.CompletionFlag = "PARTIAL" if is_partial else "COMPLETE"
    dataset.VerificationFlag = "VERIFIED" if is_verified else "UNVERIFIED"
    dataset.PreliminaryFlag = "PRELIMINARY" if is_partial else "FINAL"
    if signed is None:
        return
    if is_partial:
        dataset.CompletionFlagDescription = "Preliminary report of the reader"
    if is_verified:
        dataset.VerifyingObserverSequence = [_verifier(signed)]
    dataset.AuthorObserverSequence = [_author(signed)]
    if signed.predecessors:
        dataset.PredecessorDocumentsSequence = _documents(signed.predecessors)


def _verifier(signed: Attestation) -> Dataset:
    item = Dataset()
    item.VerifyingObserverName = signer_name(signed)
    item.VerifyingObserverIdentificationCodeSequence = []
    item.VerifyingOrganization = signed.organization or _NOT_STATED
    item.VerificationDateTime = f"{signed.at:%Y%m%d%H%M%S%z}"
    return item


def _author(signed: Attestation) -> Dataset:
    item = Dataset()
    item.ObserverType = "PSN"
    item.PersonName = signer_name(signed)
    item.PersonIdentificationCodeSequence = []
    item.InstitutionName = signed.organization
    item.InstitutionCodeSequence = []
    return item


def _documents(documents: Sequence[Document]) -> list[Dataset]:
    """List reports by study and series (Hierarchical SOP Instance Reference, C.17.2.1)."""
    studies: dict[str, dict[str, list[Document]]] = {}
    for each in documents:
        studies.setdefault(each.study_uid, {}).setdefault(each.series_uid, []).append(each)
    items = []
    for study_uid, by_series in studies.items():
        study = Dataset()
        study.StudyInstanceUID = study_uid
        study.ReferencedSeriesSequence = [
            _series(series_uid, its) for series_uid, its in by_series.items()
        ]
        items.append(study)
    return items


def _series(uid: str, documents: Sequence[Document]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = uid
    series.ReferencedSOPSequence = [_reference(each) for each in documents]
    return series


def _reference(document: Document) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = document.sop_class
    item.ReferencedSOPInstanceUID = document.sop_uid
    return item
