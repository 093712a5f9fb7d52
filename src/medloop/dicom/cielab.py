"""Display colors: sRGB, and the CIELab words of DICOM (PS3.3 C.10.7.1.1)."""

from collections.abc import Sequence
from typing import Final

import numpy as np

# Linear sRGB to XYZ, adapted (Bradford) to D50, the white of the profile connection space.
_TO_XYZ: Final = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_D50: Final = np.array([0.96422, 1.0, 0.82521])
_LOWEST: Final = np.array([0.0, -128.0, -128.0])
_RANGE: Final = np.array([100.0, 255.0, 255.0])
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27  # CIE 15: where the cube root begins


def to_cielab(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """Convert sRGB 0..255 to L*a*b* scaled to 0..65535."""
    rgb = np.array(color, float) / 255
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    ratio = _TO_XYZ @ linear / _D50
    f = np.where(ratio > _EPSILON, np.cbrt(ratio), (_KAPPA * ratio + 16) / 116)
    lab = np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])
    scaled = (lab - _LOWEST) / _RANGE * 65535
    lightness, a, b = np.round(np.clip(scaled, 0, 65535)).astype(int).tolist()
    return lightness, a, b


def to_srgb(lab: Sequence[int]) -> tuple[int, int, int]:
    """Convert scaled L*a*b* back to sRGB 0..255."""
    scaled = np.array([float(v) for v in lab]) / 65535
    lightness, a, b = scaled * _RANGE + _LOWEST
    middle = (lightness + 16) / 116
    f = np.array([middle + a / 500, middle, middle - b / 200])
    ratio = np.where(f**3 > _EPSILON, f**3, (116 * f - 16) / _KAPPA)
    linear = np.clip(np.linalg.solve(_TO_XYZ, ratio * _D50), 0, 1)
    gamma = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, linear * 12.92)
    red, green, blue = np.round(gamma * 255).astype(int).tolist()
    return red, green, blue
