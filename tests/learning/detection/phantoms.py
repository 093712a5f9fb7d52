"""Drawn images with objects, on disk as people have them: balls in noise, discs and squares."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from medloop.core.geometry import Grid
from medloop.files.nifti import write_nifti

SHAPE, SPACING = (20, 40, 40), (2.0, 1.0, 1.0)  # 40 mm along each axis


@dataclass(frozen=True)
class Ball:
    center_mm: tuple[float, float, float]  # LPS
    diameter_mm: float


def a_grid(seed: int = 0, shape=SHAPE, spacing=SPACING) -> Grid:
    """Slices rising to the head, rows to the back, columns to the left, somewhere in space."""
    affine = np.eye(4)[:, [2, 1, 0, 3]] @ np.diag([*spacing, 1.0])
    affine[:3, 3] = np.random.default_rng(seed).uniform(-50, 50, 3)
    return Grid(shape, affine)


def a_volume(seed: int, count: int, shape=SHAPE, spacing=SPACING):
    """Noise with `count` bright balls that do not touch; their edges are blurred by a voxel."""
    rng = np.random.default_rng(seed)
    grid = a_grid(seed, shape, spacing)
    balls: list[Ball] = []
    while len(balls) < count:
        diameter = float(rng.uniform(7, 11))
        index = rng.uniform(2, np.array(shape) - 3)
        center = grid.to_world(index[None])[0]
        apart = [np.linalg.norm(center - b.center_mm) - b.diameter_mm / 2 for b in balls]
        if min(apart, default=99) > diameter / 2 + 3:
            balls.append(Ball(tuple(center.tolist()), diameter))
    return drawn(grid, balls, rng), grid, balls


def drawn(grid: Grid, balls, rng) -> np.ndarray:
    places = grid.to_world(np.stack(np.indices(grid.shape), -1).astype(float))
    array = rng.normal(0, 12, grid.shape)
    for ball in balls:
        away = ball.diameter_mm / 2 - np.linalg.norm(places - ball.center_mm, axis=-1)
        array += 60 * np.clip(away + 0.5, 0, 1)
    return array.astype(np.float32)


def some_volumes(root: Path, count: int = 8, **changes) -> Path:
    """Write volumes named by their series UID, and LUNA16's table; every fourth is empty."""
    root.mkdir(parents=True, exist_ok=True)
    rows = []
    for n in range(count):
        array, grid, balls = a_volume(n, 0 if n % 4 == 3 else 3, **changes)
        write_nifti(array, grid, root / f"1.2.{n}.nii.gz")
        rows += [(f"1.2.{n}", *ball.center_mm, ball.diameter_mm) for ball in balls]
    write_table(root, rows)
    return root


def write_table(root: Path, rows) -> None:
    with (root / "annotations.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"])
        writer.writerows(rows)


def a_picture(seed: int, count: int, size=(64, 72)):
    """Gray noise with discs (1) and squares (2), as COCO's annotations: x, y, width, height."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(90, 10, size)
    boxes: list[tuple[int, list[float]]] = []
    while len(boxes) < count:
        side = int(rng.integers(9, 16))
        y, x = (int(rng.integers(0, n - side)) for n in size)
        if any(
            abs(x + side / 2 - b[0] - b[2] / 2) < (side + b[2]) / 2 + 2
            and abs(y + side / 2 - b[1] - b[3] / 2) < (side + b[3]) / 2 + 2
            for _, b in boxes
        ):
            continue
        kind = 1 + len(boxes) % 2
        rows, columns = np.ogrid[: size[0], : size[1]]
        if kind == 1:
            middle = side / 2 - 0.5
            inside = np.hypot(rows - y - middle, columns - x - middle) <= side / 2
        else:
            inside = (rows >= y) & (rows < y + side) & (columns >= x) & (columns < x + side)
        pixels[inside] += 70
        boxes.append((kind, [x, y, side, side]))
    return np.clip(pixels, 0, 255).astype(np.uint8), boxes


def some_pictures(root: Path, count: int = 8, size=(64, 72)) -> Path:
    """Write pictures and COCO's table of their objects; every fourth is empty."""
    root.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for n in range(count):
        pixels, boxes = a_picture(n, 0 if n % 4 == 3 else 4, size)
        cv2.imwrite(str(root / f"p{n}.png"), pixels)
        images.append({"id": n, "file_name": f"p{n}.png"})
        for kind, box in boxes:
            number = len(annotations) + 1
            annotations.append(
                {"id": number, "image_id": n, "category_id": kind, "bbox": box, "iscrowd": 0}
            )
    categories = [{"id": 1, "name": "disc"}, {"id": 2, "name": "square"}]
    table = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(table))
    return root
