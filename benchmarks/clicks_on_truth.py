"""How near clicks come to what experts drew, with a network's probabilities and without.

Cases are those of fold 0 of the hippocampus bundle, from which its network did not learn. Each
part is corrected by itself: a click goes where a person would put it, in the middle of the
largest piece that is wrong; the next one where the mask is wrong after the first. Clicks count
together, on the mask as the network drew it, as on the reading page.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks.held_out import held_out
from medloop.annotation.refining import Asked, refined
from medloop.files.nifti import read_nifti
from medloop.imaging.likely import likely_in, likely_patch
from medloop.imaging.refine import refine
from medloop.models.bundle import load_bundle
from medloop.models.predict import open_predictor
from medloop.models.segment import labels_of, prepare, probabilities

BUNDLE = "hippocampus"


@dataclass(frozen=True)
class Part:
    """A part of a held-out case: intensities, spacing, drawn by network and expert, likely."""

    case: str
    name: str
    image: np.ndarray
    spacing: tuple[float, float, float]
    drawn: np.ndarray
    truth: np.ndarray
    likely: np.ndarray


def parts_in(data: Path, most: int) -> Iterator[Part]:
    """Segment the first held-out cases of MSD Task04 below a folder, part by part."""
    bundle = load_bundle(BUNDLE)
    plan, predictor = bundle.segmentation_plan, open_predictor(bundle)
    for case in held_out(bundle)[:most]:
        volume = read_nifti(data / "images" / f"{case}.nii.gz")
        truth = read_nifti(data / "labels" / f"{case}.nii.gz").array
        prepared = prepare(volume.array[None], volume.grid, plan)
        answer = probabilities(predictor, prepared, plan)
        drawn, turn = labels_of(answer, prepared), prepared.turn
        for n, name in enumerate(plan.classes, start=1):
            patch = likely_patch(answer[n])
            if patch is None or turn is None:
                continue
            whole = [slice(0, size) for size in truth.shape]
            yield Part(
                case,
                name,
                volume.array.astype(np.float32),
                volume.grid.spacing_mm,
                drawn == n,
                truth == n,
                likely_in(turn.patch_back(patch), truth.shape, whole),
            )


def click_on(mask: np.ndarray, truth: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Return the voxel [k, j, i] in the middle of the largest piece that is wrong."""
    pieces, _ = ndimage.label(mask != truth)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    inside = pieces == sizes.argmax()
    depth = ndimage.distance_transform_edt(np.pad(inside, 1), spacing)[1:-1, 1:-1, 1:-1]
    return np.array(np.unravel_index(int(depth.argmax()), depth.shape))


def dice_by_click(part: Part, clicks: int, reach: float, *, with_likely: bool) -> list[float]:
    """Dice with the expert after 0, 1, ... clicks."""
    mask, found = part.drawn, [dice(part.drawn, part.truth)]
    inside: list[tuple[int, int, int]] = []
    outside: list[tuple[int, int, int]] = []
    box = ((0, 0, 0), part.truth.shape[::-1])
    for _ in range(clicks):
        if not np.array_equal(mask, part.truth):
            k, j, i = (int(n) for n in click_on(mask, part.truth, part.spacing))
            (inside if part.truth[k, j, i] else outside).append((i, j, k))
            mask = refined(
                part.image,
                part.spacing,
                Asked(tuple(inside), tuple(outside), reach),
                (box, part.drawn),
                likely=part.likely if with_likely else None,
                refiner=refine,
            )
        found.append(dice(mask, part.truth))
    return found


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Twice what both share, over the sum of both; 1 where both are empty."""
    both = int(one.sum() + other.sum())
    return 2 * float((one & other).sum()) / both if both else 1.0


def compare(data: Path, *, clicks: int, most: int, reach: float = 12.0) -> None:
    """Print the mean Dice by number of clicks, and its difference with a 95 % interval."""
    parts = list(parts_in(data, most))
    pairs = np.array(
        [
            [dice_by_click(part, clicks, reach, with_likely=likely) for likely in (False, True)]
            for part in parts
        ]
    )
    cases = np.array([part.case for part in parts])
    named = np.unique(cases)
    print(f"{len(named)} cases that {BUNDLE} did not learn from, {len(parts)} parts")
    rng = np.random.default_rng(0)
    for n in range(clicks + 1):
        gain = pairs[:, 1, n] - pairs[:, 0, n]
        by_case = np.array([gain[cases == name].mean() for name in named])
        drawn = by_case[rng.integers(0, len(named), (2000, len(named)))].mean(axis=1)
        low, high = np.quantile(drawn, (0.025, 0.975))
        without, with_ = pairs[:, :, n].mean(axis=0)
        print(
            f"{n} clicks: Dice {without:.4f} without probabilities, {with_:.4f} with;"
            f" gain {by_case.mean():+.4f} ({low:+.4f} to {high:+.4f})"
        )
