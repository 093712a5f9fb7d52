"""What readers look at: the image of each job as browsers take it, prepared once and kept.

A volume becomes ``volume.nii``, int16 on the viewing grid (`imaging.viewing`); a photograph
``picture.jpg`` or ``picture.png``. What was not looked at longest goes first.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from jaxtyping import Int16, Shaped
from numpy import ndarray

from medloop.core.errors import ServiceError
from medloop.core.geometry import Grid
from medloop.core.image import Picture, Volume
from medloop.core.plain import Record, number_of, numbers_of, text_in
from medloop.core.study import Case, Selection, StudyUid
from medloop.files.nifti_plain import open_plain, write_plain
from medloop.imaging.viewing import to_viewing, viewing_grid
from medloop.workflow.folders import fresh_folder
from medloop.workflow.routing import folder_name

FOLDER: Final = "viewing"  # below the store
MAX_BYTES: Final = 20 << 30
_IN_USE_S: Final = 600.0  # what was asked for so lately may still be read
_FORMAT: Final = 1
_SAMPLES: Final = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A prepared image. `grid` is the volume's own, None for a photograph of `size_px` (x, y).

    A volume holds `slope` * stored + `intercept`; 98 % lie between `low` and `high`.
    """

    file: Path
    grid: Grid | None = None
    size_px: tuple[int, int] = (0, 0)
    unit: str = "1"
    slope: float = 1.0
    intercept: float = 0.0
    low: float = 0.0
    high: float = 255.0

    @property
    def stored(self) -> Int16[ndarray, "z y x"]:
        """The voxels of a volume on the viewing grid, read as they are looked at.

        Raises
        ------
        ServiceError
            If they have gone meanwhile.
        """
        assert self.grid is not None, "asked of a volume"  # noqa: S101
        return open_plain(self.file, viewing_grid(self.grid).shape)


@dataclass(frozen=True, slots=True)
class Lightbox:
    """A folder ``study/hash of the objects' UIDs``; processes may share it.

    It grows beyond `max_bytes` only by what is in use.
    """

    root: Path
    max_bytes: int = MAX_BYTES

    def find(self, study: StudyUid, selection: Selection) -> Shown | None:
        """Return what was prepared of a selection, if it is still there."""
        folder = self._folder(study, selection)
        try:
            told = json.loads((folder / "image.json").read_text(encoding="utf-8"))
            shown = _shown(told, folder)
            os.utime(folder / "image.json")
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return shown if shown.file.is_file() else None

    def prepare(self, case: Case) -> Shown:
        """Prepare the first image of a case, in place of what was there.

        Raises
        ------
        ServiceError
            If the disk is in the way.
        """
        folder = self._folder(case.study.uid, case.selection)
        image = case.images[0]
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ServiceError(f"images cannot be prepared: {error.strerror}") from error
        with fresh_folder(folder) as part:
            told = _volume(image, part) if isinstance(image, Volume) else _picture(image, part)
            (part / "image.json").write_text(json.dumps(told), encoding="utf-8")
        self.shrink()
        shown = self.find(case.study.uid, case.selection)
        if shown is None:
            raise ServiceError("the prepared image has gone at once")
        return shown

    def forget(self, study: StudyUid) -> None:
        """Remove all that was prepared of a study."""
        shutil.rmtree(self.root / folder_name(study), ignore_errors=True)

    def shrink(self) -> int:
        """Let go of what was not looked at longest until the rest fits; returns how many."""
        found = sorted(_folders(self.root), key=lambda each: each[1])
        total = sum(size for _, _, size in found)
        gone = 0
        for folder, looked, size in found:
            if total <= self.max_bytes or time.time() - looked < _IN_USE_S:
                break
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                folder.parent.rmdir()
            total -= size
            gone += 1
        return gone

    def _folder(self, study: StudyUid, selection: Selection) -> Path:
        whole = hashlib.sha256(str(_FORMAT).encode())
        for series in selection.series:
            for instance in series.instances:
                whole.update(f"{instance.uid}\n".encode(errors="replace"))
        return self.root / folder_name(study) / whole.hexdigest()[:32]


def lightbox_of(root: Path) -> Lightbox:
    """Return the lightbox below a store's folder."""
    return Lightbox(root / FOLDER)


def _folders(root: Path) -> Iterator[tuple[Path, float, int]]:
    for told in root.glob("*/*/image.json"):
        with suppress(OSError):
            size = sum(path.stat().st_size for path in told.parent.iterdir())
            yield told.parent, told.stat().st_mtime, size


def _volume(volume: Volume, folder: Path) -> Record:
    grid = volume.grid
    seen = to_viewing(volume.array, grid)
    slope, intercept = write_plain(seen, viewing_grid(grid), folder / "volume.nii")
    low, high = _usual(volume.array)
    return {
        "file": "volume.nii",
        "shape": list(grid.shape),
        "affine": grid.affine.tolist(),
        "frame": grid.frame_of_reference,
        "unit": volume.unit,
        "slope": slope,
        "intercept": intercept,
        "low": low,
        "high": high,
    }


def _usual(array: Shaped[ndarray, "k j i"]) -> tuple[float, float]:
    """Say between which values nearly all lie, from a regular sample of the voxels."""
    flat = array[:: max(len(array) // 40, 1)].reshape(-1)
    sample = flat[:: max(flat.size // _SAMPLES, 1)]
    low, high = np.percentile(sample, (1, 99))
    return float(low), float(max(high, low + 1e-6))


def _picture(picture: Picture, folder: Path) -> Record:
    """Keep photographs small enough to send: JPEG of high quality, gray in PNG."""
    array = picture.array
    if array.dtype != np.uint8:
        top = max(int(array.max()), 1)
        array = (array.astype(np.float32) * (255 / top)).astype(np.uint8)
    name = "picture.jpg" if picture.is_color else "picture.png"
    bgr = array[..., ::-1] if picture.is_color else array
    how = [cv2.IMWRITE_JPEG_QUALITY, 95] if picture.is_color else []
    done, data = cv2.imencode(Path(name).suffix, np.ascontiguousarray(bgr), how)
    if not done:
        raise ServiceError("the picture could not be compressed")
    (folder / name).write_bytes(data.tobytes())
    height, width = picture.size
    return {"file": name, "size": [width, height]}


def _shown(told: Record, folder: Path) -> Shown:
    file = folder / text_in(told, "file")
    if "size" in told:
        width, height = (int(n) for n in numbers_of(told["size"]))
        return Shown(file, size_px=(width, height))
    k, j, i = (int(n) for n in numbers_of(told["shape"]))
    frame = told["frame"]
    rows = told["affine"]
    affine = np.array([numbers_of(row) for row in rows] if isinstance(rows, list) else 0)
    if affine.shape != (4, 4):
        raise ValueError("affine is no matrix of 4 x 4")
    return Shown(
        file,
        Grid((k, j, i), affine, None if frame is None else str(frame)),
        unit=text_in(told, "unit"),
        slope=number_of(told["slope"]),
        intercept=number_of(told["intercept"]),
        low=number_of(told["low"]),
        high=number_of(told["high"]),
    )
