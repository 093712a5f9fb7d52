"""Labelled data drawn for bundles whose every answer is known."""

import csv
from pathlib import Path

import numpy as np

from medloop.core.geometry import Grid
from medloop.files.nifti import write_nifti

AFFINE = np.array([[0, 0, 1.0, 0], [0, 1.0, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1]])


def some_scans(folder: Path, *, shifts=(0,) * 4, **columns) -> Path:
    """Bright boxes of 4 x 4 x 4 voxels (2 x 1 x 1 mm) whose masks are shifted along the rows.

    `columns` are those of the table beside the images, a value a scan.
    """
    folder.mkdir(parents=True)
    rows = []
    for n, shift in enumerate(shifts):
        image = np.full((8, 12, 16), 50, np.int16)
        image[2:6, 4:8, 4:8] = 150
        mask = np.zeros(image.shape, np.uint8)
        mask[2:6, 4:8, 4 + shift : 8 + shift] = 1
        grid = Grid(image.shape, AFFINE)
        write_nifti(image, grid, folder / f"scan{n}.nii.gz")
        write_nifti(mask, grid, folder / f"mask{n}.nii.gz")
        rows.append({"image": f"scan{n}.nii.gz", "label": f"mask{n}.nii.gz"})
    write_table(folder / "labels.csv", rows, columns)
    return folder


def some_pictures(path: Path, brightness, labels, *, part="test") -> Path:
    """Flat gray pictures of 28 pixels as MedMNIST keeps them."""
    images = np.stack([np.full((28, 28), value, np.uint8) for value in brightness])
    old = dict(np.load(path)) if path.is_file() else {}
    new = {f"{part}_images": images, f"{part}_labels": np.array(labels, np.uint8)[:, None]}
    np.savez(path, **old, **new)
    return path


def write_table(path: Path, rows, columns) -> None:
    """Write a CSV, a value of each further column a row."""
    full = [
        row | {name: values[n] for name, values in columns.items()}
        for n, row in enumerate(rows)
    ]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(full[0]))
        writer.writeheader()
        writer.writerows(full)
