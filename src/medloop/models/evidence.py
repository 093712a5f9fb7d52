"""What the lesions of a photograph say of its grade: a second opinion beside the network's.

Grades are defined by lesions: which, how many, in which quadrant, how near the fovea. A forest
reads these numbers off the lesion maps, and its opinion is averaged with that of the network
that looks at the whole photograph.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Float16, Float32, UInt8
from numpy import ndarray
from scipy import ndimage

from medloop.core.errors import InputError
from medloop.imaging.fundus import Field
from medloop.imaging.landmarks import Landmarks, find_landmarks
from medloop.imaging.vessels import open_view
from medloop.models.bundle import FOREST, Bundle
from medloop.models.canvas import Placement, normalize, place, unplace
from medloop.models.plan import Plan, Task
from medloop.models.predict import OnnxRuntimePredictor, Predictor, expect

READ = ("MA", "HE", "EX", "SE")  # the maps that are read, and below, those placed by distance
PLACED = ("EX", "HE", "MA")
_BLOCK = 4  # the maps are read by their maximum in blocks of this many pixels a side
_RANKS = (1, 5, 20, 100, 400)
_LEVELS = (0.3, 0.6, 0.9)
_RINGS = (0.0, 0.0587, 0.117, 0.176, 0.293, np.inf)  # of the field's width, from the fovea
_FLOOR = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Outlined:
    """Lesion maps of one photograph, on the network's canvas."""

    maps: Float32[ndarray, "c v u"]
    placement: Placement
    plan: Plan

    def on_picture(self) -> Mapping[str, Float16[ndarray, "y x"]]:
        """Carry every map to the photograph's pixels."""
        return {name: self.one_on_picture(name) for name in self.plan.classes}

    def one_on_picture(self, name: str) -> Float16[ndarray, "y x"]:
        """Carry the map of one class to the photograph's pixels."""
        one = self.maps[self.plan.classes.index(name)]
        return unplace(one, self.placement).astype(np.float16)

    def as_seen(self, name: str) -> Float32[ndarray, "y x"]:
        """Lay the map of one class over the photograph in pixels as coarse as the canvas'.

        The field lies within half of such a pixel of its place.
        """
        (x0, y0, _, y1), (rows, columns) = self.placement.box, self.placement.size
        scale = rows / (y1 - y0)
        height, width = (max(round(n * scale), 1) for n in self.placement.picture)
        left, top = round(x0 * scale), round(y0 * scale)
        size = max(height, top + rows), max(width, left + columns)
        box = (left, top, left + columns, top + rows)
        one = self.maps[self.plan.classes.index(name)]
        seen = unplace(one, replace(self.placement, picture=size, box=box))
        return np.ascontiguousarray(seen[:height, :width])


def outline(
    predictor: Predictor, rgb: UInt8[ndarray, "y x 3"], field: Field, plan: Plan
) -> Outlined:
    """Find the probability of each class of `plan` at each pixel.

    Raises
    ------
    InputError
        If the plan's task is another.
    """
    if plan.task is not Task.LESIONS:
        raise InputError(f"plan is for {plan.task}, not {Task.LESIONS}")
    canvas, placement = place(rgb, field, plan)
    x = normalize(canvas, plan)
    expect(predictor, 1, x)
    return Outlined(predictor.run(x)["probability"][0], placement, plan)


def evidence(
    outlined: Outlined, fovea_px: tuple[float, float] | None
) -> Float32[ndarray, " n"]:
    """Express the maps in numbers; `fovea_px` is (x, y) on the photograph.

    Of each class: the log-odds of its surest places, how many places and how large an area
    exceed each of three levels, the expected area, and the least and most places a quarter of
    the canvas has. Of each class and ring about the fovea: its area and its surest places.
    Where the fovea is not known, everything counts as far from it.
    """
    reach = _distance(outlined, fovea_px)
    numbers: list[float] = []
    tops = {name: _blocks(outlined, name) for name in READ}
    for name in READ:
        whole = outlined.maps[outlined.plan.classes.index(name)]
        numbers += _amounts(tops[name], float(whole.sum()))
    for name in PLACED:
        for low, high in pairwise(_RINGS):
            ring = tops[name][(reach >= low) & (reach < high)]
            area = float(np.log1p(np.count_nonzero(ring > 0.5)))
            numbers += [area, *_surest(ring, (1, 10))]
    return np.array(numbers, np.float32)


def opinion(forest: Predictor, numbers: Float32[ndarray, " n"]) -> Float[ndarray, " k"]:
    """P(grade > k) of all scales side by side, as the forest sees it."""
    above: Float[ndarray, " k"] = forest.run(numbers[None])["above"][0].astype(np.float64)
    return above


def open_forest(bundle: Bundle, lesions: Bundle) -> Predictor:
    """Open the trees of a bundle that reads the maps of `lesions`.

    Raises
    ------
    InputError
        If the bundle has no trees, or they were grown on the maps of other weights.
    """
    if bundle.forest is None:
        raise InputError(f"bundle {bundle.name} has no {FOREST}")
    plan = bundle.photograph_plan
    if lesions.sha256 != plan.reads_sha256:
        raise InputError(
            f"bundle {bundle.name} reads the maps of {plan.reads} with weights"
            f" {plan.reads_sha256[:12]}..., here they are {lesions.sha256[:12]}..."
        )
    return OnnxRuntimePredictor(bundle.forest, is_on_cpu=True)  # OpenVINO grows no trees


@dataclass(frozen=True, slots=True, eq=False)
class SecondReader:
    """Outlines the lesions of a photograph and gives its opinion of the grades."""

    forest: Predictor
    outliner: Predictor
    plan: Plan  # the outliner's

    def read(self, rgb: UInt8[ndarray, "y x 3"], field: Field) -> Float[ndarray, " k"]:
        """P(grade > k) of all scales side by side."""
        outlined = outline(self.outliner, rgb, field, self.plan)
        return opinion(self.forest, evidence(outlined, fovea_of(find(outlined, rgb, field))))


def find(outlined: Outlined, rgb: UInt8[ndarray, "y x 3"], field: Field) -> Landmarks:
    """Find disc and fovea of a photograph with the help of its disc map."""
    disc = outlined.one_on_picture("OD")
    return find_landmarks(open_view(rgb, field), disc_map=disc)


def fovea_of(landmarks: Landmarks) -> tuple[float, float] | None:
    """Place of the fovea on the photograph, if it is known."""
    return None if landmarks.fovea is None else landmarks.fovea.center_px


def _blocks(outlined: Outlined, name: str) -> Float32[ndarray, "v u"]:
    """Maximum of each block of pixels; the canvas' sides are multiples of 32."""
    one = outlined.maps[outlined.plan.classes.index(name)]
    rows, columns = (n // _BLOCK for n in one.shape)
    return np.asarray(one.reshape(rows, _BLOCK, columns, _BLOCK).max(axis=(1, 3)), np.float32)


def _distance(
    outlined: Outlined, fovea_px: tuple[float, float] | None
) -> Float[ndarray, "v u"]:
    """Distance of each block from the fovea, in widths of the field."""
    rows, columns = (n // _BLOCK for n in outlined.maps.shape[1:])
    if fovea_px is None:
        return np.full((rows, columns), _RINGS[-2])
    placement = outlined.placement
    x0, y0, x1, y1 = placement.box
    fx = (fovea_px[0] - x0) * placement.size[1] / (x1 - x0) + placement.corner[1]
    fy = (fovea_px[1] - y0) * placement.size[0] / (y1 - y0) + placement.corner[0]
    y, x = np.mgrid[:rows, :columns] * _BLOCK + (_BLOCK - 1) / 2
    return np.asarray(np.hypot(x - fx, y - fy) / outlined.plan.field_px)


def _amounts(top: Float32[ndarray, "v u"], expected_px: float) -> list[float]:
    numbers = _surest(top.ravel(), _RANKS)
    for level in _LEVELS:
        over = top > level
        numbers += [_places(over), float(np.log1p(np.count_nonzero(over)))]
    rows, columns = (n // 2 for n in top.shape)
    sure = top > 0.5
    quarters = [
        _places(half[:, part])
        for half in (sure[:rows], sure[rows:])
        for part in (slice(None, columns), slice(columns, None))
    ]
    return [*numbers, float(np.log1p(expected_px / _BLOCK**2)), min(quarters), max(quarters)]


def _places(over: Bool[ndarray, "v u"]) -> float:
    return float(np.log1p(ndimage.label(over)[1]))


def _surest(values: Float32[ndarray, " n"], ranks: tuple[int, ...]) -> list[float]:
    """Log-odds of the highest value, of the fifth highest ..., as `ranks` say."""
    if not len(values):
        return [float(np.log(_FLOOR))] * len(ranks)
    falling = np.sort(values)[::-1]
    picked = np.array([falling[min(rank, len(falling)) - 1] for rank in ranks], np.float64)
    odds = picked / (1 - picked + 10 * _FLOOR) + _FLOOR
    return [float(each) for each in np.log(odds)]
