"""From an image to the objects a network finds in it, as boxes on the image's own voxels."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped
from numpy import ndarray
from scipy import ndimage

from medloop.core.geometry import Grid
from medloop.imaging.orientation import Turn, turn_of, upright_grid
from medloop.models.detection_plan import DetectionPlan
from medloop.models.predict import Predictor, expect
from medloop.models.segment import require_suits, scaled
from medloop.models.segmentation_plan import PICTURES
from medloop.models.window import bell, mirrored, starts

_MOST_PEAKS = 1000  # of a class, before those of one object are joined
_LARGEST = 4.0  # natural logarithm of a size over the typical one


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Objects found, the surest first.

    `edges` are the lower and upper faces of each box in voxels, (k, j, i) or (y, x), where
    whole numbers are centers of voxels: a box around voxel 3 alone runs from 2.5 to 3.5.
    `classes` counts from 0.
    """

    edges: Float[ndarray, "n 2 d"]
    classes: Int[ndarray, " n"]
    score: Float[ndarray, " n"]

    def take(self, which: ndarray) -> "Marks":
        """Choose some of them, by number or by a mask."""
        return Marks(self.edges[which], self.classes[which], self.score[which])


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An image as the network wants it, (c, *s) at the plan's spacing, and the way back.

    Upright it had `size` voxels before.
    """

    array: Float32[ndarray, " c *s"]
    size: tuple[int, ...]
    turn: Turn | None

    @property
    def zoom(self) -> Float[ndarray, " d"]:
        """Upright voxels of the image for each of the input, along each axis."""
        return np.array(self.size) / self.array.shape[1:]

    def from_image(self, edges: Float[ndarray, "n 2 d"]) -> Float[ndarray, "n 2 d"]:
        """Carry boxes from the voxels of the image to those of the input."""
        upright = edges if self.turn is None else _upright(edges, self.turn, self.size)
        return (upright + 0.5) / self.zoom - 0.5

    def to_image(self, edges: Float[ndarray, "n 2 d"]) -> Float[ndarray, "n 2 d"]:
        """Carry boxes from the voxels of the input to those of the image."""
        upright = (edges + 0.5) * self.zoom - 0.5
        return upright if self.turn is None else _stored(upright, self.turn, self.size)


def prepare(
    image: Shaped[ndarray, " c *s"], grid: Grid | None, plan: DetectionPlan
) -> Prepared:
    """Turn upright, bring to the plan's spacing, and scale each channel.

    Raises
    ------
    InputError
        If the image has other channels or axes than the plan.
    """
    require_suits(image, grid, channels=plan.channels, frame=plan.frame)
    turn, upright = None, image
    have: tuple[float, ...] = (1.0,) * (image.ndim - 1)
    if grid is not None:
        turn = turn_of(grid)
        upright, have = turn.upright(image), upright_grid(grid, turn).spacing_mm
    whole = upright.shape[1:]
    steps = zip(whole, have, plan.spacing, strict=True)
    size = tuple(max(1, round(n * mm / wanted)) for n, mm, wanted in steps)
    return Prepared(scaled(upright, plan.intensities, size), whole, turn)


def find(predictor: Predictor, image: Float32[ndarray, " c *s"], plan: DetectionPlan) -> Marks:
    """Find objects in a prepared image; boxes are on its voxels."""
    cell = np.array(plan.cell)
    sides = [
        -(-max(side, patch) // step) * step
        for side, patch, step in zip(image.shape[1:], plan.patch, plan.cell, strict=True)
    ]
    missing = [whole - have for whole, have in zip(sides, image.shape[1:], strict=True)]
    before = np.array([n // 2 for n in missing])
    padding = [(n // 2, n - n // 2) for n in missing]
    heat, box = _slide(predictor, np.pad(image, [(0, 0), *padding]), plan)
    found = _peaks(heat, plan.least_score)
    places = np.array(found[1:]).T
    offset, size = np.split(np.moveaxis(box, 0, -1)[found[1:]].astype(float), 2, axis=1)
    middle = (places + 0.5 + offset) * cell - 0.5 - before
    relative = np.exp(np.clip(size, -_LARGEST, _LARGEST))
    half = relative * np.array(plan.size) / np.array(plan.spacing) / 2
    edges = np.stack([middle - half, middle + half], axis=1)
    marks = Marks(edges, found[0].astype(int), heat[found].astype(float))
    shape = np.array(image.shape[1:])
    inside = ((middle >= -0.5) & (middle <= shape - 0.5)).all(axis=1)
    return suppressed(
        marks.take(inside), plan.spacing, most_overlap=plan.most_overlap, most=plan.most_marks
    )


def suppressed(
    marks: Marks, spacing: tuple[float, ...], *, most_overlap: float, most: int
) -> Marks:
    """Keep the surest `most` marks of which no two of a class overlap more.

    Non-maximum suppression: the overlap is what two boxes share of their union, measured in mm.
    """
    order = np.argsort(-marks.score, kind="stable")
    edges, classes = marks.edges[order] * np.array(spacing), marks.classes[order]
    kept: list[int] = []
    for n in range(len(order)):
        if len(kept) == most:
            break
        rivals = [k for k in kept if classes[k] == classes[n]]
        if not rivals or box_overlap(edges[n], edges[rivals]).max() <= most_overlap:
            kept.append(n)
    return marks.take(order[np.array(kept, int)])


def box_overlap(
    one: Float[ndarray, "2 d"], others: Float[ndarray, "n 2 d"]
) -> Float[ndarray, " n"]:
    """Divide the common part of a box and each of the others by their union."""
    low, high = np.maximum(one[0], others[:, 0]), np.minimum(one[1], others[:, 1])
    common = np.clip(high - low, 0, None).prod(axis=1)
    whole = (one[1] - one[0]).prod() + (others[:, 1] - others[:, 0]).prod(axis=1)
    return np.asarray(common / np.maximum(whole - common, 1e-12))


def detect(
    predictor: Predictor,
    image: Shaped[ndarray, " c *s"],
    grid: Grid | None,
    plan: DetectionPlan,
) -> Marks:
    """Find objects; `image` is (c, k, j, i), or (c, y, x) without a grid, and so are the boxes.

    Boxes in a picture end with it.

    Raises
    ------
    InputError
        If the image has other channels or axes than the plan.
    """
    prepared = prepare(image, grid, plan)
    marks = find(predictor, prepared.array, plan)
    edges = prepared.to_image(marks.edges)
    if plan.frame == PICTURES:
        edges = np.clip(edges, -0.5, np.array(image.shape[1:]) - 0.5)
    return replace(marks, edges=edges)


def in_patient(
    edges: Float[ndarray, "n 2 3"], grid: Grid
) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n 3"]]:
    """Give centers in LPS mm, and sizes in mm along the axes nearest to x, y and z."""
    upright = list(turn_of(grid).axes)
    sizes_mm = (edges[:, 1] - edges[:, 0]) * np.array(grid.spacing_mm)
    return grid.to_world(edges.mean(axis=1)), sizes_mm[:, upright[::-1]]


def _slide(
    predictor: Predictor, image: Float32[ndarray, " c *s"], plan: DetectionPlan
) -> tuple[Float32[ndarray, " n *g"], Float32[ndarray, " m *g"]]:
    """Centers' probabilities and boxes, from windows blended as `window.slide` blends them."""
    cell = plan.cell
    cells = tuple(side // step for side, step in zip(image.shape[1:], cell, strict=True))
    patch = tuple(side // step for side, step in zip(plan.patch, cell, strict=True))
    weight, classes = bell(patch), len(plan.classes)
    total = np.zeros((classes + 2 * len(cell), *cells), np.float32)
    norm = np.zeros(cells, np.float32)
    every = list(starts(cells, patch, plan.overlap))
    for start in every:
        place = tuple(slice(s, s + side) for s, side in zip(start, patch, strict=True))
        window = tuple(
            slice(part.start * step, part.stop * step)
            for part, step in zip(place, cell, strict=True)
        )
        seen = image[(slice(None), *window)]
        expect(predictor, len(every) << len(plan.flips), seen[None])
        answer = _answer(predictor, seen, plan)
        total[(slice(None), *place)] += answer * weight
        norm[place] += weight
    total /= norm
    return total[:classes], total[classes:]


def _answer(
    predictor: Predictor, window: Float32[ndarray, " c *p"], plan: DetectionPlan
) -> Float32[ndarray, " n *g"]:
    """Answer a window and its mirror images; mirrored ways to a center point back."""
    answers = []
    for flipped in mirrored(plan.flips):
        axes = tuple(1 + axis for axis in flipped)
        x = np.ascontiguousarray(np.flip(window, axes), np.float32)[None]
        told = predictor.run(x)
        heat, box = told["heat"][0], np.array(told["box"][0])
        box[list(flipped)] *= -1
        answers.append(np.flip(np.concatenate([heat, box]), axes))
    return np.asarray(np.mean(answers, axis=0), np.float32)


def _peaks(heat: Float32[ndarray, " n *g"], least: float) -> tuple[Int[ndarray, " m"], ...]:
    """Cells that no neighbor exceeds, from `least` on: class and place, the surest of each."""
    around = (1,) + (3,) * (heat.ndim - 1)
    is_peak = (heat >= least) & (heat == ndimage.maximum_filter(heat, size=around))
    kept = []
    for number, chosen in enumerate(is_peak):
        places = np.argwhere(chosen)
        order = np.argsort(-heat[number][chosen], kind="stable")[:_MOST_PEAKS]
        kept.append(np.insert(places[order], 0, number, axis=1))
    return tuple(np.concatenate(kept).T)


def _upright(
    edges: Float[ndarray, "n 2 3"], turn: Turn, size: tuple[int, ...]
) -> Float[ndarray, "n 2 3"]:
    return _mirrored(edges[:, :, list(turn.axes)], turn, size)


def _stored(
    edges: Float[ndarray, "n 2 3"], turn: Turn, size: tuple[int, ...]
) -> Float[ndarray, "n 2 3"]:
    return _mirrored(edges, turn, size)[:, :, np.argsort(turn.axes)]


def _mirrored(
    edges: Float[ndarray, "n 2 3"], turn: Turn, size: tuple[int, ...]
) -> Float[ndarray, "n 2 3"]:
    """Count from the other end along upright axes that run backward."""
    out = edges.copy()
    for axis, back in enumerate(turn.backward):
        if back:
            out[:, :, axis] = size[axis] - 1 - edges[:, ::-1, axis]
    return out
