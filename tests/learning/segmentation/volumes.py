"""Small drawn volumes on disk: two balls in noise, laid out as folders of images and labels."""

from pathlib import Path

import numpy as np

from medloop.core.geometry import Grid
from medloop.files.nifti import write_nifti

SHAPE = (20, 24, 22)


def a_case(seed: int, shape=SHAPE, spacing=(1.0, 1.0, 1.0)):
    """One volume with a bright ball (1) beside a dim one (2), its labels and grid."""
    rng = np.random.default_rng(seed)
    affine = np.eye(4)[:, [2, 1, 0, 3]] @ np.diag([*spacing, 1.0])
    affine[:3, 3] = rng.uniform(-20, 20, 3)
    grid = Grid(shape, affine)
    places = np.stack(np.indices(shape), -1) * np.array(spacing)
    middle = np.array(shape) * spacing / 2 + rng.uniform(-2, 2, 3)
    labels = np.zeros(shape, np.uint8)
    for label, shift in ((1, -4.0), (2, 4.0)):
        center = middle + np.array([0, shift, 0])
        labels[np.linalg.norm(places - center, axis=-1) < 3.5 + rng.uniform(0, 1)] = label
    image = np.array([20, 100, 60])[labels] + rng.normal(0, 6, shape)
    return image.astype(np.float32), labels, grid


def some_volumes(root: Path, count: int = 6, **changes) -> Path:
    """Write `count` cases into ``images`` and ``labels``."""
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for n in range(count):
        image, labels, grid = a_case(n, **changes)
        write_nifti(image, grid, root / "images" / f"case{n}.nii.gz")
        write_nifti(labels, grid, root / "labels" / f"case{n}.nii.gz")
    return root
