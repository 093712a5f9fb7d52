"""Which organs need a second look, and why; a notice each."""

from collections.abc import Iterator, Mapping
from typing import Final

from medloop.clinical.radiotherapy.atlas import Usual, odd_places
from medloop.clinical.radiotherapy.codes import ORGANS, PAIR
from medloop.clinical.radiotherapy.organs import Outlined
from medloop.core.study import Notice

LEAST_DICE: Final = 0.8  # expected, or between mirror images: lower is told
APART_MM3: Final = 100.0  # of dropped pieces that is told
# What runs on beyond a scan that ends at the neck or chest.
_RUNS_ON: Final = frozenset({("spinal_cord", "foot"), ("oesophagus", "foot")})
REASONS: Final = (
    "missing",
    "volume",
    "place",
    "pieces",
    "dropped",
    "border",
    "unsure",
    "mirror",
)


def doubts(
    found: Mapping[str, Outlined], atlas: Mapping[str, Usual]
) -> tuple[Mapping[str, tuple[str, ...]], tuple[Notice, ...]]:
    """Say for each organ why somebody must look at it again; empty where nothing speaks for it.

    Returns the reasons, of `REASONS`, by organ, and notices in the order of organs, what is
    true of both sides first.
    """
    odd = odd_places({name: each.center_lps_mm for name, each in found.items()}, atlas)
    notices = list(_sides(found))
    reasons = {}
    for name in ORGANS:
        each = found.get(name)
        if each is None:
            own = [
                _notice(name, "missing", "was not found: draw it by hand where it is needed")
            ]
        else:
            own = [*_of(name, each, atlas[name])]
            if name in odd:
                text = "lies where it lies in none of the labelled cases, against most others"
                own.insert(0, _notice(name, "place", text))
        notices += own
        reasons[name] = tuple(
            notice.code.split("_", 1)[0].removeprefix("oar-") for notice in own
        )
    return reasons, tuple(notices)


def _sides(found: Mapping[str, Outlined]) -> Iterator[Notice]:
    """Tell that the right organ does not lie to the patient's right of the left one."""
    if not all(name in found for name in PAIR):
        return
    right, left = (found[name].center_lps_mm[0] for name in PAIR)
    if left - right > 0:
        return
    text = (
        f"The right parotid lies {right - left:.0f} mm to the patient's left of the left one:"
        " right and left may be exchanged, in the outlines or in the images."
    )
    yield Notice("oar-sides", text, (("distance_mm", round(right - left, 1)),))


def _of(name: str, each: Outlined, usual: Usual) -> Iterator[Notice]:
    volume, (low, high) = each.volume_mm3 / 1000, usual.volume_cm3
    if not low <= volume <= high:
        text = (
            f"has {volume:.1f} cm3; of {usual.cases} labelled ones 98 % have {low:.1f} to"
            f" {high:.1f} cm3"
        )
        values = (("volume_cm3", round(volume, 2)), ("low", low), ("high", high))
        yield _notice(name, "volume", text, (*values, ("cases", usual.cases)))
    if each.pieces > usual.pieces:
        text = f"is in {each.pieces} pieces"
        yield _notice(name, "pieces", text, (("pieces", each.pieces),))
    if each.dropped_mm3 > APART_MM3:
        dropped = each.dropped_mm3 / 1000
        text = f"had {dropped:.1f} cm3 more in small pieces apart, which were left out"
        yield _notice(name, "dropped", text, (("dropped_cm3", round(dropped, 2)),))
    ends = [end for end in each.cut_off if (name, end) not in _RUNS_ON]
    if ends:
        text = f"reaches the end of the scan ({', '.join(ends)}): part of it may be cut off"
        yield _notice(name, "border", text)
    if each.expected_dice < LEAST_DICE:
        text = f"is unsure: a Dice of {each.expected_dice:.2f} is expected"
        yield _notice(name, "unsure", text, (("dice", round(each.expected_dice, 3)),))
    if each.mirror_dice < LEAST_DICE:
        text = (
            "is answered differently in the mirror image: the Dice of both answers is"
            f" {each.mirror_dice:.2f}"
        )
        yield _notice(name, "mirror", text, (("dice", round(each.mirror_dice, 3)),))


def _notice(
    name: str, reason: str, text: str, values: tuple[tuple[str, float | int], ...] = ()
) -> Notice:
    """Make a notice about one organ; the code names reason and organ."""
    organ = ORGANS[name].name
    return Notice(f"oar-{reason}_{name}", f"The {organ} {text}.", values)
