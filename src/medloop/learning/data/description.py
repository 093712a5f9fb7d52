"""What a folder of labelled images holds, without any of its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from medloop.core.study import Series


class Task(StrEnum):
    """What the labels of a data set ask of a network."""

    SEGMENTATION = "segmentation"
    CLASSIFICATION = "classification"
    DETECTION = "detection"


class Kind(StrEnum):
    """How many axes of an image are space."""

    FLAT = "2-D"
    SOLID = "3-D"


TEST = "test"  # the name of the split that is never trained on


@dataclass(frozen=True, slots=True)
class Channel:
    """Where the pixels of one channel lie.

    Attributes
    ----------
    path
        A file, or the folder of a DICOM series.
    member
        Name of the array in an ``.npz``; empty otherwise.
    index
        Channel of a 4-D NIfTI, or row of an array in an ``.npz``.
    series
        The series, where the pixels are DICOM.
    """

    path: Path
    member: str = ""
    index: int | None = None
    series: Series | None = None


@dataclass(frozen=True, slots=True)
class Mask:
    """A file of whole numbers on the pixels of the image."""

    path: Path


@dataclass(frozen=True, slots=True)
class Bits:
    """Whole numbers whose bits are structures; `values` maps a bit to the value of a class.

    Where structures overlap, the class that stands later in `values` wins.
    """

    path: Path
    values: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class DicomSegmentation:
    """A DICOM SEG; `numbers` maps a segment number in the file to the value of a class."""

    path: Path
    numbers: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Contours:
    """An RTSTRUCT; `values` maps a structure's name in the file to the value of a class.

    Where structures overlap, the class that stands later in `values` wins.
    """

    path: Path
    values: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Grades:
    """A class, a grade on each of several scales, or 0 and 1 for each of several findings."""

    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """One object in a picture, in pixels whose corners, not centers, are whole numbers.

    `polygons` are closed, each (x, y, x, y, ...); `runs` is COCO's run-length code as JSON.
    """

    value: int
    low_xy: tuple[float, float]
    high_xy: tuple[float, float]
    polygons: tuple[tuple[float, ...], ...] = ()
    runs: str = ""


@dataclass(frozen=True, slots=True)
class Shapes:
    """The objects in a picture; `source` is the file that lists them."""

    source: Path
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Ball:
    """A round object in space: center in LPS mm, diameter in mm."""

    value: int
    center_lps_mm: tuple[float, float, float]
    diameter_mm: float


@dataclass(frozen=True, slots=True)
class Balls:
    """The round objects in a volume; `source` is the file that lists them."""

    source: Path
    balls: tuple[Ball, ...]


Label = Mask | Bits | DicomSegmentation | Contours | Grades | Shapes | Balls


@dataclass(frozen=True, slots=True)
class CaseSource:
    """One image with its label, by reference.

    Attributes
    ----------
    name
        Identifies the case within its data set.
    patient
        Who it shows; cases of one patient never part. The name of the case where unknown.
    channels
        In the order of the data set's channels; one color picture stands for three.
    label
        None where nobody labelled it.
    site
        Hospital or scanner, where the data say so.
    split
        The part that the data themselves assign it to, such as ``train`` or ``test``.
    """

    name: str
    patient: str
    kind: Kind
    channels: tuple[Channel, ...]
    label: Label | None = None
    site: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A labelled data set in any of the layouts that are read.

    Attributes
    ----------
    layout
        What the folder was recognized as, in words.
    channels
        Their names, such as ``("T1", "FLAIR")`` or ``("red", "green", "blue")``.
    classes
        The values in masks, or of the label, that make each class. Background, 0 in masks, is
        no class; one value may belong to several (regions that contain each other).
    ignored
        Value in masks of pixels that nobody labelled.
    findings
        Names of the findings, or scales, where a label holds several values.
    remarks
        What was guessed or left out when the folder was read, a line each.
    is_partial
        Whether a class that a mask lacks was not drawn, rather than is absent.
    numbers
        What the data call each class in tables of objects, in order; 1, 2, ... where empty.
    blank
        Value of voxels of an image that its publisher left out.
    """

    name: str
    layout: str
    root: Path
    task: Task
    channels: tuple[str, ...]
    classes: Mapping[str, tuple[int, ...]]
    cases: tuple[CaseSource, ...]
    ignored: int | None = None
    findings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = field(default=())
    is_partial: bool = False
    blank: float | None = None
    numbers: tuple[int, ...] = ()

    @property
    def kind(self) -> Kind:
        """3-D as soon as one case is."""
        solid = any(case.kind is Kind.SOLID for case in self.cases)
        return Kind.SOLID if solid else Kind.FLAT

    @property
    def trainable(self) -> tuple[CaseSource, ...]:
        """The labelled cases outside the test part."""
        return tuple(c for c in self.cases if c.split != TEST and c.label is not None)

    def describe(self) -> str:
        """Say in one line what was recognized."""
        labelled = sum(case.label is not None for case in self.cases)
        classes = ", ".join(
            f"{'+'.join(map(str, values))} {name}" for name, values in self.classes.items()
        )
        return (
            f"{self.name}: {self.layout}; {self.task}, {len(self.cases)} cases"
            f" ({labelled} labelled), {self.kind}, channels {', '.join(self.channels)};"
            f" classes {classes or 'none'}"
        )
