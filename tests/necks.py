"""A drawn planning CT of the head and neck, and a network that knows what was drawn."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy import ndarray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from scipy import ndimage

from medloop.clinical.radiotherapy.analysis import HeadNeckAnalysis, build
from medloop.core.finding import Weights
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
from medloop.models.architecture import unet
from medloop.models.segmentation_plan import Intensity, SegmentationPlan

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
AIR, FAT, MUSCLE, BRAIN, BONE, BEAD = -1000.0, -100.0, 50.0, 35.0, 900.0, 3000.0
WEIGHTS = Weights("head_neck_oars", "1", "0123456789abcdef" * 4)
CLASSES = (
    "brainstem",
    "spinal cord",
    "right parotid",
    "left parotid",
    "oesophagus",
    "larynx",
    "mandible",
)
PLAN = SegmentationPlan(
    channels=("CT",),
    classes=CLASSES,
    spacing_mm=(4.5, 4.5, 4.5),
    patch=(76, 54, 68),
    intensities=(Intensity(-1000, 3000, 0, 1000),),
    architecture=unet(3, 1, 8, widths=(4, 8)),
)
# Steel balls by which the network knows where it is, and which side is which.
MIDDLE_BEAD, SIDE_BEAD, BEAD_MM = (0.0, -40.0, 95.0), (35.0, -20.0, 95.0), 8.0

Place = tuple[ndarray, ndarray, ndarray]
Distance = Callable[[Place], ndarray]


def ellipsoid(center, radii) -> Distance:
    """Distance to an ellipsoid, nearly: exact at its surface. All in LPS mm."""

    def away(place: Place) -> ndarray:
        parts = [(p - c) / r for p, c, r in zip(place, center, radii, strict=True)]
        far = np.sqrt(sum(part**2 for part in parts))
        steep = np.sqrt(sum((part / r) ** 2 for part, r in zip(parts, radii, strict=True)))
        return (far - 1) * far / np.maximum(steep, 1e-6)

    return away


def capsule(start, end, radius: float) -> Distance:
    """Distance to a tube with round ends."""
    along = np.array(end, float) - start

    def away(place: Place) -> ndarray:
        steps = [p - s for p, s in zip(place, start, strict=True)]
        t = sum(s * a for s, a in zip(steps, along, strict=True)) / (along @ along)
        t = np.clip(t, 0, 1)
        squares = sum((s - t * a) ** 2 for s, a in zip(steps, along, strict=True))
        return np.sqrt(squares) - radius

    return away


def jaw(place: Place) -> ndarray:
    """Distance, nearly, to a horseshoe of bone, open to the back."""
    x, y, z = place
    ring = np.abs(np.sqrt((x / 45) ** 2 + ((y + 25) / 50) ** 2) - 1) * 46 - 6
    return np.maximum(np.maximum(ring, y + 20), np.abs(z + 32) - 17)


def anatomy() -> dict[str, Distance]:
    """Where the organs are. x runs to the patient's left, y to the back, z to the head.

    The right parotid is larger than the left one.
    """
    return {
        "brainstem": ellipsoid((0, 10, 15), (14, 13, 26)),
        "spinal_cord": capsule((0, 28, -15), (0, 30, -150), 6),
        "right_parotid": ellipsoid((-57, -17, -20), (13, 18, 25)),
        "left_parotid": ellipsoid((57, -17, -20), (11, 16, 22)),
        "oesophagus": capsule((3, 8, -125), (3, 12, -180), 7.5),
        "larynx": ellipsoid((0, -25, -95), (15, 17, 22)),
        "mandible": jaw,
    }


@dataclass(frozen=True, eq=False)
class Drawn:
    """The CT, and the organs in it by their keys, as bool (k, j, i) and by distance."""

    volume: Volume
    organs: dict[str, ndarray]
    distances: dict[str, Distance]


def a_grid(
    steps_mm: tuple[float, float, float] = (3.0, 2.5, 2.5),
    *,
    low_mm: tuple[float, float, float] = (-150.0, -120.0, -195.0),
    high_mm: tuple[float, float, float] = (150.0, 115.0, 140.0),
    frame: str | None = "2.25.816",
) -> Grid:
    """A grid upright in LPS; `steps_mm` along (k, j, i), corners (x, y, z)."""
    count = [
        round((high - low) / step)
        for low, high, step in zip(low_mm, high_mm, steps_mm[::-1], strict=True)
    ]
    affine = np.eye(4)
    affine[:3, :3] = np.diag(steps_mm)[::-1]
    affine[:3, 3] = low_mm
    return Grid((count[2], count[1], count[0]), affine, frame)


def a_neck(
    grid: Grid | None = None,
    *,
    distances: dict[str, Distance] | None = None,
    noise_hu: float = 8.0,
) -> Drawn:
    """Draw head, neck and shoulders, the organs within, and the beads."""
    grid = grid or a_grid()
    distances = distances or anatomy()
    place = places(grid)
    image = np.full(grid.shape, AIR, np.float32)
    edge = max(grid.spacing_mm)
    _draw_body(image, place, edge)
    hu = {"oesophagus": 30.0, "mandible": BONE, "spinal_cord": 30.0, "brainstem": 40.0}
    hu |= {"right_parotid": -40.0, "left_parotid": -40.0, "larynx": 80.0}
    organs = {}
    for name, away in distances.items():
        distance = away(place)
        paint(image, distance, hu[name], edge)
        organs[name] = np.broadcast_to(distance < 0, grid.shape)
    for bead in (MIDDLE_BEAD, SIDE_BEAD):
        paint(image, ellipsoid(bead, (BEAD_MM,) * 3)(place), BEAD, edge)
    image += np.random.default_rng(5).normal(0, noise_hu, image.shape).astype(np.float32)
    array = np.clip(np.rint(image), -1024, 3071).astype(np.int16)
    return Drawn(Volume(array, grid, "HU"), organs, distances)


def places(grid: Grid) -> Place:
    """Coordinates of the voxels of a grid that is upright, thin along two axes each."""
    at = [np.arange(n, dtype=np.float32) for n in grid.shape]
    origin, (dz, dy, dx) = grid.affine[:3, 3], grid.spacing_mm
    return (
        (origin[0] + dx * at[2])[None, None, :],
        (origin[1] + dy * at[1])[None, :, None],
        (origin[2] + dz * at[0])[:, None, None],
    )


def paint(image: ndarray, distance: ndarray, hu: float, edge: float) -> None:
    """Blend in what lies at negative distance, with an edge as wide as a voxel."""
    share = np.clip(0.5 - distance / edge, 0, 1)
    image += share * (hu - image)


def _draw_body(image: ndarray, place: Place, edge: float) -> None:
    x, y, z = place
    broad = 1 + 1.1 / (1 + np.exp((z + 145) / 6))
    neck = np.maximum((np.sqrt((x / (62 * broad)) ** 2 + (y / 66) ** 2) - 1) * 62, z - 20)
    head = ellipsoid((0, 0, 45), (78, 98, 92))(place)
    chin = ellipsoid((0, -35, -30), (66, 68, 50))(place)
    skin = np.minimum(np.minimum(neck, head), chin)
    paint(image, skin, FAT, edge)
    paint(image, skin + 5, MUSCLE, edge)
    skull = ellipsoid((0, 4, 60), (70, 90, 72))(place)
    paint(image, skull, BONE, edge)
    paint(image, skull + 7, BRAIN, edge)
    spine = np.maximum(np.hypot(x, y - 29) - 18, z + 12)
    paint(image, np.maximum(spine, 9 - np.hypot(x, y - 29)), BONE, edge)
    airway = np.maximum(np.hypot(x, y + 22) - 8, z + 110)
    paint(image, airway, AIR, edge)


@dataclass(eq=False)
class Known:
    """A network that finds itself by the beads and knows the distances to the organs.

    `steps_mm` are those of the image it is shown. It names a parotid by the side of the image
    it lies on, as a network does, or, where it `is_turned`, by the other one. `blur_mm` says
    how unsure its borders are.
    """

    steps_mm: tuple[float, float, float]
    distances: dict[str, Distance] = field(default_factory=anatomy)
    blur_mm: float = 0.7
    is_turned: bool = False

    def run(self, x):
        hu = x[0, 0] * PLAN.intensities[0].deviation
        place, is_mirrored = self._places(hu)
        names = list(self.distances)
        if is_mirrored != self.is_turned:
            names[2], names[3] = names[3], names[2]
        scores = [-self.distances[name](place) / self.blur_mm for name in names]
        odds = np.exp(np.clip(np.stack([np.broadcast_to(s, hu.shape) for s in scores]), -30, 9))
        whole = 1 + odds.sum(axis=0)
        return {
            "probability": np.concatenate([1 / whole[None], odds / whole])[None].astype("f4")
        }

    def _places(self, hu: ndarray) -> tuple[Place, bool]:
        steps = np.array(self.steps_mm)
        weight = np.maximum(hu - 1100.0, 0)
        pieces, count = ndimage.label(hu > 1300)
        sizes = ndimage.sum_labels(weight, pieces, range(1, count + 1))
        spots = []
        for label in np.argsort(-np.asarray(sizes))[:2] + 1:
            middle = np.array(ndimage.center_of_mass(weight, pieces, label)).round().astype(int)
            box = tuple(slice(max(c - 5, 0), c + 6) for c in middle)
            low = [b.start for b in box]
            spots.append(np.array(ndimage.center_of_mass(weight[box])) + low)
        # the middle one lies further in front (at smaller y)
        front, side = sorted(spots, key=lambda spot: spot[1])
        is_mirrored = bool(side[2] < front[2])
        k, j, i = (
            (np.arange(n) - c) * s for n, c, s in zip(hu.shape, front, steps, strict=True)
        )
        i = -i if is_mirrored else i
        xyz = zip(MIDDLE_BEAD, (i, j, k), strict=True)
        x, y, z = (middle + along for middle, along in xyz)
        return (x[None, None, :], y[None, :, None], z[:, None, None]), is_mirrored


def a_network(grid: Grid, **changes) -> Known:
    """The network for images on this grid."""
    upright = grid.spacing_mm, grid.shape
    steps = tuple(
        step * n / max(1, round(n * step / wanted))
        for step, n, wanted in zip(*upright, PLAN.spacing_mm, strict=True)
    )
    return Known(steps, **changes)


def an_analysis(grid: Grid, **changes) -> HeadNeckAnalysis:
    """The analysis, with a network that knows what was drawn."""
    return build(a_network(grid, **changes), PLAN, WEIGHTS, now=lambda: NOW)


def a_case(volume: Volume, **changes) -> Case:
    """A study of one planning CT."""
    instances = tuple(
        Instance(SopUid(f"2.25.8.{n}"), "", Path("neck.nii.gz"), "ab" * 32)
        for n in range(volume.grid.shape[0])
    )
    parts = {"description": "H&N planning", "source": "neck.nii.gz", "body_part": "HEADNECK"}
    series = Series(
        SeriesUid("2.25.8"),
        "CT",
        content=Content.VOLUME,
        instances=instances,
        slice_mm=volume.grid.spacing_mm[0],
        **parts | changes,
    )
    study = Study(StudyUid("2.25.81"), "neck", (series,))
    return Case(study, Selection((series,)), (volume,))


def write_ct(volume: Volume, folder: Path) -> Path:
    """Write an upright volume as axial CT slices, from the head down."""
    folder.mkdir(parents=True)
    between_mm, row_mm, column_mm = volume.grid.spacing_mm
    count = volume.grid.shape[0]
    for k in range(count):
        data = Dataset()
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, f"2.25.8160{k}"
        data.StudyInstanceUID, data.SeriesInstanceUID = "2.25.817", "2.25.818"
        data.PatientName, data.PatientID = "WANG^XiaoDong=王^小东", "PID-0042"
        data.SpecificCharacterSet = "ISO_IR 192"
        data.PatientBirthDate, data.PatientSex = "19620714", "M"
        data.StudyDate, data.StudyTime, data.StudyID = "20260312", "101500", "1"
        data.AccessionNumber, data.ReferringPhysicianName = "A-1001", ""
        data.SeriesNumber, data.InstanceNumber = 2, count - k
        data.Modality, data.SeriesDescription = "CT", "H&N planning"
        data.BodyPartExamined, data.PatientPosition = "HEADNECK", "HFS"
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.FrameOfReferenceUID = volume.grid.frame_of_reference or "2.25.816"
        data.PositionReferenceIndicator = ""
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        corner = volume.grid.to_world(np.array([float(k), 0, 0]))
        data.ImagePositionPatient = [round(float(mm), 4) for mm in corner]
        data.PixelSpacing, data.SliceThickness = [row_mm, column_mm], between_mm
        data.Rows, data.Columns = volume.grid.shape[1:]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 1
        data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, 0, "HU"
        data.PixelData = volume.array[k].astype("<i2").tobytes()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.save_as(folder / f"{count - k:04}.dcm", enforce_file_format=True)
    return folder
