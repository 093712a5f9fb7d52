"""Random changes of images and of what is marked in them: draw, then apply."""

from medloop.learning.transforms.intensity import IntensityChange, IntensityRanges
from medloop.learning.transforms.places import move_boxes, move_points
from medloop.learning.transforms.resample import Sampling, resample
from medloop.learning.transforms.sample import Augmentation, Ranges, Sample, apply, draw
from medloop.learning.transforms.spatial import SpatialRanges, draw_warp
from medloop.learning.transforms.warp import Warp

__all__ = [
    "Augmentation",
    "IntensityChange",
    "IntensityRanges",
    "Ranges",
    "Sample",
    "Sampling",
    "SpatialRanges",
    "Warp",
    "apply",
    "draw",
    "draw_warp",
    "move_boxes",
    "move_points",
    "resample",
]
