"""Labelled data in the layouts people have: described, checked, split, read."""

from medloop.learning.data.check import check, problems_of
from medloop.learning.data.description import CaseSource, Dataset, Kind, Task
from medloop.learning.data.labels import Boxes, read_boxes, read_mask
from medloop.learning.data.pixels import Image, read_image
from medloop.learning.data.recognize import open_dataset
from medloop.learning.data.split import Split, make_split, read_split, write_split
from medloop.learning.data.survey import Facts, Problem, Severity, survey

__all__ = [
    "Boxes",
    "CaseSource",
    "Dataset",
    "Facts",
    "Image",
    "Kind",
    "Problem",
    "Severity",
    "Split",
    "Task",
    "check",
    "make_split",
    "open_dataset",
    "problems_of",
    "read_boxes",
    "read_image",
    "read_mask",
    "read_split",
    "survey",
    "write_split",
]
