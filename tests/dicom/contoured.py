"""Structures on drawn CT slices, to be written as RTSTRUCT and read back."""

from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from medloop.core.code import Code
from medloop.core.finding import Provenance, Result, Weights
from medloop.core.geometry import Grid
from medloop.core.structure import RoiKind, Structure
from medloop.core.study import SopUid, Study, StudyUid
from medloop.dicom.write import save
from medloop.dicom.write.attributes import Identity, new_dataset
from medloop.dicom.write.pixels import store_native
from medloop.dicom.write.rtstruct import structure_set
from medloop.imaging.contours import contours_of
from tests.dicom.phantoms_written import NOW

FRAME = "2.25.9"
PAROTID = Code("SCT", "45289007", "Parotid gland")
LEFT = Code("SCT", "7771000", "Left")


def an_axial_grid(shape, spacing_mm, origin_mm=(-40.0, -35.0, 12.5)) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = np.fliplr(np.diag(spacing_mm[::-1]))
    affine[:3, 3] = origin_mm
    return Grid(shape, affine, FRAME)


def slices_of(grid: Grid, frame: str | None = FRAME) -> list[Dataset]:
    """Headers of the CT slices of a grid."""
    row, column = (grid.affine[:3, axis] / grid.spacing_mm[axis] for axis in (2, 1))
    slices = []
    for k in range(grid.shape[0]):
        identity = Identity("1.2.840.10008.5.1.4.1.1.2", f"2.25.88{k}", "2.25.5", 1, "CT", "CT")
        data = new_dataset(identity, Study(StudyUid("2.25.6"), "", ()), NOW)
        data.PatientName, data.PatientID = "Wang^XiaoDong", "P-17"
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        if frame:
            data.FrameOfReferenceUID = frame
        data.PositionReferenceIndicator = ""
        data.ImageOrientationPatient = [round(float(v), 8) for v in (*row, *column)]
        position = grid.to_world(np.array([k, 0.0, 0.0]))
        data.ImagePositionPatient = [round(float(v), 6) for v in position]
        data.PixelSpacing = [float(v) for v in grid.spacing_mm[1:]]
        data.SliceThickness = float(grid.spacing_mm[0])
        data.InstanceNumber = k + 1
        data.Rows, data.Columns = grid.shape[1:]
        slices.append(data)
    return slices


def write_slices(grid: Grid, folder: Path) -> list[Dataset]:
    folder.mkdir(exist_ok=True)
    slices = slices_of(grid)
    for k, data in enumerate(slices):
        store_native(data, np.zeros(grid.shape[1:], np.uint16))
        save(data, folder / f"{k:03}.dcm")
    return slices


def a_structure(field, grid: Grid, name="Parotid_L", number=1, level=0.5) -> Structure:
    contours = contours_of(field, grid, level=level)
    return Structure(number, name, contours, (255, 160, 0), RoiKind.ORGAN, PAROTID, LEFT)


def a_result(*structures: Structure) -> Result:
    provenance = Provenance(
        analysis="head_neck",
        version="0.1.0",
        weights=(Weights("head_neck_oars", "1", "ab" * 32),),
        inputs=(SopUid("2.25.880"),),
        input_sha256="cd" * 32,
        finished=NOW,
    )
    return Result(provenance, (), {}, structures=structures)


def written(structures, grid: Grid, path: Path) -> Dataset:
    """Write structures on the slices of a grid, and read the file."""
    data = structure_set(a_result(*structures), slices_of(grid))
    save(data, path)
    return dcmread(path)
