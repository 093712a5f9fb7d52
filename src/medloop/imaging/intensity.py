"""Intensity transforms."""

import numpy as np

from medloop.core.image import Volume


def window(volume: Volume, *, center: float, width: float) -> Volume:
    """Clip to a display window and scale to 0..1.

    Parameters
    ----------
    volume
        Image in the same unit as `center` and `width`.
    center, width
        Middle and full width of the window; -600 and 1500 HU show lung.

    Raises
    ------
    ValueError
        If `width` is not positive.
    """
    if width <= 0:
        raise ValueError(f"width must be positive, got {width}")
    low = center - width / 2
    scaled = (volume.array.astype(np.float32) - low) / width
    return volume.with_array(np.clip(scaled, 0, 1), unit="1")
