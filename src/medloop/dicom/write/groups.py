"""Measurement groups of a structured report: one a finding, and one for the assessments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydicom import Dataset

from medloop.core.code import Code
from medloop.core.finding import Assessment, Finding, Provenance, Result, Tracking
from medloop.dicom.codes import (
    ALGORITHM_FAMILY,
    CONCEPTS,
    NO,
    PRIVATE,
    PROBABILITY,
    SCALES,
    SITES,
    YES,
    concept_of,
    dcm,
    fits_code,
    grade_code,
    unit_of,
)
from medloop.dicom.write.attested import statements
from medloop.dicom.write.content import (
    Relation,
    code_item,
    container,
    image_item,
    number_item,
    place_item,
    region_item,
    text_item,
    uid_item,
)
from medloop.dicom.write.tracking import label_name
from medloop.dicom.write.uids import result_uid

GROUP = dcm("125007", "Measurement Group")
TRACKING = dcm("112039", "Tracking Identifier")
FINDING = dcm("121071", "Finding")
SITE = Code("SCT", "363698007", "Finding Site")
REGION, CENTER = dcm("111030", "Image Region"), dcm("111010", "Center")
LABEL = Code(PRIVATE, "LABEL", "Label in the label map")
BOX = Code(PRIVATE, "BOX", "Corners of bounding box")
COMMENT = dcm("121106", "Comment")
ASSESSMENTS = "assessments"  # the tracking identifier of the group that holds them
_TRACKING_UID = dcm("112040", "Tracking Unique Identifier")
_SEGMENT = dcm("121191", "Referenced Segment")
_SEGMENT_SOURCE = dcm("121233", "Source image for segmentation")
_MEASURED_ON = dcm("121112", "Source of Measurement")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The objects a report speaks about: images, and the segmentation if there is one."""

    images: Sequence[Dataset]
    seg: Dataset | None
    numbers: Mapping[int, int]  # label -> segment number, where one finding owns the segment

    @property
    def frame_of_reference(self) -> str | None:
        """The space that coordinates in mm are in."""
        for dataset in (self.seg, *self.images):
            if dataset is not None and dataset.get("FrameOfReferenceUID"):
                return str(dataset.FrameOfReferenceUID)
        return None


def finding_group(
    finding: Finding, tracking: Tracking, provenance: Provenance | None, evidence: Evidence
) -> Dataset:
    """Write one finding: TID 1411 if it owns a segment, 1410 in a picture, else 1501.

    Without `provenance` a person described it, and no algorithm is named.
    """
    number = evidence.numbers.get(finding.segment) if finding.segment is not None else None
    template, places = _places(finding, number, evidence)
    items = [*_opening(tracking, provenance), code_item(FINDING, finding.concept)]
    label = label_name(finding.segment or 0)
    if number is not None and tracking.name != label:  # called as in an earlier study
        items.append(text_item(LABEL, label))
    if finding.site is not None:
        items.append(code_item(SITE, finding.site, Relation.MODIFIER))
    items += places
    if finding.probability is not None:
        items.append(number_item(PROBABILITY, finding.probability, "1"))
    items += [number_item(m.concept, m.value, m.unit) for m in finding.measurements]
    return container(GROUP, items, template=template)


def assessment_group(result: Result, evidence: Evidence) -> Dataset:
    """Write the assessments and warnings of a result after TID 1501.

    Raises
    ------
    ValueError
        If an assessment is of a type that results do not hold; the message names its key.
    """
    provenance = result.provenance
    name = Tracking(ASSESSMENTS, result_uid(provenance, ASSESSMENTS))
    items = [*_opening(name, provenance), *_weights(provenance)]
    site = SITES.get(provenance.analysis)
    if site is not None:
        items.append(code_item(SITE, site, Relation.MODIFIER))
    items.append(image_item(_MEASURED_ON, evidence.images[0]))
    for key, value in result.assessments.items():
        items += _assessment(key, value)
    items += [text_item(COMMENT, notice.text) for notice in result.warnings]
    items += statements(provenance)
    return container(GROUP, items, template="1501")


def _opening(tracking: Tracking, provenance: Provenance | None) -> list[Dataset]:
    """Name a group, and what computed it (TID 4019), if anything did."""
    algorithm, version = dcm("111001", "Algorithm Name"), dcm("111003", "Algorithm Version")
    named = [
        text_item(TRACKING, tracking.name, Relation.CONTEXT),
        uid_item(_TRACKING_UID, tracking.uid),
    ]
    if provenance is None:
        return named
    return [
        *named,
        text_item(algorithm, f"medloop {provenance.analysis}", Relation.MODIFIER),
        text_item(version, provenance.version, Relation.MODIFIER),
    ]


def _weights(provenance: Provenance) -> list[Dataset]:
    """Say once which kind of algorithm it was, with which weights (TID 4019)."""
    parameters = dcm("111002", "Algorithm Parameters")
    family = code_item(dcm("111000", "Algorithm Family"), ALGORITHM_FAMILY, Relation.MODIFIER)
    return [
        family,
        *(
            text_item(
                parameters, f"{w.bundle} {w.version} sha256 {w.sha256}", Relation.MODIFIER
            )
            for w in provenance.weights
        ),
    ]


def _places(
    finding: Finding, number: int | None, evidence: Evidence
) -> tuple[str, list[Dataset]]:
    """Return the template that fits, and what says where: segment, outline, center."""
    items: list[Dataset] = []
    source = evidence.images[0]
    seg = evidence.seg
    template = "1501"
    if number is not None and seg is not None:
        template = "1411"
        items.append(image_item(_SEGMENT, seg, segment=number))
        items.append(image_item(_SEGMENT_SOURCE, source))
    if finding.box is not None and len(finding.box.low) == 2:
        (left, top), (right, bottom) = finding.box.low, finding.box.high
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        concept, template = (REGION, "1410") if template == "1501" else (BOX, template)
        items.append(region_item(concept, "POLYLINE", corners, source))
    if finding.center_px is not None:
        concept, template = (REGION, "1410") if template == "1501" else (CENTER, template)
        items.append(region_item(concept, "POINT", [finding.center_px], source))
    return template, [*items, *_places_in_mm(finding, evidence.frame_of_reference)]


def _places_in_mm(finding: Finding, frame_of_reference: str | None) -> list[Dataset]:
    if frame_of_reference is None:  # millimetres of nowhere help nobody
        return []
    items = []
    if finding.box is not None and len(finding.box.low) == 3:
        corners = [finding.box.low, finding.box.high]
        items.append(place_item(BOX, "MULTIPOINT", corners, frame_of_reference))
    if finding.center_lps_mm is not None:
        items.append(place_item(CENTER, "POINT", [finding.center_lps_mm], frame_of_reference))
    return items


def _assessment(key: str, value: Assessment) -> list[Dataset]:
    """Write one assessment; what is not known (None) is left out.

    Raises
    ------
    ValueError
        If the value is none that a result may hold.
    """
    items: list[Dataset] = []
    match value:
        case bool():
            items = [code_item(concept_of(key), YES if value else NO)]
        case int() if key in SCALES:
            items = [code_item(concept_of(key), grade_code(key, value))]
        case int() | float():
            items = [number_item(concept_of(key), value, unit_of(key))]
        case str() if key in CONCEPTS and fits_code(key, value):
            items = [code_item(concept_of(key), grade_code(key, value))]
        case str():
            items = [text_item(concept_of(key), value)]
        case tuple() if all(isinstance(v, int | float) for v in value):
            unit = unit_of(key)
            items = [number_item(concept_of(key, n), v, unit) for n, v in enumerate(value)]
        case Mapping():
            items = [text_item(concept_of(key, name), text) for name, text in value.items()]
        case None:
            pass
        case _:
            raise ValueError(f"assessment {key} is a {type(value).__name__}, which no SR holds")
    return items
