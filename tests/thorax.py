"""A drawn chest CT in HU: every size and place in it is known to a fraction of a voxel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from scipy.special import expit

from medloop.core.geometry import Grid
from medloop.core.image import Volume

AIR, LUNG, FAT, MUSCLE, BLOOD, BONE, METAL = -1000.0, -850.0, -100.0, 50.0, 40.0, 500.0, 3000.0
RIGHT_HILUM, LEFT_HILUM = (-34.0, 12.0, -28.0), (34.0, 12.0, -28.0)


@dataclass(frozen=True, slots=True)
class Ball:
    """A nodule: center in LPS mm, diameter in mm, HU; `core_mm` is that of a solid part."""

    center_mm: tuple[float, float, float]
    diameter_mm: float
    hu: float = 30.0
    core_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Chest:
    """What is drawn. Lengths in mm at `scale` 1, an adult; 0.33 is a newborn.

    x runs to the patient's left, y to the back, z to the head; z = 0 is the carina. Lungs
    reach from about -150 to 135. `junction_mm` parts them in front; `effusion_mm` is the depth
    of fluid behind the left one; `padding_hu` fills what lies outside a round field of view.
    """

    balls: tuple[Ball, ...] = ()
    scale: float = 1.0
    lung_hu: float = LUNG
    blood_hu: float = BLOOD
    junction_mm: float = 6.0
    effusion_mm: float = 0.0
    has_left: bool = True
    has_metal: bool = False
    has_fissures: bool = False
    has_table: bool = True
    padding_hu: float | None = None
    noise_hu: float = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """The CT, and the lungs in it with their vessels, as bool (k, j, i)."""

    volume: Volume
    right: ndarray
    left: ndarray


def a_grid(
    *,
    steps_mm: tuple[float, float, float] = (3.0, 2.8, 2.8),
    low_mm: tuple[float, float, float] = (-180.0, -150.0, -190.0),
    high_mm: tuple[float, float, float] = (180.0, 170.0, 170.0),
    feet_first: bool = True,
) -> Grid:
    """A grid upright in LPS; `steps_mm` along (k, j, i), corners (x, y, z).

    With `feet_first` z rises with k.
    """
    count = [
        round((high - low) / step)
        for low, high, step in zip(low_mm, high_mm, steps_mm[::-1], strict=True)
    ]
    affine = np.eye(4)
    affine[:3, :3] = np.diag(steps_mm)[::-1] * [1.0 if feet_first else -1.0, 1.0, 1.0]
    affine[:3, 3] = low_mm
    if not feet_first:
        affine[2, 3] = low_mm[2] + (count[2] - 1) * steps_mm[0]
    return Grid((count[2], count[1], count[0]), affine)


def a_chest(chest: Chest = Chest(), grid: Grid | None = None, *, seed: int = 0) -> Drawn:
    """Draw a chest, its neck and upper abdomen as far as the grid reaches."""
    grid = a_grid() if grid is None else grid
    rng = np.random.default_rng(seed)
    place = _places(grid, chest.scale)
    image = np.full(grid.shape, AIR, np.float32)
    edge = max(grid.spacing_mm[1:]) / chest.scale
    if chest.has_table:
        _draw_table(image, place, edge)
    _draw_wall(image, place, edge)
    sides = {}
    for name, side in (("right", -1), ("left", 1)):
        lung = _lung(place, side, chest)
        seen = lung if side < 0 or chest.has_left else np.full_like(lung, 99.0)
        _paint(image, seen, chest.lung_hu, edge)
        _draw_vessels(image, place, side, seen, (chest.blood_hu, edge, rng))
        sides[name] = seen < 0
    _draw_middle(image, place, edge, chest)
    _draw_belly(image, place, edge)
    for ball in chest.balls:
        _draw_ball(image, grid, ball, chest.scale)
    if chest.has_metal:
        _draw_metal(image, place, edge)
    for side in (-1, 1) if chest.has_fissures else ():
        _draw_fissures(image, place, side, sides["right" if side < 0 else "left"])
    image += rng.normal(0, chest.noise_hu, image.shape).astype(np.float32)
    if chest.padding_hu is not None:
        image[_outside_field(grid)] = chest.padding_hu
    array = np.clip(np.rint(image), -32000, 3071).astype(np.int16)
    return Drawn(Volume(array, grid, "HU"), sides["right"], sides["left"])


def a_head(grid: Grid | None = None, *, seed: int = 0) -> Volume:
    """Draw a head: skull, brain, sinuses and throat."""
    grid = grid or a_grid(low_mm=(-125, -125, -110), high_mm=(125, 125, 110))
    x, y, z = _places(grid, 1.0)
    image = np.full(grid.shape, AIR, np.float32)
    edge = max(grid.spacing_mm)
    _paint(image, _ellipsoid((x, y, z), (0, 0, 0), (78, 98, 140)), MUSCLE, edge)
    _paint(image, _ellipsoid((x, y, z), (0, 0, 15), (70, 90, 85)), 900.0, edge)
    _paint(image, _ellipsoid((x, y, z), (0, 0, 15), (64, 84, 79)), 35.0, edge)
    for side in (-1, 1):
        _paint(image, _ellipsoid((x, y, z), (side * 25, -70, -55), (14, 16, 18)), AIR, edge)
    _paint(image, np.maximum(np.hypot(x, y - 5) - 10, z + 50), AIR, edge)
    image += np.random.default_rng(seed).normal(0, 8, image.shape)
    return Volume(np.rint(image).astype(np.int16), grid, "HU")


def ball_share(grid: Grid, center_mm: Sequence[float], diameter_mm: float) -> tuple:
    """Share of each voxel that a ball fills, and the box of voxels it is for; exact to 1 %."""
    middle = grid.to_index(np.asarray(center_mm, float)[None])[0]
    steps = np.array(grid.spacing_mm)
    reach = np.ceil(diameter_mm / 2 / steps) + 1
    low = np.maximum(np.floor(middle - reach), 0).astype(int)
    high = np.minimum(np.ceil(middle + reach) + 1, grid.shape).astype(int)
    high = np.maximum(high, low)
    parts = np.clip(np.ceil(steps / (diameter_mm / 24)), 2, 16).astype(int)
    axes = [
        np.arange(a, b)[:, None] + (np.arange(n) + 0.5)[None] / n - 0.5
        for a, b, n in zip(low, high, parts, strict=True)
    ]
    mesh = np.stack(np.meshgrid(*[each.ravel() for each in axes], indexing="ij"), -1)
    away = np.linalg.norm(grid.to_world(mesh.reshape(-1, 3)) - center_mm, axis=1)
    fine = (away <= diameter_mm / 2).reshape(mesh.shape[:3])
    shape = [size for a, b, n in zip(low, high, parts, strict=True) for size in (b - a, n)]
    share = fine.reshape(shape).mean(axis=(1, 3, 5))
    return share, tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def _places(grid: Grid, scale: float) -> tuple[ndarray, ndarray, ndarray]:
    """Coordinates of every voxel at scale 1; thin arrays where the grid is upright."""
    axes = np.abs(grid.affine[:3, :3])
    if (np.count_nonzero(axes > 1e-9) == 3) and (axes[:, ::-1].diagonal() > 0).all():
        at = [np.arange(n) for n in grid.shape]
        z = (grid.affine[2, 0] * at[0] + grid.affine[2, 3])[:, None, None]
        y = (grid.affine[1, 1] * at[1] + grid.affine[1, 3])[None, :, None]
        x = (grid.affine[0, 2] * at[2] + grid.affine[0, 3])[None, None, :]
    else:
        every = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3).astype(float)
        x, y, z = grid.to_world(every).T.reshape(3, *grid.shape)
    return tuple(each.astype(np.float32) / scale for each in (x, y, z))


def _paint(image: ndarray, distance: ndarray, hu: float, edge: float) -> None:
    """Blend in what lies at negative distance, with an edge as wide as a voxel."""
    share = np.clip(0.5 - distance / edge, 0, 1)
    image += share * (hu - image)


def _ellipsoid(place: tuple, center: tuple, radii: tuple) -> ndarray:
    """Distance to an ellipsoid, nearly: exact at its surface."""
    parts = [(p - c) / r for p, c, r in zip(place, center, radii, strict=True)]
    far = np.sqrt(sum(part**2 for part in parts))
    steep = np.sqrt(sum((part / r) ** 2 for part, r in zip(parts, radii, strict=True)))
    return (far - 1) * far / np.maximum(steep, 1e-6)


def _capsule(place: tuple, start: ndarray, end: ndarray, radius: float) -> ndarray:
    along = end - start
    t = sum((p - s) * a for p, s, a in zip(place, start, along, strict=True)) / (along @ along)
    t = np.clip(t, 0, 1)
    squares = sum((p - s - t * a) ** 2 for p, s, a in zip(place, start, along, strict=True))
    return np.sqrt(squares) - radius


def _trunk(place: tuple, less_mm: float) -> ndarray:
    """Distance to the skin, or to a shell `less_mm` below it; narrower at the neck."""
    x, y, z = place
    narrow = 1 - 0.62 * expit((z - 165) / 8)
    return np.asarray(
        (np.sqrt((x / (168 * narrow)) ** 2 + (y / (112 * narrow)) ** 2) - 1) * 112 * narrow
        + less_mm
    )


def _draw_wall(image: ndarray, place: tuple, edge: float) -> None:
    x, y, z = place
    _paint(image, _trunk(place, 0), FAT, edge)
    _paint(image, _trunk(place, 12), MUSCLE, edge)
    shell = np.abs(_trunk(place, 17)) - 3.5
    turns = np.maximum(
        np.maximum(-np.cos((z + 0.35 * y) * 2 * np.pi / 26) * 8, z - 135), -z - 140
    )
    _paint(image, np.maximum(shell, turns), BONE, edge)
    spine = np.maximum(np.hypot(x, (y - 74) / 0.8) - 19, -(np.hypot(x, y - 88) - 8))
    _paint(image, np.maximum(spine, -1e3), 250.0, edge)


def _lung(place: tuple, side: int, chest: Chest) -> ndarray:
    """Distance, nearly, to one lung; side -1 is the patient's right."""
    x, y, z = place
    dome = np.clip((z - 25) / 110, 0, 1)
    narrow = np.sqrt(np.maximum(1 - dome**2, 1e-3))
    wall = (np.sqrt((x / (142 * narrow)) ** 2 + (y / (87 * narrow)) ** 2) - 1) * 87 * narrow
    in_front = expit(-(y + 35) / 5) * expit((z + 25) / 5) * expit((45 - z) / 5)
    gap = 17 + 6 * np.tanh((y - 40) / 20) + (chest.junction_mm / 2 - 14) * in_front
    gap = np.maximum(gap, chest.junction_mm / 2)
    floor = -128 - 0.22 * y + 48 * np.exp(-((x - side * 68) ** 2 + (y + 8) ** 2) / (2 * 45**2))
    lung = np.maximum(np.maximum(wall, gap - side * x), np.maximum(floor - z, z - 134))
    for center, radii in (((26, -28, -72), (52, 46, 52)), ((24, 52, -50), (12, 12, 190))):
        lung = np.maximum(lung, -_ellipsoid(place, center, radii))
    if side > 0 and chest.effusion_mm:
        lung = np.maximum(lung, y - (80 - chest.effusion_mm))
    return lung


def above_oblique(place: tuple, side: int) -> ndarray:
    """Distance in mm above the oblique fissure; side -1 is the patient's right."""
    x, y, z = place
    fall = 52.0 if side > 0 else 46.0
    level = 5.0 if side > 0 else -6.0
    bend = 0.0006 * (y - 10) ** 2 - 0.05 * side * (x - side * 70)
    slope = np.radians(fall)
    return np.asarray((z - level - bend) * np.cos(slope) - (y - 10) * np.sin(slope))


def above_horizontal(place: tuple) -> ndarray:
    """Distance in mm above the horizontal fissure of the right lung."""
    x, y, z = place
    return np.asarray(z + 8 - 0.06 * y + 0.0008 * (x + 75) ** 2)


def _draw_fissures(image: ndarray, place: tuple, side: int, lung: ndarray) -> None:
    """Sheets of 1.2 mm and 250 HU more than lung; vessels end 5 mm before them."""
    sheets = [np.broadcast_to(above_oblique(place, side), image.shape)]
    if side < 0:
        above = np.broadcast_to(above_horizontal(place), image.shape)
        sheets.append(np.where(sheets[0] > 0, above, 99.0))
    for away in sheets:
        near = lung & (np.abs(away) < 5)
        image[near & (image < -300)] = np.minimum(image[near & (image < -300)], LUNG)
    for away in sheets:
        share = np.exp(-((away / 1.4) ** 2) / 2) * lung
        image += np.where(image < -400, 170 * share, 0).astype(np.float32)


def _draw_vessels(image: ndarray, place: tuple, side: int, lung: ndarray, look: tuple) -> None:
    """A tree of tubes from the root of the lung; thick ones near it, none beyond the lung."""
    hu, edge, rng = look
    hilum = np.array(RIGHT_HILUM if side < 0 else LEFT_HILUM)
    tips = [(hilum, np.array([side * 1.0, 0.0, 0.0]), 5.0, 34.0)]
    share = np.zeros(image.shape, np.float32)
    inside = np.clip(0.5 - (lung + 4) / edge, 0, 1)
    for _ in range(4):
        grown = []
        for start, along, radius, length in tips:
            for _ in range(2):
                turn = along + 0.75 * rng.normal(size=3)
                turn /= np.linalg.norm(turn)
                end = start + turn * length
                _add_tube(share, place, (start, end), radius, edge)
                grown.append((end, turn, radius * 0.66, length * 0.82))
        tips = grown
    image += share * inside * (hu - image)


def _add_tube(share: ndarray, place: tuple, ends: tuple, radius: float, edge: float) -> None:
    """Add the share of voxels in a tube; only near it."""
    low, high = np.minimum(*ends) - radius - edge, np.maximum(*ends) + radius + edge
    box = []
    for axis, dimension in ((2, 0), (1, 1), (0, 2)):
        line = place[axis].reshape(-1) if place[axis].size == share.shape[dimension] else None
        if line is None:
            box.append(slice(None))
            continue
        near = np.flatnonzero((line >= low[axis]) & (line <= high[axis]))
        if not near.size:
            return
        box.append(slice(int(near[0]), int(near[-1]) + 1))
    near_place = tuple(_cut(p, box, share.shape) for p in place)
    width = max(edge, 1e-3)
    away = _capsule(near_place, *ends, radius)
    part = np.clip(0.5 - away / width, 0, 1) * min(1.0, (2 * radius / width) ** 2 + 0.15)
    np.maximum(share[tuple(box)], part, out=share[tuple(box)])


def _cut(values: ndarray, box: list, shape: tuple) -> ndarray:
    return values[
        tuple(s if n > 1 else slice(None) for s, n in zip(box, values.shape, strict=True))
    ]


def _draw_middle(image: ndarray, place: tuple, edge: float, chest: Chest) -> None:
    """Heart, aorta, fluid, and the trachea with both main bronchi."""
    x, y, z = place
    _paint(image, _ellipsoid(place, (26, -28, -72), (49, 43, 49)), chest.blood_hu, edge)
    aorta = np.maximum(np.hypot(x - 24, y - 52) - 11.5, np.abs(z + 60) - 100)
    _paint(image, aorta, chest.blood_hu, edge)
    airway = np.maximum(np.hypot(x, y - 14) - 8.5, -z)
    for side in (-1, 1):
        ends = np.array([0.0, 14.0, 0.0]), np.array([side * 34.0, 16.0, -32.0])
        _paint(image, np.maximum(_capsule(place, *ends, 8.0), 0), MUSCLE, edge)
        airway = np.minimum(airway, _capsule(place, *ends, 6.0))
    _paint(image, np.maximum(np.hypot(x, y - 14) - 10.5, -z), MUSCLE, edge)
    _paint(image, airway, AIR, edge)


def _draw_belly(image: ndarray, place: tuple, edge: float) -> None:
    """Gas in the stomach, and stool in the colon."""
    _paint(image, _ellipsoid(place, (70, -45, -160), (28, 20, 16)), AIR, edge)
    gut = _ellipsoid(place, (105, 10, -185), (16, 22, 40))
    _paint(image, gut, -450.0, edge)


def _draw_table(image: ndarray, place: tuple, edge: float) -> None:
    x, y, z = place
    low = 126 + 0 * z - 0.0009 * x**2
    _paint(image, np.maximum(np.abs(y - low - 14) - 12, np.abs(x) - 195), -940.0, edge)
    for depth in (2.0, 26.0):
        _paint(image, np.maximum(np.abs(y - low - depth) - 1.5, np.abs(x) - 195), -150.0, edge)


def _draw_metal(image: ndarray, place: tuple, edge: float) -> None:
    """A pacemaker on the left chest, with streaks."""
    x, y, z = place
    box = np.maximum(np.maximum(np.abs(x - 75), np.abs(z - 80)) - 18, np.abs(y + 92) - 5)
    angle = np.arctan2(y + 92, x - 75)
    fades = np.exp(-np.hypot(x - 75, y + 92) / 70) * (np.abs(z - 80) < 20)
    image += (350 * np.cos(13 * angle) * fades).astype(np.float32)
    _paint(image, box, METAL, edge)


def _draw_ball(image: ndarray, grid: Grid, ball: Ball, scale: float) -> None:
    center = np.array(ball.center_mm) * scale
    sizes = [(ball.diameter_mm, ball.hu)]
    if ball.core_mm:
        sizes.append((ball.core_mm, 30.0))
    for diameter, hu in sizes:
        share, box = ball_share(grid, center, diameter * scale)
        image[box] += (share * (hu - image[box])).astype(np.float32)


def _outside_field(grid: Grid) -> ndarray:
    rows, columns = np.ogrid[: grid.shape[1], : grid.shape[2]]
    middle = (np.array(grid.shape[1:]) - 1) / 2
    radius = min(grid.shape[1:]) / 2
    away = np.hypot(rows - middle[0], columns - middle[1]) > radius
    return np.broadcast_to(away, grid.shape)
