"""DICOM objects of many kinds, drawn for tests."""

import io

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
    generate_uid,
)

from tests.dicom.slices import a_slice, pixels

STUDY = "2.25.1001"
CT_SERIES = STUDY + ".1"
PDF = b"%PDF-1.4 a report\n" * 200
ROOT = "1.2.826.0.1.3680043.8.498."


def in_file(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The object as a file."""
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    target = io.BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()


def said(dataset: Dataset, **tags: object) -> Dataset:
    """Add what identifies a patient and study, unless it is there; `tags` replace."""
    usual = {
        "SpecificCharacterSet": "ISO_IR 192",
        "StudyInstanceUID": STUDY,
        "StudyDate": "20260201",
        "StudyTime": "101530.500",
        "AccessionNumber": "A100",
        "StudyID": "S1",
        "StudyDescription": "Chest",
        "PatientName": "Wang^XiaoDong=王^小東",
        "PatientID": "P1",
        "PatientBirthDate": "19600102",
        "PatientSex": "M",
        "ReferringPhysicianName": "Müller^Anna",
    }
    for keyword, value in {**usual, **tags}.items():
        setattr(dataset, keyword, value)
    return dataset


def ct(number: int, *, seed: int | None = None, **tags: object) -> Dataset:
    """One slice of a chest CT."""
    array = pixels(number if seed is None else seed, rows=24, columns=32)
    dataset = a_slice((0.0, 0.0, 2.0 * number), array=array)
    wanted = {
        "SOPInstanceUID": f"{CT_SERIES}.{number}",
        "SeriesInstanceUID": CT_SERIES,
        "SeriesNumber": 3,
        "SeriesDescription": "肺窗",
        "InstanceNumber": number,
        "WindowCenter": [40, -600],
        "WindowWidth": [400, 1500],
        "FrameOfReferenceUID": STUDY + ".9",
        **tags,
    }
    return said(dataset, **wanted)


def compressed(dataset: Dataset, syntax: str) -> Dataset:
    """The same without loss, compressed as RLE or JPEG-LS."""
    assert syntax in (RLELossless, JPEGLSLossless)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.compress(UID(syntax), generate_instance_uid=False)
    return dataset


def photograph(*, rows: int = 40, columns: int = 60, **tags: object) -> Dataset:
    """A color picture in baseline JPEG, red on the left and blue on the right."""
    picture = np.zeros((rows, columns, 3), np.uint8)
    picture[:, : columns // 2, 0] = picture[:, columns // 2 :, 2] = 200
    target = io.BytesIO()
    Image.fromarray(picture).save(target, "JPEG", quality=95, subsampling="4:2:2")
    dataset = _capture(rows, columns, SecondaryCaptureImageStorage, "XC", STUDY + ".2")
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = encapsulate([target.getvalue()])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return said(dataset, **tags)


def many_frames(count: int = 3, *, rows: int = 5, columns: int = 7) -> Dataset:
    """Gray frames of 16 bits, the n-th full of n."""
    frames = np.stack([np.full((rows, columns), n + 1, np.uint16) for n in range(count)])
    sop_class = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    dataset = _capture(rows, columns, sop_class, "OT", STUDY + ".3")
    dataset.NumberOfFrames = count
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.PixelData = frames.tobytes()
    dataset["PixelData"].VR = "OW"
    return said(dataset)


def masks() -> Dataset:
    """Two frames of one bit a pixel; the second does not begin at a byte: 3 x 5 pixels."""
    bits = np.array([n % 3 == 0 for n in range(30)], np.uint8)
    dataset = _capture(3, 5, SegmentationStorage, "SEG", STUDY + ".4")
    dataset.NumberOfFrames = 2
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit, dataset.PixelRepresentation = 0, 0
    data = np.packbits(bits, bitorder="little").tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB"
    return said(dataset)


def report(**tags: object) -> Dataset:
    """An encapsulated PDF."""
    dataset = Dataset()
    dataset.SOPClassUID = EncapsulatedPDFStorage
    dataset.SOPInstanceUID = STUDY + ".5.1"
    dataset.SeriesInstanceUID = STUDY + ".5"
    dataset.Modality, dataset.InstanceNumber, dataset.SeriesNumber = "DOC", 1, 9
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = PDF + b"\0" * (len(PDF) % 2)
    dataset.EncapsulatedDocumentLength = len(PDF)
    return said(dataset, **tags)


def _capture(rows: int, columns: int, sop_class: str, modality: str, series: str) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = series + ".1"
    dataset.SeriesInstanceUID = series
    dataset.Modality, dataset.InstanceNumber, dataset.SeriesNumber = modality, 1, 5
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    return dataset


def another_study(number: int, **tags: object) -> Dataset:
    """One slice of a study of its own."""
    study = f"2.25.2000{number}"
    return ct(
        1,
        StudyInstanceUID=study,
        SeriesInstanceUID=study + ".1",
        SOPInstanceUID=study + ".1.1",
        **tags,
    )


def new_uid() -> str:
    return str(generate_uid(prefix=ROOT))
