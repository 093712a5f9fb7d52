"""Small drawn pictures of two kinds, disks and rings, as MedMNIST packs them."""

from pathlib import Path

import numpy as np


def a_picture(seed: int, *, is_ring: bool, side: int = 20):
    """One gray picture: a disk, or a ring of the same size, somewhere in noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((side, side))
    center = side / 2 + rng.uniform(-2, 2, 2)
    away = np.hypot(rows - center[0], columns - center[1])
    radius = side / 4 + rng.uniform(0, 1)
    inside = away < radius
    if is_ring:
        inside &= away > radius - 2.5
    gray = np.where(inside, 180, 60) + rng.normal(0, 10, (side, side))
    return np.clip(gray, 0, 255).astype(np.uint8)


def some_pictures(path: Path, count: int = 40) -> Path:
    """Write a file with a training and a validation part; every third picture is a ring."""
    parts = {}
    for name, start, stop in (("train", 0, 3 * count // 4), ("val", 3 * count // 4, count)):
        kinds = [n % 3 == 0 for n in range(start, stop)]
        images = [
            a_picture(n, is_ring=ring)
            for n, ring in zip(range(start, stop), kinds, strict=True)
        ]
        parts[f"{name}_images"] = np.stack(images)
        parts[f"{name}_labels"] = np.array(kinds, np.uint8)[:, None]
    np.savez(path, **parts)
    return path
