"""Small drawn photographs on disk, laid out like a public retina set, and recipes to match."""

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from medloop.learning.recipes import RECIPES, Recipe
from tests.phantoms import LESION_KINDS, a_fundus, some_lesions

SIZE = (142, 214)


def some_gradings(root: Path, count: int = 8) -> Path:
    """Write `count` photographs, each of its own brightness, grades 0-4 and 0-2 in turn."""
    images = root / "grading" / "images"
    images.mkdir(parents=True)
    with (root / "grading" / "labels.csv").open("w", newline="") as table:
        rows = csv.writer(table)
        rows.writerow(("file", "dr_grade", "dme_grade"))
        for n in range(count):
            _write(images / f"eye{n}.jpg", _photograph(n))
            rows.writerow((f"eye{n}.jpg", n % 5, n % 3))
    return root


def some_outlines(root: Path, count: int = 6) -> Path:
    """Write `count` photographs with masks; every second one lacks soft exudates."""
    images = root / "lesions" / "images"
    images.mkdir(parents=True)
    for n in range(count):
        _write(images / f"lesion{n}.jpg", _photograph(n + 100))
        drawn = a_fundus(SIZE, right_eye=bool(n % 2), seed=n + 100)
        for kind in (*LESION_KINDS, "OD"):
            folder = root / "lesions" / "masks" / kind
            folder.mkdir(parents=True, exist_ok=True)
            if kind != "SE" or n % 2:
                cv2.imwrite(str(folder / f"lesion{n}.png"), drawn.masks[kind].astype(np.uint8))
    return root


def a_quick_recipe(name: str, **changes: object) -> Recipe:
    """Shrink a recipe until one network trains in seconds."""
    recipe = RECIPES[name]()
    small = replace(recipe.plan, field_px=64)
    quick = {"epochs": 2, "steps": 1, "batch": 2, "of_folds": 2, "folds": "0"}
    if name == "retina_lesions":
        quick["widths"] = (4, 4, 4, 4, 4)
    return replace(recipe, plan=small, size=(64, 64), **(quick | changes))


def _photograph(n: int) -> np.ndarray:
    drawn = a_fundus(
        SIZE,
        lesions=some_lesions(SIZE),
        right_eye=bool(n % 2),
        seed=n,
    )
    shade = 0.5 + 0.05 * (n % 10)
    return (drawn.picture.array * shade).astype(np.uint8)


def _write(path: Path, rgb: np.ndarray) -> None:
    cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]))
