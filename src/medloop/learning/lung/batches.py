"""Cubes and slices to learn from: marked nodules, drawn ones, and what nobody marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray
from scipy import ndimage
from torch import Tensor

from medloop.learning.lung.cases import LungCase
from medloop.learning.lung.recipe import NoduleRecipe
from medloop.learning.lung.shapes import Shape, draw_nodule
from medloop.models.nodule_plan import NodulePlan
from medloop.models.nodules import Spots, cubes_in_hu, middle_slices, scaled

_JITTER_MM: Final = 1.2  # how far from its center a nodule is found (standard deviation)
_PLACES: Final = 2000  # voxels of a lung that nodules may be drawn at


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Axial patches, 0..255 for -1000 to 400 HU, and whether each shows a nodule."""

    images: UInt8[ndarray, "n y x"]
    labels: UInt8[ndarray, " n"]


@dataclass(frozen=True, slots=True, eq=False)
class NoduleBatches:
    """One epoch: cubes with their answers, and slices (of the same cubes, and patches)."""

    cases: Sequence[LungCase]
    spots: Sequence[Spots]
    shapes: Sequence[Shape]
    patches: Patches | None
    recipe: NoduleRecipe
    steps: int

    def __call__(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Draw cubes (B, 1, z, y, x), answers (B,), slices (B', 3, y, x), answers (B',)."""
        marked = [(n, mark) for n, case in enumerate(self.cases) for mark in case.marks]
        other = self._others()
        lungs = [n for n, case in enumerate(self.cases) if case.lungs.any()]
        for _ in range(self.steps):
            kinds = rng.random(self.recipe.batch)
            made = []
            for kind in kinds:
                if marked and kind < self.recipe.real:
                    n, mark = marked[int(rng.integers(len(marked)))]
                    made.append((self._cube(n, np.array(mark.center), rng), 1.0))
                elif self.shapes and kind < self.recipe.real + self.recipe.drawn:
                    made.append((self._drawn(int(rng.choice(lungs)), rng), 1.0))
                else:
                    n, center = other[int(rng.integers(len(other)))]
                    made.append((self._cube(n, center, rng), 0.0))
            x = np.stack([cube for cube, _ in made])[:, None]
            y = np.array([truth for _, truth in made], np.float32)
            flat, flat_y = middle_slices(x), y
            if self.patches is not None:
                more, more_y = draw_patches(self.patches, self.recipe, rng)
                flat, flat_y = np.concatenate([flat, more]), np.concatenate([y, more_y])
            yield tuple(torch.from_numpy(part) for part in (x, y, flat, flat_y))

    def _others(self) -> list[tuple[int, Float[ndarray, " 3"]]]:
        """Places that were found and that nobody marked, by case."""
        out = []
        for n, (case, spots) in enumerate(zip(self.cases, self.spots, strict=True)):
            free = case.far_from_marks(spots.centers, self.recipe.apart_mm)
            out += [(n, center) for center in spots.centers[free]]
        return out

    def _cube(
        self, n: int, center: Float[ndarray, " 3"], rng: np.random.Generator
    ) -> Float32[ndarray, "z y x"]:
        case = self.cases[n]
        center = center + rng.normal(0, _JITTER_MM, 3) / case.spacing_mm
        zoomed = case.spacing_mm * rng.uniform(0.92, 1.08)
        hu = cubes_in_hu(case.hu, zoomed, center[None], self.recipe.plan)[0, 0]
        return augmented(hu, self.recipe.plan, rng)

    def _drawn(self, n: int, rng: np.random.Generator) -> Float32[ndarray, "z y x"]:
        """Draw a nodule somewhere in the lungs of a case, away from real ones."""
        case, plan = self.cases[n], self.recipe.plan
        center = somewhere(case, self.recipe.apart_mm + 10, rng)
        hu = cubes_in_hu(case.hu, case.spacing_mm, center[None], plan)[0, 0]
        shape = self.shapes[int(rng.integers(len(self.shapes)))]
        off = rng.normal(0, _JITTER_MM, 3) / np.array(plan.spacing_mm)
        middle = (np.array(hu.shape) - 1) / 2 + off
        draw_nodule(hu, plan.spacing_mm, shape, middle, rng)
        return augmented(hu, plan, rng)


def somewhere(
    case: LungCase, beyond_mm: float, rng: np.random.Generator
) -> Float[ndarray, " 3"]:
    """Draw a voxel of the lungs, not near a mark."""
    size = np.array(case.lungs.shape)
    tried = rng.integers(0, size, (_PLACES, 3))
    inside = tried[case.lungs[tuple(tried.T)] > 0]
    free = (
        inside[case.far_from_marks(inside.astype(float), beyond_mm)] if len(inside) else inside
    )
    chosen = free if len(free) else inside if len(inside) else tried
    return chosen[0].astype(float)


def augmented(
    hu: Float32[ndarray, "z y x"], plan: NodulePlan, rng: np.random.Generator
) -> Float32[ndarray, "z y x"]:
    """Mirror, turn by quarters, blur or sharpen, shift and add noise; then scale."""
    for axis in range(3):
        if rng.random() < 0.5:
            hu = np.flip(hu, axis)
    if rng.random() < 0.5:
        hu = hu.transpose(0, 2, 1)
    hu = np.ascontiguousarray(hu)
    if rng.random() < 0.3:
        soft = ndimage.gaussian_filter(hu, (0, *[rng.uniform(0.3, 0.9)] * 2))
        hu = soft if rng.random() < 0.6 else hu + 0.7 * (hu - soft)
    hu = hu * np.float32(rng.uniform(0.96, 1.04)) + np.float32(rng.normal(0, 20))
    if rng.random() < 0.5:
        noise = rng.standard_normal(hu.shape, np.float32) * np.float32(rng.uniform(5, 45))
        hu = hu + noise
    return scaled(hu.astype(np.float32), plan)


def draw_patches(
    patches: Patches, recipe: NoduleRecipe, rng: np.random.Generator
) -> tuple[Float32[ndarray, "n 3 y x"], Float32[ndarray, " n"]]:
    """Draw as many patches as cubes, two in five of nodules; the three slices are one."""
    yes, no = (np.flatnonzero(patches.labels == label) for label in (1, 0))
    out, truth = [], []
    for _ in range(recipe.batch):
        is_nodule = rng.random() < 0.4
        chosen = yes if is_nodule else no
        image = patches.images[int(rng.choice(chosen))]
        x = patch_as_slices(image, recipe.plan, zoom=float(rng.uniform(0.88, 1.14)))
        for axis in (1, 2):
            if rng.random() < 0.5:
                x = np.flip(x, axis)
        if rng.random() < 0.5:
            x = x.transpose(0, 2, 1)
        x = x * np.float32(rng.uniform(0.95, 1.05)) + np.float32(rng.normal(0, 0.03))
        x = x + rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(0, 0.04))
        out.append(np.ascontiguousarray(x, np.float32))
        truth.append(float(is_nodule))
    return np.stack(out), np.array(truth, np.float32)


def patch_as_slices(
    image: UInt8[ndarray, "y x"], plan: NodulePlan, *, zoom: float = 1.0
) -> Float32[ndarray, "3 y x"]:
    """Bring a patch to the middle of a cube's slices: pixels of about 0.7 mm to the plan's."""
    rows, columns = plan.cube[1:]
    factor = zoom * rows / image.shape[0]
    shift = (np.array([columns, rows]) - 1) / 2 - factor * (np.array(image.shape[::-1]) - 1) / 2
    matrix = np.array([[factor, 0, shift[0]], [0, factor, shift[1]]])
    moved = cv2.warpAffine(
        image, matrix, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.repeat(moved[None].astype(np.float32) / 127.5 - 1, 3, axis=0)
