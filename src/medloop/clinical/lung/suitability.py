"""Which CT of a study shows the lungs best, and why others do not suit."""

import re
from typing import Final

from medloop.clinical.ct import (
    ROUNDED_MM,
    against_slices,
    choose_ct,
    is_sharp,
    reason_against_ct,
    require_ct,
)
from medloop.core.image import Picture, Volume
from medloop.core.study import Notice, Selection, Series, Study

THIN_MM: Final = 3.0
MIN_SIDE_MM: Final = 60.0
MIN_SLICES: Final = 3

_OTHER_REGION = re.compile(
    r"HEAD|BRAIN|SKULL|ORBIT|SINUS|JAW|DENTAL|\bEAR\b|KNEE|LEG|FOOT|ANKLE|HAND|WRIST|ELBOW|ARM|"
    r"EXTREMITY|PELVIS|HIP|PROSTATE|UTERUS|BLADDER"
)
_CHEST = re.compile(r"CHEST|THORA|LUNG|TRUNK|BODY|CAP\b")


def reason_against(series: Series) -> str:
    """Say why a series is not read, as far as its header tells; empty if it may be.

    A file that names no modality or plane (NIfTI) may be. Of descriptions only the word that
    speaks against a series is repeated.
    """
    if reason := reason_against_ct(series):
        return reason
    part = series.body_part.upper()
    region = None if _CHEST.search(part) else _OTHER_REGION.search(part)
    return (
        f"body part {region[0]}, not chest"
        if region
        else against_slices(series, least=MIN_SLICES)
    )


def choose(study: Study) -> Selection:
    """Choose the thinnest suitable series of a study.

    Of those that cover at least 60 % of what the longest covers: the thinnest, by the larger of
    thickness and distance, in steps of 0.25 mm; of equally thin ones a smooth kernel before
    a sharp one, since enhanced edges and their noise shift the sizes and HU of small nodules;
    then the one that covers more.

    Raises
    ------
    UnsuitableError
        If the study has none; names the reasons.
    """
    return choose_ct(study, reason_against, region="chest")


def remarks(series: Series) -> tuple[Notice, ...]:
    """Say what about the series chosen a reader of sizes must know."""
    notices = []
    thickness, gap = series.scan.thickness_mm, series.slice_mm
    widest = max(thickness or 0.0, gap or 0.0)
    if widest > THIN_MM + ROUNDED_MM:
        text = f"Slices of {widest:.1f} mm: small nodules may be missed, sizes are less sure."
        notices.append(Notice("thick-slices", text, (("slice_mm", round(widest, 2)),)))
    if thickness and gap and gap > 1.1 * thickness:
        text = f"Slices of {thickness:.2f} mm lie {gap:.2f} mm apart: not all was imaged."
        values = (("thickness_mm", round(thickness, 3)), ("gap_mm", round(gap, 3)))
        notices.append(Notice("slices-apart", text, values))
    if is_sharp(series.scan.kernel):
        text = "A sharp kernel: the HU of small nodules may be off."
        notices.append(Notice("sharp-kernel", text))
    return tuple(notices)


def require_chest(image: Picture | Volume) -> Volume:
    """Return the volume, in HU, if it can be a chest CT.

    A volume that states no unit (NIfTI) is one in HU if it shows the peaks of air and tissue.
    Whether lungs are in it is for `imaging.lungs.find_lungs` to say.

    Raises
    ------
    UnsuitableError
        If it is a picture, too coarse, too small, or not in HU.
    """
    return require_ct(image, least_slices=MIN_SLICES, least_side_mm=MIN_SIDE_MM)
