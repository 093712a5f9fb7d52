"""NRRD, the format of labels that viewers of MONAI Label ask for: written, not read."""

import gzip

import numpy as np
from jaxtyping import Integer
from numpy import ndarray

from medloop.core.geometry import Grid

_TYPES = {"uint8": "uint8", "uint16": "uint16", "int16": "int16"}


def to_nrrd(
    array: Integer[ndarray, "k j i"], grid: Grid, *, is_compressed: bool = True
) -> bytes:
    """Write labels on their grid, x fastest, in patient LPS millimetres.

    Definition of NRRD File Format (teem.sourceforge.net/nrrd/format.html), version NRRD0004.

    Raises
    ------
    ValueError
        If the array holds neither uint8, uint16 nor int16.
    """
    kind = _TYPES.get(array.dtype.name)
    if kind is None:
        raise ValueError(f"labels are {array.dtype.name}, not one of {', '.join(_TYPES)}")
    columns = [_vector(grid.affine[:3, axis]) for axis in (2, 1, 0)]
    lines = [
        "NRRD0004",
        f"type: {kind}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(str(n) for n in array.shape[::-1])}",
        f"space directions: {' '.join(columns)}",
        "kinds: domain domain domain",
        "endian: little",
        f"encoding: {'gzip' if is_compressed else 'raw'}",
        f"space origin: {_vector(grid.affine[:3, 3])}",
    ]
    head = "\n".join(lines).encode("ascii") + b"\n\n"
    data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return head + (gzip.compress(data, 6, mtime=0) if is_compressed else data)


def _vector(values: ndarray) -> str:
    return f"({','.join(format(float(value), '.17g') for value in values)})"
