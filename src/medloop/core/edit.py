"""What a reader changes in a result: one step after the other, none of them ever taken back."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from medloop.core.record import Plain


class Action(StrEnum):
    """What one edit does. A finding's edits name its key, a mask's edits name no target."""

    ACCEPT = "accept"
    REJECT = "reject"
    CHANGE = "change"  # fields of a finding
    ADD = "add"  # a finding that was not proposed
    REMOVE = "remove"  # a finding that was added
    RESTORE = "restore"  # a finding as it was proposed
    MASK = "mask"  # the whole label map
    CONCLUDE = "conclude"  # the text of the conclusion
    ASSESS = "assess"  # an assessment, such as a grade


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a reading; `number` counts them from 1.

    `target` is a finding's key (``"1"`` for the record's first, ``"a1"`` for the first added),
    the name of an assessment, or empty. `before` and `after` are what stood there and stands
    there now. `seconds` and `clicks` are what the change took.
    """

    number: int
    action: Action
    target: str
    before: Plain
    after: Plain
    seconds: float
    clicks: int
    at: datetime
