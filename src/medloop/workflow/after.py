"""What becomes of a file in a watched folder once it is in the store."""

from enum import StrEnum


class After(StrEnum):
    """The choices; apart, so that settings are read without what takes files in."""

    MOVE = "move"  # to `done`, below the folder
    DELETE = "delete"
    LEAVE = "leave"
