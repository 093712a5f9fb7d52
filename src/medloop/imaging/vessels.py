"""The retina at a working size: light without vessels, and vessels without light."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from medloop.imaging.fundus import Field, flatten

WORKING_RADIUS_PX = 160.0
_DIRECTIONS = 12


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The field at a working size, and what the detectors read from it."""

    rgb: UInt8[ndarray, "y x 3"]
    field: Field
    factor: float
    origin_px: tuple[int, int]
    vessels: Float[ndarray, "y x"]  # 0..1
    light: Float[ndarray, "y x"]  # log brightness without vessels

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """Carry a place from the working copy to the picture."""
        return (
            (x + 0.5) / self.factor - 0.5 + self.origin_px[0],
            (y + 0.5) / self.factor - 0.5 + self.origin_px[1],
        )

    def to_view(self, x: float, y: float) -> tuple[float, float]:
        """Carry a place from the picture to the working copy."""
        return (
            (x - self.origin_px[0] + 0.5) * self.factor - 0.5,
            (y - self.origin_px[1] + 0.5) * self.factor - 0.5,
        )


def crop_to(
    rgb: UInt8[ndarray, "y x 3"], field: Field, *, radius_px: float
) -> tuple[UInt8[ndarray, "v u 3"], Field, float]:
    """Crop to the box, resize to a field radius; also return the field there, the factor."""
    x0, y0, x1, y1 = field.box
    factor = radius_px / field.radius_px
    size = max(8, round((x1 - x0) * factor)), max(8, round((y1 - y0) * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(rgb[y0:y1, x0:x1], size, interpolation=method), np.uint8)
    cx, cy = field.center_px
    center = ((cx - x0 + 0.5) * factor - 0.5, (cy - y0 + 0.5) * factor - 0.5)
    return small, Field(center, radius_px, (0, 0, *size), field.roundness), factor


def open_view(rgb: UInt8[ndarray, "y x 3"], field: Field) -> View:
    """Crop to the field and bring its radius to `WORKING_RADIUS_PX`."""
    small, inner, factor = crop_to(rgb, field, radius_px=WORKING_RADIUS_PX)
    light = _light(small, inner)
    return View(small, inner, factor, field.box[:2], find_vessels(small, inner), light)


def find_vessels(rgb: UInt8[ndarray, "y x 3"], field: Field) -> Float[ndarray, "y x"]:
    """Score dark line structures of the green channel, 0 to 1.

    Response of the larger Hessian eigenvalue at three widths (Frangi 1998), on the flattened
    channel; 1 is a vessel of 12 % contrast.
    """
    flat = flatten(np.ascontiguousarray(rgb[..., 1]), field, sigma=0.15)
    response = np.zeros_like(flat)
    for sigma in (0.008, 0.013, 0.02):
        s = sigma * field.radius_px
        smooth = cv2.GaussianBlur(flat, (0, 0), s)
        xx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=3) / 4
        yy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=3) / 4
        xy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=3) / 4
        root = np.sqrt((xx - yy) ** 2 / 4 + xy**2)
        across, along = (xx + yy) / 2 + root, (xx + yy) / 2 - root
        line = np.maximum(across - np.maximum(np.abs(along), 0), 0) * s**2
        response = np.maximum(response, line)
    rim = field.mask(flat.shape, shrink=0.94)
    return np.where(rim, np.clip(response / 0.05, 0, 1), 0).astype(np.float32)


def _light(rgb: UInt8[ndarray, "y x 3"], field: Field) -> Float[ndarray, "y x"]:
    """Log brightness of red and green with the vessels closed over."""
    size = 2 * int(0.035 * field.radius_px) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    closed = cv2.morphologyEx(rgb, cv2.MORPH_CLOSE, kernel).astype(np.float32)
    light = np.log(closed[..., 1] + 8) + 0.35 * np.log(closed[..., 0] + 8)
    return np.asarray(cv2.GaussianBlur(light, (0, 0), 0.01 * field.radius_px))


def convergence(view: View) -> Float[ndarray, "y x"]:
    """How many vessels, from how many directions, point at each place."""
    radius = view.field.radius_px
    half = 0.5  # of the working size is enough to see where vessels point
    rows, columns = view.vessels.shape
    size = max(1, round(columns * half)), max(1, round(rows * half))
    small = cv2.resize(view.vessels, size, interpolation=cv2.INTER_AREA)
    gx = cv2.Sobel(small, cv2.CV_32F, 1, 0, ksize=3)
    gy = cv2.Sobel(small, cv2.CV_32F, 0, 1, ksize=3)
    jxx, jyy, jxy = (cv2.GaussianBlur(p, (0, 0), 2) for p in (gx * gx, gy * gy, gx * gy))
    along = 0.5 * np.arctan2(2 * jxy, jxx - jyy) + np.pi / 2  # across the gradient
    bins = np.floor((along % np.pi) / np.pi * _DIRECTIONS).astype(int) % _DIRECTIONS
    reach = int(0.45 * radius * half)
    total = np.zeros_like(small)
    for k in range(_DIRECTIONS):
        angle = (k + 0.5) * np.pi / _DIRECTIONS
        kernel = _line(reach, angle)
        votes = cv2.filter2D(
            np.where(bins == k, small, 0).astype(np.float32),
            cv2.CV_32F,
            kernel,
            borderType=cv2.BORDER_CONSTANT,
        )
        total += np.sqrt(np.maximum(votes, 0))
    total = cv2.GaussianBlur(total, (0, 0), 0.03 * radius * half)
    return np.asarray(cv2.resize(total, (columns, rows)))


def _line(reach: int, angle: float) -> Float[ndarray, "n n"]:
    """Draw a line through the middle of a kernel, thickened with distance."""
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    along = np.abs(x * np.cos(angle) + y * np.sin(angle))
    off = np.abs(-x * np.sin(angle) + y * np.cos(angle))
    width = 1 + along * np.tan(np.pi / _DIRECTIONS / 2)
    kernel = np.exp(-((off / width) ** 2)) / width * (along <= reach)
    return np.asarray(kernel / kernel.sum(), np.float32)
