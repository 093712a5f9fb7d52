"""PyTorch's ONNX exporter, kept from noting optional parts that nobody asked for."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

EXPORTER: Final = "torch.onnx"


@contextmanager
def without_exporter_notes() -> Iterator[None]:
    """Leave out the exporter's warnings, and no other logger's, while the block runs."""
    exporter = logging.getLogger(EXPORTER)
    before = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(before)
