"""When what arrives is acknowledged; apart, so that settings are read without the rest."""

from enum import StrEnum


class Flush(StrEnum):
    """When an object that arrives counts as kept, and is acknowledged."""

    EACH = "each"  # it is on the disk: survives a power failure
    LATER = "later"  # the kernel has it: survives the end of the process, not a power failure
