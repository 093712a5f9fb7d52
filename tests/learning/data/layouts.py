"""Small labelled data sets on disk, in the layouts people have."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np

SHAPE = (6, 8, 10)
AFFINE = np.diag([-0.5, -1.5, 2.0, 1.0])  # RAS; in LPS x and y rise


def noise(seed: int, shape: Sequence[int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, shape).astype(np.int16)


def a_block(size: int = 2, value: int = 1, shape: Sequence[int] = SHAPE) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(1, 1 + size) for _ in shape)] = value
    return mask


def save_nifti(array_kji: np.ndarray, path: Path, affine: np.ndarray = AFFINE) -> Path:
    """Write (k, j, i), or (c, k, j, i), as NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    axes = (3, 2, 1, 0) if array_kji.ndim == 4 else (2, 1, 0)
    nib.save(nib.Nifti1Image(array_kji.transpose(axes), affine), path)
    return path


def save_png(array: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = array[..., ::-1] if array.ndim == 3 else array
    assert cv2.imwrite(str(path), array.astype(np.uint8))
    return path


def save_json(data: object, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def nnunet_header(version: int = 2, channels: Sequence[str] = ("T1", "T2")) -> dict:
    named = {str(n): name for n, name in enumerate(channels)}
    if version == 2:
        labels = {"background": 0, "core": 1, "edema": 2}
        return {"channel_names": named, "labels": labels, "file_ending": ".nii.gz"}
    labels = {"0": "background", "1": "core", "2": "edema"}
    return {"modality": named, "labels": labels}


def an_nnunet(root: Path, *, version: int = 2, cases: int = 3) -> Path:
    """Two channels a case; case n has a block of class 1 + n % 2."""
    for n in range(cases):
        for channel in range(2):
            path = root / f"imagesTr/case{n}_{channel:04}.nii.gz"
            save_nifti(noise(10 * n + channel), path)
        save_nifti(a_block(value=1 + n % 2), root / f"labelsTr/case{n}.nii.gz")
    header = nnunet_header(version) | {"numTraining": cases}
    if version == 1:
        header["training"] = [
            {"image": f"./imagesTr/case{n}.nii.gz", "label": f"./labelsTr/case{n}.nii.gz"}
            for n in range(cases)
        ]
    save_json(header, root / "dataset.json")
    return root


def a_decathlon(root: Path, *, cases: int = 3, channels: int = 2) -> Path:
    for n in range(cases):
        array = np.stack([noise(10 * n + c) for c in range(channels)])
        save_nifti(array if channels > 1 else array[0], root / f"imagesTr/brain_{n}.nii.gz")
        save_nifti(a_block(), root / f"labelsTr/brain_{n}.nii.gz")
    header = {
        "name": "BRAIN",
        "modality": {str(c): f"m{c}" for c in range(channels)},
        "labels": {"0": "background", "1": "tumor"},
        "training": [
            {"image": f"./imagesTr/brain_{n}.nii.gz", "label": f"./labelsTr/brain_{n}.nii.gz"}
            for n in range(cases)
        ],
        "test": ["./imagesTs/brain_9.nii.gz"],
    }
    save_json(header, root / "dataset.json")
    return root


def a_table(root: Path, lines: Sequence[str], *, pictures: int = 4) -> Path:
    """Write ``images/p0.png`` ... and ``labels.csv`` of these lines."""
    for n in range(pictures):
        save_png(noise(n, (12, 16)), root / f"images/p{n}.png")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


def a_medmnist(path: Path, *, color: bool = False, test: int = 0) -> Path:
    tail = (28, 28, 3) if color else (28, 28)
    sizes = {"train": 8, "val": 4} | ({"test": test} if test else {})
    arrays = {}
    for seed, (part, size) in enumerate(sizes.items()):
        arrays[f"{part}_images"] = noise(seed, (size, *tail)).astype(np.uint8)
        arrays[f"{part}_labels"] = (np.arange(size) % 2).astype(np.uint8)[:, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path


def a_coco(root: Path, objects: Sequence[dict], *, pictures: int = 2) -> Path:
    for n in range(pictures):
        save_png(noise(n, (12, 16, 3)), root / f"images/p{n}.png")
    data = {
        "images": [
            {"id": n, "file_name": f"p{n}.png", "height": 12, "width": 16}
            for n in range(pictures)
        ],
        "categories": [{"id": 7, "name": "polyp"}, {"id": 3, "name": "ulcer"}],
        "annotations": [{"id": n, "iscrowd": 0, **item} for n, item in enumerate(objects)],
    }
    save_json(data, root / "annotations.json")
    return root
