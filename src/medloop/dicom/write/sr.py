"""A result becomes a Comprehensive 3D SR after TID 1500."""

from collections.abc import Sequence

from pydicom import Dataset

from medloop.core.code import Code
from medloop.core.finding import Provenance, Result
from medloop.dicom.codes import MANUFACTURER, PRIVATE, dcm
from medloop.dicom.write.attested import observers, series_description, state
from medloop.dicom.write.attributes import (
    Identity,
    coding_schemes,
    new_dataset,
    referenced_evidence,
)
from medloop.dicom.write.content import (
    Relation,
    code_item,
    container,
    image_item,
    text_item,
    uid_item,
)
from medloop.dicom.write.groups import Evidence, assessment_group, finding_group
from medloop.dicom.write.seg import present_segments
from medloop.dicom.write.tracking import owned_labels, trackings
from medloop.dicom.write.uids import result_uid, uid_from

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
_REPORT = dcm("126000", "Imaging Measurement Report")
_LANGUAGE = dcm("121049", "Language of Content Item and Descendants")
_ENGLISH = Code("RFC5646", "en", "English")
_PROCEDURE = dcm("121058", "Procedure reported")
_LIBRARY, _LIBRARY_GROUP = dcm("111028", "Image Library"), dcm("126200", "Image Library Group")
_MEASUREMENTS = dcm("126010", "Imaging Measurements")


def structured_report(
    result: Result, sources: Sequence[Dataset], seg: Dataset | None
) -> Dataset:
    """Write findings and assessments (PS3.3 A.35.13; PS3.16 TID 1500, 1410, 1411, 1501, 4019).

    A finding that has a segment to itself refers to it; others give their outline or center.
    Assessments stand in one measurement group named ``assessments``: grades as codes,
    probabilities as numbers of unit 1, other words as text. `sources` are headers of the images
    that were read, `seg` is the segmentation of the same result. A result that was signed names
    its reader as observer beside the device, and no algorithm in what the reader described.
    """
    provenance = result.provenance
    evidence = Evidence(sources, seg, _owned_segments(result))
    groups = [assessment_group(result, evidence)]
    described = provenance.attested.described if provenance.attested else ()
    groups += [
        finding_group(finding, tracking, None if n in described else provenance, evidence)
        for n, (finding, tracking) in enumerate(
            zip(result.findings, trackings(result, evidence.numbers), strict=True), start=1
        )
    ]
    images = [image_item(None, source) for source in sources]
    root = container(
        _REPORT,
        [
            code_item(_LANGUAGE, _ENGLISH, Relation.MODIFIER),
            *observers(provenance),
            *_device(provenance),
            code_item(_PROCEDURE, _procedure(provenance), Relation.MODIFIER),
            container(_LIBRARY, [container(_LIBRARY_GROUP, images)]),
            container(_MEASUREMENTS, groups),
        ],
        template="1500",
        is_root=True,
    )
    dataset = new_dataset(_identity(provenance), sources[0], provenance.told)
    dataset.update(root)
    state(dataset, provenance)
    dataset.PerformedProcedureCodeSequence = []
    dataset.ReferencedPerformedProcedureStepSequence = []
    objects = [*sources, *([seg] if seg is not None else [])]
    dataset.CurrentRequestedProcedureEvidenceSequence = referenced_evidence(objects)
    dataset.CodingSchemeIdentificationSequence = coding_schemes([PRIVATE])
    return dataset


def _owned_segments(result: Result) -> dict[int, int]:
    """Map labels that exactly one finding has to their segment numbers."""
    owned = owned_labels(result.findings)
    present = present_segments(result.labels)
    return {label: n for n, label in enumerate(present, start=1) if label in owned}


def _identity(provenance: Provenance) -> Identity:
    return Identity(
        sop_class=COMPREHENSIVE_3D_SR,
        sop_uid=result_uid(provenance, "sr"),
        series_uid=result_uid(provenance, "sr series"),
        series_number=902,
        series_description=series_description(provenance, "measurements"),
        modality="SR",
    )


def _device(provenance: Provenance) -> list[Dataset]:
    """Say that a device made observations (TID 1002, 1004)."""
    device = uid_from(MANUFACTURER, provenance.analysis, provenance.version)
    name = f"{MANUFACTURER} {provenance.analysis}"
    model = f"{name} {provenance.version}"
    context = Relation.CONTEXT
    return [
        code_item(dcm("121005", "Observer Type"), dcm("121007", "Device"), context),
        uid_item(dcm("121012", "Device Observer UID"), device, context),
        text_item(dcm("121013", "Device Observer Name"), name, context),
        text_item(dcm("121014", "Device Observer Manufacturer"), MANUFACTURER, context),
        text_item(dcm("121015", "Device Observer Model Name"), model, context),
    ]


def _procedure(provenance: Provenance) -> Code:
    meaning = f"Automated image analysis: {provenance.analysis}"
    return Code(PRIVATE, provenance.analysis.upper()[:16], meaning[:64])
