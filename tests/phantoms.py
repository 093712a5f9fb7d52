"""Pictures and volumes whose truth is known, because we drew them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy import ndarray

from medloop.core.image import Picture

LESION_KINDS = ("MA", "HE", "EX", "SE")


@dataclass(frozen=True, slots=True)
class Lesion:
    """A round lesion: `kind` MA, HE, EX or SE, center [x, y] in pixels, radius in pixels."""

    kind: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True, eq=False)
class Fundus:
    """A drawn fundus photograph and where everything in it is, as [x, y] pixel centers."""

    picture: Picture
    field: ndarray  # bool (y, x): inside the camera's field of view
    field_center_px: tuple[float, float]
    field_radius_px: float
    disc_center_px: tuple[float, float]
    disc_radius_px: float
    fovea_center_px: tuple[float, float]
    masks: Mapping[str, ndarray]  # bool (y, x) for MA, HE, EX, SE, OD
    lesions: tuple[Lesion, ...]


def some_lesions(size: tuple[int, int] = (712, 1072)) -> tuple[Lesion, ...]:
    """A few lesions of each kind that keep clear of disc, fovea and each other."""
    height, width = size
    unit = height / 712

    def at(kind: str, dx: float, dy: float, radius: float) -> Lesion:
        """Place by offset from the picture's center, in units of the field's radius."""
        reach = _field_radius(size)
        return Lesion(
            kind, width / 2 - 0.5 + dx * reach, height / 2 - 0.5 + dy * reach, radius * unit
        )

    return (
        at("MA", -0.30, -0.25, 3),
        at("MA", -0.12, 0.24, 3),
        at("MA", -0.45, 0.30, 3),
        at("MA", 0.30, 0.72, 3),
        at("MA", 0.22, -0.30, 3),
        at("HE", -0.55, -0.40, 9),
        at("HE", -0.20, 0.42, 12),
        at("HE", 0.05, -0.45, 8),
        at("EX", -0.12, -0.22, 6),
        at("EX", -0.20, -0.14, 5),
        at("EX", -0.30, 0.12, 7),
        at("SE", 0.15, 0.42, 14),
    )


def a_fundus(
    size: tuple[int, int] = (712, 1072),
    *,
    lesions: Sequence[Lesion] | None = None,
    right_eye: bool = True,
    blur_px: float = 0.0,
    seed: int = 0,
) -> Fundus:
    """Draw a fundus photograph: dark surround, orange field, disc, fovea, vessels, lesions.

    The disc lies nasally: right of the center in a right eye. `lesions` None draws
    `some_lesions`, an empty sequence none. `blur_px` is the sigma of a defocused camera.
    """
    height, width = size
    rng = np.random.default_rng(seed)
    lesions = some_lesions(size) if lesions is None else tuple(lesions)
    radius = _field_radius(size)
    center = (width / 2 - 0.5, height / 2 - 0.5)
    side = 1 if right_eye else -1
    disc, disc_radius = (
        (center[0] + side * 0.52 * radius, center[1] - 0.02 * radius),
        0.125 * radius,
    )
    fovea = (center[0] - side * 0.08 * radius, center[1] + 0.05 * radius)

    field = _disk(size, center, radius)
    canvas = _background(size, center, radius, rng)
    macula = np.exp(-(_distance(size, fovea) ** 2) / (2 * (0.14 * radius) ** 2))[..., None]
    canvas *= 1 - 0.35 * macula
    nerve = _soft(_distance(size, disc), disc_radius, edge=0.12 * disc_radius)[..., None]
    canvas = canvas * (1 - nerve) + np.array([250.0, 215.0, 140.0]) * nerve
    _draw_vessels(canvas, disc, radius, side=side, rng=rng)
    masks = {kind: np.zeros(size, bool) for kind in LESION_KINDS}
    for lesion in lesions:
        canvas = _paint(canvas, lesion)
        masks[lesion.kind] |= _disk(size, (lesion.x, lesion.y), lesion.radius)
    if blur_px > 0:
        canvas = cv2.GaussianBlur(canvas, (0, 0), blur_px)
    canvas += rng.normal(0, 1.5, canvas.shape)
    canvas[~field] = rng.uniform(0, 4, (int((~field).sum()), 1))
    masks["OD"] = _disk(size, disc, disc_radius)
    return Fundus(
        picture=Picture(np.clip(canvas, 0, 255).astype(np.uint8)),
        field=field,
        field_center_px=center,
        field_radius_px=radius,
        disc_center_px=disc,
        disc_radius_px=disc_radius,
        fovea_center_px=fovea,
        masks=masks,
        lesions=lesions,
    )


_INK = {
    "MA": (150.0, 30.0, 20.0),
    "HE": (115.0, 20.0, 15.0),
    "EX": (250.0, 235.0, 120.0),
    "SE": (240.0, 225.0, 190.0),
}


def _field_radius(size: tuple[int, int]) -> float:
    height, width = size
    return 0.48 * min(height, width)


def _distance(size: tuple[int, int], center: tuple[float, float]) -> ndarray:
    rows, columns = np.ogrid[: size[0], : size[1]]
    return np.hypot(columns - center[0], rows - center[1])


def _disk(size: tuple[int, int], center: tuple[float, float], radius: float) -> ndarray:
    return _distance(size, center) <= radius


def _soft(distance: ndarray, radius: float, *, edge: float) -> ndarray:
    """1 inside, 0 outside, a ramp `edge` pixels wide between."""
    return np.clip((radius + edge / 2 - distance) / edge, 0, 1)


def _background(
    size: tuple[int, int], center: tuple[float, float], radius: float, rng: np.random.Generator
) -> ndarray:
    """Orange retina, a little darker to the rim, with the mottling of the choroid."""
    shade = 1 - 0.35 * (_distance(size, center) / radius) ** 2
    coarse = rng.normal(0, 1, (max(size[0] // 24, 2), max(size[1] // 24, 2)))
    mottle = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.array([205.0, 98.0, 48.0]) * (shade * (1 + 0.02 * mottle))[..., None]


def _draw_vessels(
    canvas: ndarray,
    disc: tuple[float, float],
    radius: float,
    *,
    side: int,
    rng: np.random.Generator,
) -> None:
    """Two arcades that bend around the macula, and nasal branches; painted into `canvas`."""
    t = np.linspace(0, 1, 160)
    for sign in (-1, 1):
        for reach, swing, thick in (
            (1.25, 0.62, 0.022),
            (0.95, 0.85, 0.014),
            (-0.5, 0.6, 0.015),
        ):
            wiggle = 0.012 * np.sin(2 * np.pi * (3 * t + rng.uniform()))
            x = disc[0] - side * reach * radius * t
            y = disc[1] + sign * radius * (swing * np.sin(np.pi * np.clip(t, 0, 0.62)) + wiggle)
            color = (150.0, 45.0, 25.0) if thick > 0.014 else (170.0, 55.0, 30.0)
            for n in range(len(t) - 1):
                width = max(1, round(2 * thick * radius * (1 - 0.75 * t[n])))
                start, end = (round(x[n]), round(y[n])), (round(x[n + 1]), round(y[n + 1]))
                cv2.line(canvas, start, end, color, width, cv2.LINE_AA)


def _paint(canvas: ndarray, lesion: Lesion) -> ndarray:
    """Blend one lesion in: sharp edges, but fluffy ones for soft exudates."""
    edge = lesion.radius if lesion.kind == "SE" else max(1.0, 0.3 * lesion.radius)
    distance = _distance(canvas.shape[:2], (lesion.x, lesion.y))
    alpha = 0.9 * _soft(distance, lesion.radius, edge=edge)[..., None]
    return canvas * (1 - alpha) + np.array(_INK[lesion.kind]) * alpha
