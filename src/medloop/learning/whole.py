"""Files that appear whole or not at all: text, arrays, tensors for whoever trains on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from medloop.core.errors import ServiceError

if TYPE_CHECKING:
    from torch import Tensor


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a place beside `path` to write to; what is there in the end takes its name.

    Raises
    ------
    ServiceError
        If it cannot be written; names `path`, which is what was asked for.
    """
    beside = path.with_name(path.name + ".part")
    try:
        yield beside
        beside.replace(path)
    except OSError as why:
        raise ServiceError(f"{path} cannot be written: {why.strerror or why}") from why


def write_text(path: Path, text: str) -> None:
    """Write a whole file or none; `ServiceError` says why it cannot be."""
    with appearing(path) as beside:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")


def save_array(array: ndarray, path: Path) -> None:
    """Write an array as ``.npy``."""
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as stream:
        np.save(stream, array)
    beside.replace(path)


def save_tensors(
    state: "Mapping[str, Tensor]", path: Path, *, notes: Mapping[str, str] | None = None
) -> None:
    """Write tensors, and notes about them, as ``.safetensors`` with the rights any file has.

    Raises
    ------
    ServiceError
        If it cannot be written.
    """
    from safetensors import SafetensorError  # noqa: PLC0415 (only here)
    from safetensors.torch import save  # noqa: PLC0415

    try:
        packed = save(dict(state), metadata=dict(notes) if notes else None)
    except SafetensorError as why:
        reason = f"{path} cannot be written: the tensors cannot be stored"
        raise ServiceError(reason) from why
    with appearing(path) as beside:
        beside.write_bytes(packed)
