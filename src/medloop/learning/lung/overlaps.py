"""Which patches show a place in a scan: nobody shall learn from what is measured on."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray
from scipy.spatial import cKDTree

from medloop.learning.lung.cases import LungCase

_PARTS: Final = 5  # blocks along a side
_NEAR: Final = 14.0  # between block means, in gray levels, all together
_SAME: Final = 0.95  # correlation of what is the same but for compression
_LOW_HU, _SPAN_HU = -1000.0, 1400.0


def shown_in(
    patches: UInt8[ndarray, "n 50 50"], cases: Sequence[LungCase]
) -> Bool[ndarray, " n"]:
    """Tell which axial patches were cut from one of the cases, at its own pixels.

    Candidates agree in the means of 5 x 5 blocks, found by a k-d tree at every place of every
    slice of lung; then the pixels must correlate. `patches` are 0..255 for -1000 to 400 HU.
    """
    side = patches.shape[1]
    block = side // _PARTS
    means = patches.reshape(-1, _PARTS, block, _PARTS, block).mean((2, 4))
    tree = cKDTree(means.reshape(len(patches), -1))
    shown = np.zeros(len(patches), bool)
    for case in cases:
        for hu, lung in zip(case.hu, case.lungs, strict=True):
            gray = np.clip((hu.astype(np.float32) - _LOW_HU) / _SPAN_HU, 0, 1) * 255
            _search(gray, lung, patches, tree, shown, block)
    return shown


def _search(
    gray: Float32[ndarray, "j i"],
    lung: UInt8[ndarray, "j i"],
    patches: UInt8[ndarray, "n y x"],
    tree: cKDTree,
    shown: Bool[ndarray, " n"],
    block: int,
) -> None:
    """Mark the patches that this slice shows."""
    side, half = patches.shape[1], patches.shape[1] // 2
    near = cv2.dilate((lung > 0).astype(np.uint8), np.ones((9, 9), np.uint8))
    y, x = np.nonzero(near[half : gray.shape[0] - half, half : gray.shape[1] - half])
    if not len(y):
        return
    means = cv2.blur(gray, (block, block), borderType=cv2.BORDER_REPLICATE)
    middle = block // 2 + block * np.arange(_PARTS)
    seen = np.stack([means[y + a, x + b] for a in middle for b in middle], axis=-1)
    far, which = tree.query(seen, distance_upper_bound=_NEAR)
    for n in np.flatnonzero(np.isfinite(far)):
        patch = which[n]
        if shown[patch]:
            continue
        cut = gray[y[n] : y[n] + side, x[n] : x[n] + side]
        shown[patch] = np.corrcoef(cut.ravel(), patches[patch].ravel())[0, 1] > _SAME
