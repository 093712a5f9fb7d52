"""Calling pydicom on bytes that may be damaged: what it raises, and what it would print."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydicom.errors import BytesLengthException, InvalidDicomError

from medloop.core.errors import FOREIGN_ERRORS

DICOM_ERRORS: Final = (*FOREIGN_ERRORS, BytesLengthException, InvalidDicomError)

_CHATTY: Final = ("pydicom", "pylibjpeg", "openjpeg", "rle", "jpeg_ls")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's remarks about values from stderr: they may quote patient data."""
    logs = [logging.getLogger(name) for name in _CHATTY]
    were = [log.propagate for log in logs]
    silence = logging.NullHandler()
    for log in logs:
        log.addHandler(silence)
        log.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, was in zip(logs, were, strict=True):
            log.removeHandler(silence)
            log.propagate = was
