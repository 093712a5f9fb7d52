"""Which labels are good enough to train on: the gate that agreement keeps."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from medloop.annotation.blinding import Panel

# "Substantial" begins above 0.6 (Landis & Koch 1977, doi:10.2307/2529310).
KAPPA_MIN: Final = 0.6


class Standing(StrEnum):
    """Why a label may be trained on, or not."""

    ADJUDICATED = "adjudicated"  # somebody decided between the readers
    SINGLE = "single"  # one reading was wanted, and is in
    AGREED = "agreed"  # readers of this task agree well enough
    DISAGREED = "disagreed"  # they do not: adjudicate
    UNMEASURED = "unmeasured"  # too little was read twice to say
    MISSING = "missing"  # readings are not in


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a label leaves for training, and why."""

    standing: Standing
    reason: str

    @property
    def is_open(self) -> bool:
        """Whether it leaves."""
        return self.standing in (Standing.ADJUDICATED, Standing.SINGLE, Standing.AGREED)


def gate(panel: Panel, kappa: float, *, kappa_min: float = KAPPA_MIN) -> Gate:
    """Decide whether the label of one result may be exported.

    `kappa` is the agreement of the task's readers over all results that several have read (or
    the mean Dice, for masks), NaN where it is not known. An adjudicated label always leaves.
    """
    if panel.decided is not None:
        return Gate(Standing.ADJUDICATED, f"adjudicated by {panel.decided.reader}")
    count = len(panel.handed_in)
    if panel.wanted < 2 and count == 1:
        return Gate(Standing.SINGLE, "one reading was wanted, and is in")
    if count < max(panel.wanted, 1):
        return Gate(Standing.MISSING, f"{count} of {panel.wanted} readings are in")
    if math.isnan(kappa):
        return Gate(Standing.UNMEASURED, "agreement is not known: adjudicate, or read more")
    if kappa < kappa_min:
        said = f"agreement {kappa:.2f} is below {kappa_min:.2f}: adjudicate"
        return Gate(Standing.DISAGREED, said)
    return Gate(Standing.AGREED, f"agreement {kappa:.2f} of {count} readers")
