"""What pixels and voxels hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jaxtyping import Integer, Shaped, UInt8
from numpy import ndarray

from medloop.core.code import Code
from medloop.core.errors import GeometryError
from medloop.core.geometry import Grid


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A scalar image on a grid, in a stated unit (``"HU"``, ``"SUVbw"``, ``"1"``)."""

    array: Shaped[ndarray, "k j i"]
    grid: Grid
    unit: str

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape:
            raise GeometryError(f"array is {self.array.shape}, grid is {self.grid.shape}")

    def with_array(
        self, array: Shaped[ndarray, "k j i"], *, unit: str | None = None
    ) -> "Volume":
        """Return new values in the same place."""
        return replace(self, array=array, unit=unit or self.unit)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A photograph: rows down, columns right; RGB, or gray without a third axis.

    `array` is uint8 or uint16. `spacing_mm` is (row, column) distance where the source knew it.
    """

    array: Shaped[ndarray, "y x *c"]
    spacing_mm: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.array.ndim not in (2, 3) or (self.array.ndim == 3 and self.array.shape[2] != 3):
            raise GeometryError(f"a picture is (y, x) or (y, x, 3), got {self.array.shape}")

    @property
    def is_color(self) -> bool:
        """Whether there are red, green and blue."""
        return self.array.ndim == 3

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.array.shape[0], self.array.shape[1]


@dataclass(frozen=True, slots=True)
class Segment:
    """What one label stands for. `category` and `concept` are coded; `color` is sRGB."""

    name: str
    category: Code
    concept: Code
    color: tuple[int, int, int]
    site: Code | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """Integer labels and what they stand for; 0 is background.

    `array` is (k, j, i) on `grid`, or (y, x) on the pixels of a picture when `grid` is None.
    """

    array: Integer[ndarray, "*shape"]
    segments: Mapping[int, Segment]
    grid: Grid | None = None

    def __post_init__(self) -> None:
        expected = self.array.shape[:2] if self.grid is None else self.grid.shape
        if self.array.shape != expected:
            raise GeometryError(f"labels are {self.array.shape}, expected {expected}")


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """Where a decision came from: 0..255 on the pixels of the image it explains.

    One that explains a part of a volume is of a box that begins at voxel `low`.
    """

    name: str
    array: UInt8[ndarray, "*shape"]
    method: str
    explains: Mapping[str, str | int] = field(default_factory=dict)
    low: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A box of an image, 0..255 in each of its voxels: it begins at `low` of `shape` voxels.

    The whole fills the same space as the image, perhaps with fewer voxels.
    """

    array: UInt8[ndarray, "*size"]
    low: tuple[int, ...]
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        sizes = (self.array.shape, self.low, self.shape)
        is_inside = len({len(each) for each in sizes}) == 1 and all(
            low >= 0 and low + size <= whole for size, low, whole in zip(*sizes, strict=True)
        )
        if not is_inside:
            raise GeometryError(
                f"a box of {self.array.shape} at {self.low} does not lie in {self.shape}"
            )
