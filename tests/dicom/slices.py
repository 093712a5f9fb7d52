"""CT slices drawn for tests, written as real DICOM files."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from medloop.core.study import Series
from medloop.dicom.index import index

SERIES_UID = "1.2.826.0.1.3680043.8.498.1"
ROWS, COLUMNS = 6, 8


def pixels(seed: int = 0, *, rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2000, (rows, columns), dtype=np.int16)


def a_slice(position=(0.0, 0.0, 0.0), *, array: np.ndarray | None = None, **tags) -> Dataset:
    """One axial slice of 0.5 mm rows and 0.75 mm columns; tags replace or, if None, delete."""
    array = pixels() if array is None else array
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(position), str(tags), str(array)])
    dataset.StudyInstanceUID = SERIES_UID + ".1"
    dataset.SeriesInstanceUID = SERIES_UID
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient = list(position)
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [0.5, 0.75]
    dataset.SliceThickness = 2
    dataset.Rows, dataset.Columns = array.shape[:2]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = array.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(array.dtype.kind == "i")
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelData = array.tobytes()
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def save(dataset: Dataset, path: Path, *, syntax: str = ExplicitVRLittleEndian) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, enforce_file_format=True)
    return path


def a_series(folder: Path, slices: list[Dataset]) -> list[Series]:
    """Write slices in the order given, and index them."""
    paths = [save(piece, folder / f"{n:03}.dcm") for n, piece in enumerate(slices)]
    found = index(paths)
    assert found.problems == ()
    return [series for study in found.studies for series in study.series]


def stack(depths_mm, **tags) -> list[Dataset]:
    """Slices at these heights, each with its own pixels."""
    return [
        a_slice((0.0, 0.0, float(z)), array=pixels(int(n)), InstanceNumber=n + 1, **tags)
        for n, z in enumerate(depths_mm)
    ]
