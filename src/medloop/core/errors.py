"""Every exception we raise on purpose, arranged by what the caller should do.

MedloopError
├── InputError          the data is wrong         -> fail the job, tell a person
│   ├── GeometryError
│   └── SettingError    the order is wrong        -> say it to who gave it
├── UnsuitableError     wrong tool for this data  -> skip the job, say why
└── ServiceError        the world is wrong        -> retry later
"""

import struct
import zlib
from typing import Final


class MedloopError(Exception):
    """Base of all errors we raise on purpose."""


class InputError(MedloopError):
    """The data itself is wrong; retrying will not help."""


class GeometryError(InputError):
    """Spatial information is missing, singular or inconsistent."""


class SettingError(InputError):
    """What was asked for cannot be meant: an unknown name, a value out of range."""


class UnsuitableError(MedloopError):
    """The data is fine, but this analysis does not apply to it."""


class ServiceError(MedloopError):
    """Something outside us failed; retrying may help."""


# What decoders written by others raise on damaged bytes. Catch it around one foreign call, and
# raise InputError from it; SystemExit, KeyboardInterrupt and our own errors pass.
FOREIGN_ERRORS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
