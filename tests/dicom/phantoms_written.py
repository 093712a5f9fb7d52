"""Cases and results with known content, to be written and read back."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread

from medloop.core.code import Code
from medloop.core.finding import (
    Box,
    Finding,
    Measurement,
    Provenance,
    Result,
    Weights,
)
from medloop.core.geometry import Grid
from medloop.core.image import HeatMap, LabelMap, Picture, Segment, Volume
from medloop.core.study import (
    Case,
    Content,
    Instance,
    Notice,
    Patient,
    Selection,
    Series,
    SeriesUid,
    SopUid,
    Study,
    StudyUid,
)
from medloop.dicom.write import save
from medloop.dicom.write.attributes import Identity, new_dataset
from medloop.dicom.write.pixels import store_native

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HEMORRHAGE = Code("SCT", "50960005", "Hemorrhage")
ABNORMAL = Code("SCT", "49755003", "Morphologically Abnormal Structure")
ANATOMY = Code("SCT", "91723000", "Anatomical Structure")
DISC = Code("SCT", "81016008", "Optic nerve head")
EXUDATE = Code("99MEDLOOP", "EX", "Hard exudate")
RETINA = Code("SCT", "5665001", "Retina")
AREA = Code("SCT", "42798000", "Area")
COUNT = Code("99MEDLOOP", "COUNT", "Number of lesions")
VOLUME = Code("SCT", "118565006", "Volume")
NODULE = Code("SCT", "27925004", "Nodule")
LUNG = Code("SCT", "39607008", "Lung")


def a_fundus(height: int = 301, width: int = 403) -> np.ndarray:
    """Draw an orange disc with a bright optic disc and dark and bright spots."""
    image = np.zeros((height, width, 3), np.uint8)
    radius = height // 2 - 5
    cv2.circle(image, (width // 2, height // 2), radius, (190, 90, 40), -1)
    cv2.circle(image, (width // 2 + radius // 2, height // 2), radius // 7, (250, 220, 140), -1)
    cv2.circle(image, (width // 3, height // 3), 6, (110, 20, 10), -1)
    cv2.circle(image, (width // 3, height // 2), 4, (240, 230, 120), -1)
    return image


def lesion_labels(height: int = 301, width: int = 403) -> LabelMap:
    array = np.zeros((height, width), np.uint8)
    radius = height // 2 - 5
    cv2.circle(array, (width // 3, height // 3), 6, 2, -1)
    cv2.circle(array, (width // 3, height // 2), 4, 3, -1)
    cv2.circle(array, (width // 2 + radius // 2, height // 2), radius // 7, 5, -1)
    segments = {
        1: Segment("microaneurysms", ABNORMAL, Code("99MEDLOOP", "MA", "MA"), (255, 0, 0)),
        2: Segment("hemorrhages", ABNORMAL, HEMORRHAGE, (200, 0, 0), RETINA),
        3: Segment("hard exudates", ABNORMAL, EXUDATE, (255, 255, 0), RETINA),
        5: Segment("optic disc", ANATOMY, DISC, (0, 0, 255)),
    }
    return LabelMap(array, segments)


def picture_case(path: Path, array: np.ndarray, *, patient: Patient | None = None, side="R"):
    """Make the case that intake makes of a picture file."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    number = str(int(sha256[:30], 16))
    instance = Instance(SopUid(f"2.25.{number}1"), "", path, sha256)
    series = Series(
        SeriesUid(f"2.25.{number}2"),
        "",
        "",
        Content.PICTURES,
        (instance,),
        str(path),
        laterality=side,
    )
    study = Study(
        StudyUid(f"2.25.{number}3"), path.stem, (series,), patient=patient or Patient()
    )
    return Case(study, Selection((series,)), (Picture(array),))


def jpeg_case(folder: Path, *, patient: Patient | None = None, **options) -> Case:
    path = folder / "eye.jpg"
    Image.fromarray(a_fundus()).save(path, quality=90, **options)
    with Image.open(path) as image:
        return picture_case(path, np.asarray(image), patient=patient)


def frames_of(header: Dataset) -> int:
    text = str(header.get("NumberOfFrames", 1) or 1)
    return int(text) if text.isdigit() else 1


def dicom_case(path: Path, images, *, content=Content.PICTURES) -> Case:
    """Make the case that intake makes of DICOM files."""
    paths = sorted(path.glob("*.dcm")) if path.is_dir() else [path]
    instances = []
    for file in paths:
        header = dcmread(file, stop_before_pixels=True)
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        instances.append(
            Instance(
                SopUid(header.SOPInstanceUID),
                header.SOPClassUID,
                file,
                sha256,
                frames=frames_of(header),
            )
        )
    series = Series(
        SeriesUid(header.SeriesInstanceUID), "CT", "", content, tuple(instances), str(path)
    )
    study = Study(StudyUid(header.StudyInstanceUID), "study", (series,))
    return Case(study, Selection((series,)), images)


def provenance(case: Case) -> Provenance:
    instances = case.selection.series[0].instances
    return Provenance(
        analysis="retina",
        version="0.1.0",
        weights=(Weights("retina_grading", "1", "ab" * 32), Weights("lesions", "1", "cd" * 32)),
        inputs=tuple(i.uid for i in instances),
        input_sha256=instances[0].sha256,
        finished=NOW,
    )


def fundus_result(case: Case) -> Result:
    labels = lesion_labels()
    findings = (
        Finding(
            HEMORRHAGE,
            RETINA,
            (Measurement(COUNT, 1.0, "1"), Measurement(AREA, 113.1 / 3, "mm2")),
            probability=0.8125,
            center_px=(134.0, 100.5),
            segment=2,
        ),
        Finding(EXUDATE, RETINA, probability=1 / 3, center_px=(134.0, 150.0)),
        Finding(EXUDATE, RETINA, box=Box((130.0, 140.0), (138.5, 160.0))),
    )
    assessments = {
        "ICDR": 2,
        "ICDR_probabilities": (0.05, 0.1, 0.6000000000000001, 0.2, 0.05),
        "DME": 0,
        "DME_probabilities": (0.9, 0.06, 0.04),
        "CN1984": "II",
        "ETDRS_range": "35-43",
        "referable": True,
        "referable_probability": 0.85,
        "gradable": False,
        "disc_center_px": (275.25, 150.0),
        "fovea_center_px": None,
        "some_other_longish_key": "\u89c6\u7f51\u819c OK",
    }
    heat = HeatMap("grade", np.zeros((301, 403), np.uint8), "class activation")
    warnings = (Notice("quality", "focus 0.1 is below 0.2"),)
    return Result(provenance(case), findings, assessments, labels, (heat,), warnings)


def write_ct(folder: Path, *, slices: int = 7, tilt: bool = False) -> None:
    """Write an axial CT of 40 x 48 pixels whose slices run from the head down."""
    folder.mkdir(exist_ok=True)
    for k in range(slices):
        identity = Identity("1.2.840.10008.5.1.4.1.1.2", f"2.25.77{k}", "2.25.5", 1, "CT", "CT")
        data = new_dataset(identity, Study(StudyUid("2.25.6"), "", ()), NOW)
        data.PatientName = "Wang^XiaoDong=\u738b^\u5c0f\u4e1c"
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.FrameOfReferenceUID = "2.25.9"
        data.PositionReferenceIndicator = ""
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [-20, -30, 50 - 2.5 * k]
        data.PixelSpacing = [0.8, 0.7]
        data.SliceThickness = 2.5
        data.InstanceNumber = k + 1
        store_native(data, np.zeros((40, 48), np.uint16))
        save(data, folder / f"{k:02}.dcm")


def a_ball(shape=(7, 40, 48)) -> np.ndarray:
    k, j, i = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return ((k - 2) * 2.5) ** 2 + ((j - 14) * 0.8) ** 2 + ((i - 30) * 0.7) ** 2 <= 16


def ct_case(folder: Path) -> tuple[Case, Result]:
    """Make a CT whose canonical grid runs from the feet up, against the files' order."""
    write_ct(folder)
    affine = np.array(
        [[0, 0, 0.7, -20], [0, 0.8, 0, -30], [2.5, 0, 0, 35], [0, 0, 0, 1]], float
    )
    grid = Grid((7, 40, 48), affine, "2.25.9")
    volume = Volume(np.zeros((7, 40, 48), np.int16), grid, "HU")
    case = dicom_case(folder, (volume,), content=Content.VOLUME)
    segment = Segment("nodule", ABNORMAL, NODULE, (0, 255, 0), LUNG)
    labels = LabelMap(a_ball().astype(np.uint8), {1: segment}, grid)
    x, y, z = grid.to_world(np.array([2.0, 14, 30])).tolist()
    finding = Finding(
        NODULE,
        LUNG,
        (Measurement(VOLUME, float(a_ball().sum() * grid.voxel_mm3), "mm3"),),
        probability=0.7,
        center_lps_mm=(x, y, z),
        box=Box((x - 4, y - 4, z - 4), (x + 4, y + 4, z + 4)),
        segment=1,
    )
    return case, Result(provenance(case), (finding,), {"Lung-RADS": "3"}, labels)


def reread(data: Dataset, folder: Path) -> Dataset:
    path = folder / "reread.dcm"
    save(data, path)
    return dcmread(path)
