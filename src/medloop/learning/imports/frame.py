"""How the axes of a foreign network's arrays lie beside ours, which rise toward S, P and L."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from torch import Tensor

from medloop.core.errors import InputError

_PLACES = {  # a letter names where an axis rises to: which of ours it is, and if backward
    "S": (0, False),
    "I": (0, True),
    "P": (1, False),
    "A": (1, True),
    "L": (2, False),
    "R": (2, True),
}
_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True)
class Frame:
    """Axis n of a foreign array is axis `axes[n]` of ours, running backward or not."""

    axes: tuple[int, ...]
    backward: tuple[bool, ...]

    def ours(self, foreign: Sequence[_Entry]) -> tuple[_Entry, ...]:
        """Put what is known by foreign axis into the order of ours."""
        return tuple(foreign[n] for n in np.argsort(self.axes))

    def to_foreign(self, x: Tensor) -> Tensor:
        """Turn one of our arrays (B, C, S) as the network wants it."""
        return x.flip(self._flipped).permute(0, 1, *(2 + axis for axis in self.axes))

    def to_ours(self, x: Tensor) -> Tensor:
        """Turn an answer (B, C, S) back."""
        back = [2 + int(n) for n in np.argsort(self.axes)]
        return x.permute(0, 1, *back).flip(self._flipped)

    @property
    def _flipped(self) -> tuple[int, ...]:
        turned = zip(self.axes, self.backward, strict=True)
        return tuple(2 + axis for axis, is_backward in turned if is_backward)


def frame_of(letters: Sequence[str]) -> Frame:
    """Read a letter an axis, as ``"RAS"``: each names where its axis rises to.

    Raises
    ------
    InputError
        If they are not one of each pair: L or R, P or A, S or I.
    """
    places = [_PLACES.get(letter.upper(), (-1, False)) for letter in letters]
    axes = tuple(axis for axis, _ in places)
    if sorted(axes) != [0, 1, 2]:
        wrong = "".join(letters)
        raise InputError(f"orientation {wrong!r} is not one each of L|R, P|A, S|I, as LPS")
    return Frame(axes, tuple(is_backward for _, is_backward in places))
