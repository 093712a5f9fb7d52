"""Hippocampi drawn for tests: two touching ellipsoids in T1-weighted MR, as NIfTI or DICOM."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.core.study import (
    Case,
    Content,
    Instance,
    Selection,
    Series,
    SeriesUid,
    SopUid,
    Study,
    StudyUid,
)
from medloop.files.nifti import write_nifti
from medloop.models.architecture import unet
from medloop.models.bundle import CARD, WEIGHTS, seal
from medloop.models.bundle import PLAN as PLAN_NAME
from medloop.models.segmentation_plan import Intensity, SegmentationPlan

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
TISSUE, ANTERIOR, POSTERIOR = 100, 180, 20
FRAME = "2.25.815"

PLAN = SegmentationPlan(
    channels=("T1",),
    classes=("anterior", "posterior"),
    spacing_mm=(1.0, 1.0, 1.0),
    patch=(32, 32, 32),
    intensities=(Intensity(0, 255, 0, 100),),
    architecture=unet(3, 1, 3, widths=(4, 8)),
)


@dataclass(frozen=True, eq=False)
class Phantom:
    """A volume whose parts are known: voxels of each, and volumes by the formula."""

    volume: Volume
    anterior: np.ndarray
    posterior: np.ndarray
    anterior_mm3: float
    posterior_mm3: float


def a_hippocampus(
    *,
    size: tuple[int, int, int] = (36, 52, 34),
    steps_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    middle_mm: tuple[float, float, float] = (27.0, 10.0, -12.0),
    frame: str | None = FRAME,
    radii_mm: tuple[float, float, float] = (7.0, 9.0, 7.0),
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Phantom:
    """Draw the anterior part in front of (at smaller y than) the posterior one.

    One is as much brighter than the tissue as the other is darker, so that a border lies half
    way between them after interpolation too. `radii_mm` are of each half,
    along x, y, z; `shift_mm` moves both from the middle.
    """
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, steps_mm[2]], [0, steps_mm[1], 0], [steps_mm[0], 0, 0]])
    affine[:3, 3] = np.array(middle_mm) - affine[:3, :3] @ ((np.array(size) - 1) / 2)
    grid = Grid(size, affine, frame)
    index = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1).astype(float)
    away = grid.to_world(index) - middle_mm - shift_mm
    a, b, c = radii_mm
    half = [
        (away[..., 0] / a) ** 2 + ((away[..., 1] - y) / b) ** 2 + (away[..., 2] / c) ** 2 < 1
        for y in (-b, b)
    ]
    noise = np.random.default_rng(7).integers(-9, 10, size)
    array = np.full(size, TISSUE) + noise
    array[half[0]] = ANTERIOR + noise[half[0]]
    array[half[1]] = POSTERIOR + noise[half[1]]
    truth_mm3 = 4 / 3 * np.pi * a * b * c
    return Phantom(Volume(array.astype(np.int16), grid, "1"), *half, truth_mm3, truth_mm3)


def a_case(
    volume: Volume, *, modality: str = "MR", description: str = "T1 MPRAGE", side: str = ""
) -> Case:
    """Wrap a volume as a study of one series."""
    instance = Instance(SopUid("2.25.52"), "", Path("brain.nii.gz"), "ab" * 32)
    series = Series(
        SeriesUid("2.25.51"),
        modality,
        description,
        Content.VOLUME,
        (instance,),
        "brain.nii.gz",
        laterality=side,
    )
    study = Study(StudyUid("2.25.50"), "brain", (series,))
    return Case(study, Selection((series,)), (volume,))


def a_bundle(folder: Path, plan: SegmentationPlan = PLAN) -> Path:
    """Make a network that tells the phantom's gray values apart: softmax of parabolas.

    A voxel is nearest to one of them; the scores fall with the square of the distance.
    """
    grays = np.array([TISSUE, ANTERIOR, POSTERIOR], np.float32) / 100
    slope = 2 * 20 * grays
    intercept = -20 * grays**2
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["score"]),
        helper.make_node("Softmax", ["score"], ["probability"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "hippocampus",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, *plan.patch])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(slope.reshape(3, 1, 1, 1, 1).astype(np.float32), "w"),
            numpy_helper.from_array(intercept.astype(np.float32), "b"),
        ],
    )
    folder.mkdir(parents=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / WEIGHTS)
    (folder / PLAN_NAME).write_text(plan.to_json())
    (folder / CARD).write_text('name = "hippocampus"\nversion = "0.0.1"\n')
    seal(folder)
    return folder


def write_mr(volume: Volume, folder: Path, *, description: str = "T1 MPRAGE") -> Path:
    """Write an upright volume as axial MR slices, from the head down."""
    folder.mkdir(parents=True)
    slice_mm, row_mm, column_mm = volume.grid.spacing_mm
    for k in range(volume.grid.shape[0]):
        data = Dataset()
        data.SOPClassUID = MRImageStorage
        data.SOPInstanceUID = f"2.25.9000{k}"
        data.StudyInstanceUID, data.SeriesInstanceUID = "2.25.900", "2.25.901"
        data.PatientName, data.PatientID = "WANG^XiaoDong=王^小东", "PID-0042"
        data.SpecificCharacterSet = "ISO_IR 192"
        data.PatientBirthDate, data.PatientSex = "19620714", "M"
        data.StudyDate, data.StudyTime, data.StudyID = "20260312", "101500", "1"
        data.AccessionNumber, data.ReferringPhysicianName = "A-1001", ""
        data.Modality, data.SeriesDescription = "MR", description
        data.ImageType = ["ORIGINAL", "PRIMARY", "M"]
        data.FrameOfReferenceUID, data.PositionReferenceIndicator = FRAME, ""
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = volume.grid.to_world(np.array([float(k), 0, 0])).tolist()
        data.PixelSpacing, data.SliceThickness = [row_mm, column_mm], slice_mm
        data.InstanceNumber = volume.grid.shape[0] - k
        data.Rows, data.Columns = volume.grid.shape[1:]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 1
        data.PixelData = volume.array[k].astype("<i2").tobytes()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.save_as(folder / f"{99 - k:02}.dcm", enforce_file_format=True)
    return folder


def write_brain(volume: Volume, path: Path) -> Path:
    """Write a volume as NIfTI."""
    write_nifti(volume.array, volume.grid, path)
    return path
