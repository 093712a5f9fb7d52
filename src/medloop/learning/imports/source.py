"""What is read from another program's folder, and how its files are opened safely."""

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from medloop.core.errors import FOREIGN_ERRORS, InputError
from medloop.learning.imports.frame import Frame
from medloop.models.segmentation_plan import SegmentationPlan

FREE: Final = 1e30  # a limit of intensity that limits nothing

# numpy scalars stand beside the weights in checkpoints; anything else is not unpickled.
_SCALARS: Final[list[Any]] = [  # classes, and functions by the name they had
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float64", "float32", "int64", "int32", "bool")),
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
]


@dataclass(frozen=True, slots=True, eq=False)
class Foreign:
    """Networks another program trained, with all that a bundle needs beside them.

    `frame` is that of the networks' arrays; None where it is ours already.
    """

    networks: Sequence[nn.Module]
    plan: SegmentationPlan
    frame: Frame | None
    title: str
    version: str
    license: str
    origin: str
    limits: tuple[str, ...]
    files: Mapping[str, str]  # SHA-256 by name
    is_script: bool = False


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; `InputError` names the file if it is none."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as why:
        raise InputError(f"{path} is missing") from why
    except (OSError, ValueError, RecursionError) as why:
        raise InputError(f"{path} is not JSON: {type(why).__name__}") from why
    if not isinstance(raw, dict):
        raise InputError(f"{path} holds no JSON object")
    return raw


def read_tensors(path: Path) -> dict[str, Any]:
    """Read a torch file of tensors and plain values; nothing in it is run.

    Raises
    ------
    InputError
        If it is damaged, or holds objects of other kinds.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing")
    try:
        with torch.serialization.safe_globals(_SCALARS):
            raw = torch.load(path, map_location="cpu", weights_only=True)
    except (*FOREIGN_ERRORS, pickle.UnpicklingError) as why:
        raise InputError(f"{path} holds no plain tensors: {type(why).__name__}") from why
    if not isinstance(raw, dict):
        raise InputError(f"{path} holds no tensors by name")
    return raw
