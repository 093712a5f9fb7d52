"""Which CT of a study shows the head and neck best, and why others do not suit."""

import re
from typing import Final

import numpy as np

from medloop.clinical.ct import (
    ROUNDED_MM,
    against_slices,
    choose_ct,
    covered_mm,
    reason_against_ct,
    require_ct,
)
from medloop.clinical.radiotherapy.region import Region, find_region
from medloop.core.errors import UnsuitableError
from medloop.core.image import Picture, Volume
from medloop.core.study import Notice, Selection, Series, Study
from medloop.imaging.hounsfield import Hounsfield, Scale

MIN_SLICES: Final = 12
MIN_COVERED_MM: Final = 60.0
MIN_SIDE_MM: Final = 120.0
MAX_PIXEL_MM: Final = 6.0  # public training CTs have up to 5.1 mm
LEAST_AIR: Final = 0.05  # of the voxels: what surrounds the patient
THIN_MM: Final = 3.0

# All 100 planning CTs of OpenKBP have 47 mm or more of slices that may be of head or neck, the
# least where the CT was cut to the treated region; two chest CTs of LIDC-IDRI have none.
MIN_SLIM_MM: Final = 40.0
_AIR_HU: Final = -500

_OTHER_REGION = re.compile(
    r"CHEST|THORA|LUNG|HEART|CARDIAC|BREAST|ABDOMEN|LIVER|KIDNEY|COLON|PELVIS|HIP|PROSTATE|"
    r"UTERUS|BLADDER|KNEE|LEG|FOOT|ANKLE|HAND|WRIST|ELBOW|ARM|EXTREMITY|[TL]SPINE"
)
_HEAD_NECK = re.compile(
    r"HEAD|NECK|H&N|HN\b|SKULL|BRAIN|JAW|MAXILL|ORAL|PHARYN|LARYN|THYROID|PAROTID|CSPINE|WHOLE"
)


def reason_against(series: Series) -> str:
    """Say why a series is not read, as far as its header tells; empty if it may be.

    A file that names no modality, plane or region may be: the pixels tell.
    """
    if reason := reason_against_ct(series) or against_slices(series, least=MIN_SLICES):
        return reason
    part = series.body_part.upper()
    region = None if _HEAD_NECK.search(part) else _OTHER_REGION.search(part)
    if region:
        return f"body part {region[0]}, not head and neck"
    covered = covered_mm(series)
    if 0 < covered < MIN_COVERED_MM - ROUNDED_MM:
        return f"slices cover {covered:.0f} mm, at least {MIN_COVERED_MM:.0f} mm are needed"
    return ""


def choose(study: Study) -> Selection:
    """Choose the thinnest suitable series of a study, as `choose_ct` does.

    Raises
    ------
    UnsuitableError
        If the study has none; names the reasons.
    """
    return choose_ct(study, reason_against, region="head and neck")


def require_head_and_neck(image: Picture | Volume) -> tuple[Volume, Region]:
    """Return the volume, in HU, and where head and neck are on it.

    A chest, a belly or a pelvis has no slices that are as narrow, hold bone and little air.

    Raises
    ------
    UnsuitableError
        If it is a picture, too coarse, too small, not in HU, or shows another region.
    """
    volume = require_ct(
        image,
        least_slices=MIN_SLICES,
        least_side_mm=MIN_SIDE_MM,
        most_pixel_mm=MAX_PIXEL_MM,
        scales=(Scale.HU, Scale.UNKNOWN),  # a CT cut to the treated region has no peak of air
    )
    air = float(np.mean(volume.array[::2, ::4, ::4] < _AIR_HU))
    if air < LEAST_AIR:
        raise UnsuitableError(
            f"values are not in HU: {air:.0%} are of air, a CT has {LEAST_AIR:.0%} or more"
        )
    region = find_region(volume)
    if region.extent_mm < MIN_SLIM_MM:
        raise UnsuitableError(
            f"no head and neck: {region.extent_mm:.0f} mm of slices are as narrow as a head or"
            f" neck, at least {MIN_SLIM_MM:.0f} mm are needed"
        )
    return volume, region


def remarks(series: Series, checked: Hounsfield) -> tuple[Notice, ...]:
    """Say what about the series chosen, and its HU, a reader of outlines must know."""
    notices = [notice for notice in checked.notices if notice.code != "hu-unknown"]
    if checked.scale is Scale.UNKNOWN:
        text = "No peaks of air and soft tissue: the CT was cut to a region, or is not in HU."
        notices.append(Notice("oar-hu", text))
    if is_unframed(series):
        text = "The CT states no frame of reference: no RTSTRUCT was written."
        notices.append(Notice("oar-no-frame", text))
    thickness, gap = series.scan.thickness_mm, series.slice_mm
    widest = max(thickness or 0.0, gap or 0.0)
    if widest > THIN_MM + ROUNDED_MM:
        text = f"Slices of {widest:.1f} mm: outlines are less sure from head to foot."
        notices.append(Notice("oar-thick-slices", text, (("slice_mm", round(widest, 2)),)))
    return tuple(notices)


def is_unframed(series: Series) -> bool:
    """Whether a DICOM series names no frame of reference, which contours must share."""
    return bool(series.instances[0].sop_class) and not series.frame_of_reference
