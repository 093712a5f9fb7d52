"""A CT of a drawn head, and the objects that an analysis makes of it, in a store."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from medloop.core.code import Code
from medloop.core.finding import Finding, Measurement, Result
from medloop.core.image import LabelMap, Segment, Volume
from medloop.core.study import Content, Study, StudyUid
from medloop.dicom.write import dicom_objects, save
from medloop.dicom.write.attributes import Identity, new_dataset
from medloop.dicom.write.pixels import store_native
from medloop.store import Store
from medloop.store.spool import Spool
from medloop.workflow.filing import file_products
from medloop.workflow.reception import Reception
from tests.dicom.contoured import FRAME, a_structure, an_axial_grid
from tests.dicom.phantoms_written import NOW, dicom_case, provenance

STUDY, SHAPE, SPACING_MM = "2.25.6", (12, 128, 128), (3.0, 1.5, 1.5)
GLAND = Code("SCT", "45289007", "Parotid gland")
TISSUE = Code("SCT", "91723000", "Anatomical Structure")
VOLUME = Code("SCT", "118565006", "Volume")


def a_head() -> np.ndarray:
    """Soft tissue with a skull, in stored values of 1024 above HU."""
    k, j, i = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    far = np.hypot(j - 64.0, (i - 64.0) * 1.2) + 0 * k
    head = np.where(far < 52, 1064, 24)
    return np.where((far > 46) & (far < 52), 1824, head).astype(np.uint16)


def a_ball(center=(6.0, 60.0, 88.0), radius_mm=12.0) -> np.ndarray:
    """Distance inside a ball, in mm; negative outside."""
    places = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    squares = sum(
        ((at - c) * s) ** 2 for at, c, s in zip(places, center, SPACING_MM, strict=True)
    )
    return radius_mm - np.sqrt(squares)


def write_study(store: Store, folder: Path) -> str:
    """Let the CT arrive, and file a segmentation, contours and a report of it."""
    grid = an_axial_grid(SHAPE, SPACING_MM, (-96.0, -96.0, 0.0))
    images, made = folder / "ct", folder / "products"
    images.mkdir()
    made.mkdir()
    for k, plane in enumerate(a_head()):
        identity = Identity("1.2.840.10008.5.1.4.1.1.2", f"2.25.77{k}", "2.25.5", 1, "CT", "CT")
        data = new_dataset(identity, Study(StudyUid(STUDY), "", ()), NOW)
        data.PatientName, data.PatientID = "Wang^XiaoDong=王^小東", "P-17"
        data.StudyDate, data.StudyTime, data.StudyDescription = "20260102", "0304", "Head"
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.FrameOfReferenceUID, data.PositionReferenceIndicator = FRAME, ""
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [-96, -96, 3 * k]
        data.PixelSpacing, data.SliceThickness = list(SPACING_MM[1:]), SPACING_MM[0]
        data.InstanceNumber = k + 1
        store_native(data, plane)
        data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, -1024, "HU"
        data.WindowCenter, data.WindowWidth = 40, 400
        save(data, images / f"{k:02}.dcm")
    volume = Volume(a_head().astype(np.int16) - 1024, grid, "HU")
    case = dicom_case(images, (volume,), content=Content.VOLUME)
    inside = a_ball() > 0
    segment = Segment("parotid", TISSUE, GLAND, (255, 160, 0), GLAND)
    size = Measurement(VOLUME, float(inside.sum() * grid.voxel_mm3), "mm3")
    result = Result(
        replace(provenance(case), analysis="head_neck"),
        (Finding(GLAND, GLAND, (size,), probability=0.9, segment=1),),
        {"organs": "1"},
        LabelMap(inside.astype(np.uint8), {1: segment}, grid),
        structures=(a_structure(a_ball(), grid, level=0.0),),
    )
    for name, dataset in dicom_objects(case, result).items():
        save(dataset, made / name)
    reception = Reception(store, Spool(folder / "spool-of-viewer", reserve_bytes=0))
    reception.store_now(sorted(images.iterdir()), "test")
    file_products(store, made, now=NOW)
    return STUDY
