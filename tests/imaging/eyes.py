"""Drawn fundus photographs whose truth is known, because we drew it."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Eye:
    """A right eye: the disc lies to the right of the fovea. Pixels of a `side` px square."""

    side: int = 600
    center: tuple[float, float] = (299.5, 299.5)
    radius: float = 280.0
    disc: tuple[float, float] = (430.0, 290.0)
    disc_radius: float = 36.0
    fovea: tuple[float, float] = (250.0, 310.0)
    size: tuple[int, int] = (600, 600)


def draw_eye(eye: Eye = Eye(), *, seed: int = 0) -> np.ndarray:
    """Draw retina, disc, fovea and a tree of vessels that leaves the disc."""
    y, x = np.mgrid[: eye.size[0], : eye.size[1]].astype(np.float32)
    image = np.empty((*eye.size, 3), np.float32)
    image[:] = (170, 85, 40)
    from_disc = np.hypot(x - eye.disc[0], y - eye.disc[1])
    rim = 1 / (1 + np.exp(np.clip((from_disc - eye.disc_radius) / 1.5, -50, 50)))
    image += rim[..., None] * np.array((75, 110, 90))
    from_fovea = np.hypot(x - eye.fovea[0], y - eye.fovea[1])
    spot = np.exp(-((from_fovea / (0.9 * eye.disc_radius)) ** 2))
    image *= 1 - 0.35 * spot[..., None]
    vessels = np.zeros(eye.size, np.float32)
    turn = np.sign(eye.fovea[0] - eye.disc[0])
    for up in (-1, 1):
        for reach in (0.6, 1.0, 1.4):
            _arcade(vessels, eye, up=up, turn=turn, reach=reach)
            _arcade(vessels, eye, up=up, turn=-turn, reach=reach)
    vessels = cv2.GaussianBlur(vessels, (0, 0), 1.0)
    image *= 1 - vessels[..., None] * np.array((0.25, 0.5, 0.4))
    image += np.random.default_rng(seed).normal(0, 2, image.shape)
    outside = np.hypot(x - eye.center[0], y - eye.center[1]) > eye.radius
    image[outside] = 0
    return np.clip(image, 0, 255).astype(np.uint8)


def _arcade(canvas: np.ndarray, eye: Eye, *, up: int, turn: float, reach: float) -> None:
    t = np.linspace(0, 1, 60)
    x = eye.disc[0] + turn * eye.radius * 0.9 * reach * t**1.4
    y = eye.disc[1] + up * eye.radius * 0.55 * reach * np.sqrt(t) * (1.25 - 0.35 * t)
    line = np.stack([x, y], axis=1).round().astype(np.int32)
    cv2.polylines(canvas, [line], isClosed=False, color=1.0, thickness=4)
