"""The report a person reads becomes an Encapsulated PDF."""

from collections.abc import Sequence

from pydicom import Dataset

from medloop.core.finding import Provenance
from medloop.core.study import Study
from medloop.dicom.write.attributes import Identity, new_dataset, reference
from medloop.dicom.write.uids import result_uid

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"


def encapsulated_pdf(
    pdf: bytes,
    provenance: Provenance,
    study: Study,
    sources: Sequence[Dataset] = (),
) -> Dataset:
    """Store a PDF with the identity of its study (PS3.3 A.45.1)."""
    signed = provenance.attested
    title = f"medloop {provenance.analysis} report"
    if signed is not None:
        title = f"{title}, {signed.meaning} {signed.version}"
    identity = Identity(
        sop_class=ENCAPSULATED_PDF,
        sop_uid=result_uid(provenance, "report"),
        series_uid=result_uid(provenance, "report series"),
        series_number=906,
        series_description=title,
        modality="DOC",
    )
    dataset = new_dataset(identity, sources[0] if sources else study, provenance.told)
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "YES"
    dataset.AcquisitionDateTime = ""
    dataset.DocumentTitle = title
    dataset.ConceptNameCodeSequence = []
    if signed is not None:
        dataset.VerificationFlag = "VERIFIED" if signed.meaning.is_verified else "UNVERIFIED"
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    if sources:
        dataset.SourceInstanceSequence = [reference(source) for source in sources]
    dataset.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    dataset.EncapsulatedDocumentLength = len(pdf)
    return dataset
