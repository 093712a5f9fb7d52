"""Content items of a structured report (PS3.3 C.17.3), one function a value type."""

from collections.abc import Sequence
from enum import StrEnum

from pydicom import Dataset

from medloop.core.code import Code
from medloop.dicom.codes import unit_code
from medloop.dicom.write.attributes import coded, reference


class Relation(StrEnum):
    """How an item relates to the one above it."""

    CONTAINS = "CONTAINS"
    CONTEXT = "HAS OBS CONTEXT"
    MODIFIER = "HAS CONCEPT MOD"
    PROPERTIES = "HAS PROPERTIES"
    SELECTED = "SELECTED FROM"


def _item(kind: str, concept: Code | None, relation: Relation | None) -> Dataset:
    item = Dataset()
    if relation is not None:
        item.RelationshipType = relation.value
    item.ValueType = kind
    if concept is not None:
        item.ConceptNameCodeSequence = [coded(concept)]
    return item


def container(
    concept: Code,
    children: Sequence[Dataset],
    *,
    template: str | None = None,
    is_root: bool = False,
) -> Dataset:
    """Hold other items; `template` is the identifier of a DCMR template."""
    item = _item("CONTAINER", concept, None if is_root else Relation.CONTAINS)
    item.ContinuityOfContent = "SEPARATE"
    if template is not None:
        identification = Dataset()
        identification.MappingResource = "DCMR"
        identification.TemplateIdentifier = template
        item.ContentTemplateSequence = [identification]
    item.ContentSequence = list(children)
    return item


def code_item(concept: Code, value: Code, relation: Relation = Relation.CONTAINS) -> Dataset:
    """State a coded value."""
    item = _item("CODE", concept, relation)
    item.ConceptCodeSequence = [coded(value)]
    return item


def text_item(concept: Code, text: str, relation: Relation = Relation.CONTAINS) -> Dataset:
    """State a text."""
    item = _item("TEXT", concept, relation)
    item.TextValue = text
    return item


def name_item(concept: Code, name: str, relation: Relation = Relation.CONTEXT) -> Dataset:
    """State the name of a person (PN)."""
    item = _item("PNAME", concept, relation)
    item.PersonName = name
    return item


def uid_item(concept: Code, uid: str, relation: Relation = Relation.CONTEXT) -> Dataset:
    """State a UID."""
    item = _item("UIDREF", concept, relation)
    item.UID = uid
    return item


def number_item(concept: Code, value: float, unit: str) -> Dataset:
    """Measure; a value that 16 characters cannot hold exactly is also stored as a double."""
    item = _item("NUM", concept, Relation.CONTAINS)
    measured = Dataset()
    measured.NumericValue = decimal(value)
    if float(measured.NumericValue) != value:
        measured.FloatingPointValue = float(value)
    measured.MeasurementUnitsCodeSequence = [coded(unit_code(unit))]
    item.MeasuredValueSequence = [measured]
    return item


def decimal(value: float) -> str:
    """Write a DS, 16 characters at most (PS3.5 6.2), as exactly as it fits."""
    for digits in range(17, 5, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{value:.6g}"


def image_item(
    concept: Code | None,
    source: Dataset,
    *,
    relation: Relation = Relation.CONTAINS,
    segment: int | None = None,
    frame: int | None = None,
) -> Dataset:
    """Refer to an image, or to a segment of a segmentation."""
    item = _item("IMAGE", concept, relation)
    target = reference(source, frame=frame)
    if segment is not None:
        target.ReferencedSegmentNumber = segment
    item.ReferencedSOPSequence = [target]
    return item


def region_item(
    concept: Code, shape: str, points: Sequence[tuple[float, float]], source: Dataset
) -> Dataset:
    """Outline pixels; `points` are 0-based pixel centers, DICOM counts from the corner."""
    item = _item("SCOORD", concept, Relation.CONTAINS)
    item.GraphicType = shape
    item.GraphicData = [float(v) + 0.5 for point in points for v in point]
    item.ContentSequence = [image_item(None, source, relation=Relation.SELECTED, frame=1)]
    return item


def place_item(
    concept: Code, shape: str, points: Sequence[tuple[float, ...]], frame_of_reference: str
) -> Dataset:
    """Point into the patient, LPS mm."""
    item = _item("SCOORD3D", concept, Relation.CONTAINS)
    item.GraphicType = shape
    item.GraphicData = [float(v) for point in points for v in point]
    item.ReferencedFrameOfReferenceUID = frame_of_reference
    return item
