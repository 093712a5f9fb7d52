"""One case for each analysis: real where there are data, else drawn as the tests draw it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from medloop.apps.demo import write_photographs
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.files.nifti import read_nifti, write_nifti
from medloop.files.pictures import read_picture


@dataclass(frozen=True, slots=True)
class TrialCase:
    """An input of ``medloop analyze``, and what it is in words."""

    path: Path
    words: str


def case_of(analysis: str, folder: Path, data: Path | None) -> TrialCase:
    """Find a case among public `data` sets, or draw one into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return CASES[analysis](folder, data)


def _photograph(folder: Path, data: Path | None) -> TrialCase:
    del data  # those there are reduced; the packaged one is of a camera's size
    if find_spec("skimage") is not None:
        path, _ = write_photographs(folder)
        return TrialCase(path, f"fundus photograph in scikit-image, {_pixels(path)}")
    from tests.phantoms import a_fundus  # noqa: PLC0415 (tests draw with what only they need)

    path = folder / "fundus.png"
    path.write_bytes(cv2.imencode(".png", a_fundus().picture.array[..., ::-1])[1].tobytes())
    return TrialCase(path, f"drawn fundus photograph, {_pixels(path)}")


def _hippocampus(folder: Path, data: Path | None) -> TrialCase:
    found = sorted(data.glob("msd_hippocampus/images/*.nii.gz")) if data is not None else []
    if found:
        return TrialCase(found[0], f"T1-weighted MR, Decathlon, {_voxels(found[0])}")
    return _drawn(folder / "t1.nii.gz", a_hippocampus(), "T1-weighted MR")


def a_hippocampus() -> Volume:
    """Draw what a network trained on T1-weighted MR takes for one: gray, bent, in white."""
    shape = (36, 52, 34)
    k, j, i = np.indices(shape)
    back = (j - 8) / 36  # 0 at the front end, 1 at the other
    away = np.hypot(k - 14 - 8 * np.clip(back, 0, 1), (i - 17) / 1.3)
    tube = (away < np.where(back < 0.4, 7, 5)) & (back > 0) & (back < 1)
    image = np.full(shape, 110.0)
    image[ndimage.binary_dilation(tube, iterations=2)] = 140
    image[tube] = 100
    noise = np.random.default_rng(0).normal(0, 6, shape)
    array = np.rint(ndimage.gaussian_filter(image, 1) + noise).astype(np.int16)
    affine = np.eye(4)[[2, 1, 0, 3]]
    return Volume(array, Grid(shape, affine), "1")


def _chest(folder: Path, data: Path | None) -> TrialCase:
    found = sorted(data.glob("lidc/LIDC-IDRI-0001/*.dcm")) if data is not None else []
    if found:
        words = f"chest CT, LIDC-IDRI-0001, {len(found)} slices of 512 x 512"
        return TrialCase(found[0].parent, words)
    from tests.thorax import Ball, Chest, a_chest, a_grid  # noqa: PLC0415

    chest = Chest(balls=(Ball((-60.0, 20.0, 10.0), 10.0),))
    grid = a_grid(steps_mm=(2.5, 1.25, 1.25))
    return _drawn(folder / "chest.nii.gz", a_chest(chest, grid).volume, "chest CT")


def _neck(folder: Path, data: Path | None) -> TrialCase:
    found = sorted(data.glob("openkbp/*/ct.nii.gz")) if data is not None else []
    if found:
        return TrialCase(found[0], f"planning CT, OpenKBP, {_voxels(found[0])}")
    from tests.necks import a_neck  # noqa: PLC0415

    return _drawn(folder / "neck.nii.gz", a_neck().volume, "planning CT")


def _drawn(path: Path, volume: Volume, what: str) -> TrialCase:
    write_nifti(volume.array, volume.grid, path)
    return TrialCase(path, f"drawn {what}, {_size(volume.grid.shape)} voxels")


def _voxels(path: Path) -> str:
    return f"{_size(read_nifti(path).grid.shape)} voxels"


def _pixels(path: Path) -> str:
    rows, columns = read_picture(path).array.shape[:2]
    return f"{columns} x {rows} pixels"


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape)


CASES: Mapping[str, Callable[[Path, Path | None], TrialCase]] = {
    "retina": _photograph,
    "hippocampus": _hippocampus,
    "lung": _chest,
    "head_neck": _neck,
}
