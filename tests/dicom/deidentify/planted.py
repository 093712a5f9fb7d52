"""Studies drawn with the 18 identifiers of HIPAA in every place where they are found."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.dicom.deidentify.people import Person, a_person, digits, identify, story

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
US_FRAMES = "1.2.840.10008.5.1.4.1.1.3.1"
SC = "1.2.840.10008.5.1.4.1.1.7"
SR = "1.2.840.10008.5.1.4.1.1.88.33"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"


@dataclass(frozen=True)
class Object:
    """One object, the words burned into its pixels (with their box), and how it is stored."""

    kind: str
    dataset: Dataset
    burned: tuple[tuple[str, tuple[int, int, int, int]], ...] = ()
    syntax: str = ExplicitVRLittleEndian


def _image(dataset: Dataset, array: np.ndarray) -> None:
    frames = (
        array.shape[0] if array.ndim == 4 or (array.ndim == 3 and array.shape[-1] != 3) else 0
    )
    color = array.shape[-1] == 3
    rows, columns = array.shape[-3:-1] if color else array.shape[-2:]
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel = 3 if color else 1
    dataset.PhotometricInterpretation = "RGB" if color else "MONOCHROME2"
    if color:
        dataset.PlanarConfiguration = 0
    bits = array.dtype.itemsize * 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, int(array.dtype.kind == "i")
    if frames:
        dataset.NumberOfFrames = str(frames)
    dataset.PixelData = array.tobytes()


def _text_overlay(dataset: Dataset, words: str) -> None:
    plane = np.zeros((int(dataset.Rows), int(dataset.Columns)), np.uint8)
    cv2.putText(plane, words, (2, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1, 1)
    dataset.add_new(0x60000010, "US", plane.shape[0])
    dataset.add_new(0x60000011, "US", plane.shape[1])
    dataset.add_new(0x60000040, "CS", "G")
    dataset.add_new(0x60000050, "SS", [1, 1])
    dataset.add_new(0x60000100, "US", 1)
    dataset.add_new(0x60000102, "US", 0)
    dataset.add_new(0x60003000, "OW", np.packbits(plane, bitorder="little").tobytes())
    dataset.add_new(0x60000022, "LO", words)


def _slice(person, uids, rng, *, sop, modality, number) -> Object:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop, f"{uids['series']}.{number}"
    identify(dataset, person, uids | {"number": number})
    dataset.Modality = modality
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if modality == "CT" else "OTHER"]
    dataset.ImagePositionPatient = [0, 0, float(number)]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [0.5, 0.75], "1"
    dataset.AcquisitionNumber, dataset.PatientPosition = "1", "HFS"
    dataset.AcquisitionDateTime = person.numbers["seen"] + "101112"
    dataset.ImageComments = story(person)
    if modality == "CT":
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.KVP = "1", "-1024", "120"
        dataset.RescaleType = "HU"
    else:
        dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = (
            "SE",
            "NONE",
            "",
        )
        dataset.MRAcquisitionType, dataset.EchoTime, dataset.RepetitionTime = "2D", "10", "500"
        dataset.EchoTrainLength = "1"
    _image(dataset, rng.integers(0, 2000, (48, 64), dtype=np.int16))
    _text_overlay(dataset, person.numbers["mrn"][:8])
    return Object(
        modality, dataset, syntax=rng.choice([ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    )


def burn(array: np.ndarray, words: list[tuple[str, int]]) -> tuple:
    """Draw words at rows, and return each with its box."""
    boxes = []
    for text, row in words:
        scale, thick = 0.5, 1
        (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
        color = (255, 255, 255) if array.shape[-1] == 3 else 255
        cv2.putText(
            array, text, (6, row), cv2.FONT_HERSHEY_SIMPLEX, scale, color, thick, cv2.LINE_AA
        )
        boxes.append((text, (row - height - 1, 6, row + base, 6 + width)))
    return tuple(boxes)


def _ultrasound(person, uids, rng) -> Object:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = US_FRAMES, f"{uids['series']}.1"
    identify(dataset, person, uids)
    dataset.Modality, dataset.ImageType = "US", ["ORIGINAL", "PRIMARY"]
    first = np.zeros((160, 256), np.uint8)
    words = burn(first, [(f"{person.latin}", 16), (person.numbers["mrn"], 36)])
    frames = np.stack([first.copy() for _ in range(3)])
    for frame in frames:
        frame[60:150, 40:210] = rng.integers(10, 90, (90, 170), dtype=np.uint8)
    _image(dataset, frames)
    dataset.FrameTime, dataset.FrameIncrementPointer = "40", 0x00181063
    return Object("US", dataset, words)


def _capture(person, uids, rng) -> Object:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = SC, f"{uids['series']}.1"
    identify(dataset, person, uids)
    dataset.Modality, dataset.ConversionType = "OT", "WSD"
    picture = np.full((140, 240, 3), 40, np.uint8)
    picture[60:130, 20:220] = rng.integers(60, 120, (70, 200, 3), dtype=np.uint8)
    born = person.numbers["born"]
    words = burn(picture, [(f"{person.latin}", 18), (f"{born[6:]}/{born[4:6]}/{born[:4]}", 40)])
    _image(dataset, picture)
    dataset.PatientOrientation = ""
    return Object("SC", dataset, words)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _item(relation: str, kind: str, name: tuple[str, str, str], **values) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relation, kind
    item.ConceptNameCodeSequence = Sequence([_code(*name)])
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _report(person, uids, images: list[Dataset]) -> Object:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = SR, f"{uids['series']}.1"
    identify(dataset, person, uids)
    del dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator
    dataset.Modality, dataset.CompletionFlag, dataset.VerificationFlag = (
        "SR",
        "PARTIAL",
        "UNVERIFIED",
    )
    dataset.ReferencedPerformedProcedureStepSequence = Sequence()
    dataset.PerformedProcedureCodeSequence = Sequence()
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ConceptNameCodeSequence = Sequence(
        [_code("126000", "DCM", "Imaging Measurement Report")]
    )
    reference = Dataset()
    reference.ReferencedSOPClassUID = images[0].SOPClassUID
    reference.ReferencedSOPInstanceUID = images[0].SOPInstanceUID
    n = person.numbers
    number = Dataset()
    number.NumericValue = "5"
    number.MeasurementUnitsCodeSequence = Sequence([_code("mm", "UCUM", "mm")])
    dataset.ContentSequence = Sequence(
        [
            _item(
                "HAS OBS CONTEXT",
                "PNAME",
                ("121008", "DCM", "Person Observer Name"),
                PersonName=f"{person.physician}^A",
            ),
            _item("CONTAINS", "TEXT", ("121071", "DCM", "Finding"), TextValue=story(person)),
            _item("CONTAINS", "DATE", ("121069", "DCM", "Previous Finding"), Date=n["seen"]),
            _item(
                "CONTAINS",
                "NUM",
                ("410668003", "SCT", "Length"),
                MeasuredValueSequence=Sequence([number]),
            ),
            _item(
                "CONTAINS",
                "IMAGE",
                ("121080", "DCM", "Best illustration of finding"),
                ReferencedSOPSequence=Sequence([reference]),
            ),
        ]
    )
    dataset.CurrentRequestedProcedureEvidenceSequence = Sequence([_evidence(images)])
    return Object("SR", dataset)


def _evidence(images: list[Dataset]) -> Dataset:
    series, study = Dataset(), Dataset()
    series.SeriesInstanceUID = images[0].SeriesInstanceUID
    series.ReferencedSOPSequence = Sequence([_reference(image) for image in images])
    study.StudyInstanceUID = images[0].StudyInstanceUID
    study.ReferencedSeriesSequence = Sequence([series])
    return study


def _reference(image: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = image.SOPClassUID
    item.ReferencedSOPInstanceUID = image.SOPInstanceUID
    return item


def _structures(person, uids, images: list[Dataset]) -> Object:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = RTSTRUCT, f"{uids['series']}.1"
    identify(dataset, person, uids)
    dataset.Modality = "RTSTRUCT"
    dataset.StructureSetLabel = f"{person.family}"[:16]
    dataset.StructureSetName = f"plan {person.numbers['mrn']}"
    dataset.StructureSetDescription = story(person)
    dataset.StructureSetDate, dataset.StructureSetTime = person.numbers["seen"], "101112"
    frame, study, series = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = images[0].SeriesInstanceUID
    series.ContourImageSequence = Sequence([_reference(image) for image in images])
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    study.ReferencedSOPInstanceUID = images[0].StudyInstanceUID
    study.RTReferencedSeriesSequence = Sequence([series])
    frame.FrameOfReferenceUID = uids["frame"]
    frame.RTReferencedStudySequence = Sequence([study])
    dataset.ReferencedFrameOfReferenceSequence = Sequence([frame])
    roi, contours, line, seen = Dataset(), Dataset(), Dataset(), Dataset()
    roi.ROINumber, roi.ReferencedFrameOfReferenceUID = "1", uids["frame"]
    roi.ROIName, roi.ROIGenerationAlgorithm = f"GTV {person.latin}", "MANUAL"
    dataset.StructureSetROISequence = Sequence([roi])
    line.ContourImageSequence = Sequence([_reference(images[0])])
    line.ContourGeometricType, line.NumberOfContourPoints = "CLOSED_PLANAR", "3"
    line.ContourData = ["0", "0", "1", "5", "0", "1", "5", "5", "1"]
    contours.ReferencedROINumber, contours.ContourSequence = "1", Sequence([line])
    dataset.ROIContourSequence = Sequence([contours])
    seen.ObservationNumber, seen.ReferencedROINumber = "1", "1"
    seen.RTROIInterpretedType, seen.ROIInterpreter = "GTV", f"{person.physician}^A"
    dataset.RTROIObservationsSequence = Sequence([seen])
    dataset.ApprovalStatus = "UNAPPROVED"
    return Object("RTSTRUCT", dataset)


def _segmentation(person, uids, images: list[Dataset], rng) -> Object:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = SEG, f"{uids['series']}.1"
    identify(dataset, person, uids)
    dataset.Modality, dataset.ImageType = "SEG", ["DERIVED", "PRIMARY"]
    dataset.ContentLabel, dataset.ContentDescription = "SEGMENTATION", f"of {person.family}"
    dataset.ContentCreatorName = f"{person.physician}^A"
    dataset.SegmentationType, dataset.LossyImageCompression = "BINARY", "00"
    referenced = Dataset()
    referenced.SeriesInstanceUID = images[0].SeriesInstanceUID
    referenced.ReferencedInstanceSequence = Sequence([_reference(image) for image in images])
    dataset.ReferencedSeriesSequence = Sequence([referenced])
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentLabel = 1, f"nodule {person.latin}"
    segment.SegmentDescription = f"{person.family} {person.numbers['mrn']}"
    segment.SegmentAlgorithmType = "MANUAL"
    segment.SegmentedPropertyCategoryCodeSequence = Sequence(
        [_code("49755003", "SCT", "Morphologically Abnormal Structure")]
    )
    segment.SegmentedPropertyTypeCodeSequence = Sequence([_code("27925004", "SCT", "Nodule")])
    dataset.SegmentSequence = Sequence([segment])
    organization, index = Dataset(), Dataset()
    organization.DimensionOrganizationUID = uids["series"] + ".9"
    dataset.DimensionOrganizationSequence = Sequence([organization])
    index.DimensionOrganizationUID = uids["series"] + ".9"
    index.DimensionIndexPointer, index.FunctionalGroupPointer = 0x00200032, 0x00209113
    dataset.DimensionIndexSequence = Sequence([index])
    shared, spacing, direction = Dataset(), Dataset(), Dataset()
    spacing.PixelSpacing, spacing.SliceThickness = [0.5, 0.75], "1"
    direction.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = Sequence([spacing])
    shared.PlaneOrientationSequence = Sequence([direction])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [_frame_of(image, k) for k, image in enumerate(images)]
    )
    planes = rng.integers(0, 2, (len(images), 48, 64), dtype=np.uint8)
    _image(dataset, planes)
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.PixelData = np.packbits(planes, bitorder="little").tobytes()
    return Object("SEG", dataset)


def _frame_of(image: Dataset, k: int) -> Dataset:
    group, content, place, derived, which, purpose = (Dataset() for _ in range(6))
    content.DimensionIndexValues = k + 1
    place.ImagePositionPatient = image.ImagePositionPatient
    which.ReferencedSegmentNumber = 1
    source = _reference(image)
    source.PurposeOfReferenceCodeSequence = Sequence(
        [_code("121322", "DCM", "Source image for image processing operation")]
    )
    purpose.SourceImageSequence = Sequence([source])
    purpose.DerivationCodeSequence = Sequence([_code("113076", "DCM", "Segmentation")])
    group.FrameContentSequence = Sequence([content])
    group.PlanePositionSequence = Sequence([place])
    group.DerivationImageSequence = Sequence([purpose])
    group.SegmentIdentificationSequence = Sequence([which])
    del derived
    return group


def _document(person, uids) -> Object:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = PDF, f"{uids['series']}.1"
    identify(dataset, person, uids)
    dataset.Modality, dataset.ConversionType, dataset.BurnedInAnnotation = "DOC", "WSD", "YES"
    dataset.DocumentTitle = story(person)[:1000]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    text = b"%PDF-1.4\n" + story(person).encode("utf-8")
    dataset.EncapsulatedDocument = text + b" " * (len(text) % 2)
    return Object("PDF", dataset)


def a_study(seed: int) -> tuple[Person, list[Object]]:
    """One patient's study: three CT, one MR, US, SC, SR, SEG, RTSTRUCT and a PDF."""
    rng = np.random.default_rng(seed)
    person = a_person(rng)
    root = f"1.3.6.1.4.1.99999.{digits(rng, 9)}"
    uids = lambda n: {"study": root, "series": f"{root}.{n}", "frame": f"{root}.77"}  # noqa: E731
    ct = [_slice(person, uids(1), rng, sop=CT, modality="CT", number=k) for k in (1, 2, 3)]
    images = [each.dataset for each in ct]
    return person, [
        *ct,
        _slice(person, uids(2), rng, sop=MR, modality="MR", number=1),
        _ultrasound(person, uids(3), rng),
        _capture(person, uids(4), rng),
        _report(person, uids(5), images),
        _segmentation(person, uids(6), images, rng),
        _structures(person, uids(7), images),
        _document(person, uids(8)),
    ]


def write(thing: Object, path: Path) -> Path:
    """Write an object, with what does not belong into a DICOM file after its end."""
    dataset = thing.dataset
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(thing.syntax)
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.3.4"
    dataset.file_meta.PrivateInformation = (
        str(dataset.PatientName).encode("ascii", "replace").ljust(64)
    )
    dataset.save_as(path, enforce_file_format=True)
    return path
