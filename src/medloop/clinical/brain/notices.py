"""What the hippocampus analysis remarks beside its numbers: what may make them wrong."""

from collections.abc import Mapping
from typing import Final

from medloop.clinical.brain.codes import LABELS, PARTS
from medloop.clinical.brain.volumes import Measured
from medloop.core.study import Notice
from medloop.imaging.shape import Shape

LEAST_MM3: Final = 500.0  # what no hippocampus, however shrunken or large, goes beyond
MOST_MM3: Final = 6000.0
UNSURE_SHARE: Final = 0.5  # of the volume: distance of the strict and the generous outline
APART_SHARE: Final = 0.01  # of the volume, outside its largest piece
IN_FRONT_MM: Final = 1.0  # by which the anterior part must lie before the posterior one


def doubts(whole: Measured, parts: Mapping[int, Measured], shape: Shape) -> tuple[Notice, ...]:
    """Say what about an outline asks for a second look, most telling first."""
    found = (
        _cut_off(shape),
        _implausible(whole),
        *(_missing(part) for part in PARTS if LABELS[part] not in parts),
        _turned(parts),
        _in_pieces(whole, shape),
        _unsure(whole),
    )
    return tuple(notice for notice in found if notice is not None)


def side_doubt(stated: str, seen: str) -> tuple[Notice, ...]:
    """Say that the `stated` side (right or left) is not the one where the outline lies."""
    if not stated or seen not in ("right", "left") or stated == seen:
        return ()
    text = f"the header states the {stated} side, the outline lies on the {seen} one"
    return (Notice("hippocampus_side", text, (("stated", stated), ("seen", seen))),)


def _cut_off(shape: Shape) -> Notice | None:
    if not shape.faces:
        return None
    text = (
        f"the hippocampus reaches the border of the volume at {shape.faces} of 6 faces: part of"
        " it may be cut off and its volume too small"
    )
    return Notice("hippocampus_cut_off", text, (("faces", shape.faces),))


def _implausible(whole: Measured) -> Notice | None:
    volume = whole.volume_mm3
    if LEAST_MM3 <= volume <= MOST_MM3:
        return None
    text = (
        f"a volume of {volume:.0f} mm3 is outside {LEAST_MM3:.0f} to {MOST_MM3:.0f} mm3, the"
        " range of a hippocampus: the outline is probably wrong"
    )
    values = (("value", round(volume, 1)), ("low", LEAST_MM3), ("high", MOST_MM3))
    return Notice("hippocampus_volume", text, values)


def _missing(part: str) -> Notice:
    text = f"no {part} part was found"
    return Notice(f"hippocampus_no_{part}", text)


def _turned(parts: Mapping[int, Measured]) -> Notice | None:
    """Check that anterior lies toward smaller y (LPS); else the volume is turned."""
    if not all(LABELS[part] in parts for part in PARTS):
        return None
    front, back = (parts[LABELS[part]].center_lps_mm[1] for part in PARTS)
    if back - front >= IN_FRONT_MM:
        return None
    text = (
        "the anterior part does not lie in front of the posterior one: check the orientation"
        " that the volume states"
    )
    return Notice("hippocampus_turned", text, (("distance_mm", round(back - front, 1)),))


def _in_pieces(whole: Measured, shape: Shape) -> Notice | None:
    if shape.pieces < 2 or shape.apart_mm3 <= APART_SHARE * whole.volume_mm3:
        return None
    text = (
        f"the outline is in {shape.pieces} pieces, {shape.apart_mm3:.0f} mm3 of it apart from"
        " the largest"
    )
    values = (("pieces", shape.pieces), ("apart", round(shape.apart_mm3, 1)))
    return Notice("hippocampus_pieces", text, values)


def _unsure(whole: Measured) -> Notice | None:
    share = (whole.high_mm3 - whole.low_mm3) / whole.volume_mm3
    if share <= UNSURE_SHARE:
        return None
    text = (
        f"the outline is unsure: {whole.low_mm3:.0f} mm3 if drawn strictly,"
        f" {whole.high_mm3:.0f} mm3 if generously"
    )
    values = (("low", round(whole.low_mm3, 1)), ("high", round(whole.high_mm3, 1)))
    return Notice("hippocampus_unsure", text, values)
