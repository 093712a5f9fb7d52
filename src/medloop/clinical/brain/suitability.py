"""Which volumes show one hippocampus on T1-weighted MR, and why others do not suit."""

import re
from typing import Final

import numpy as np

from medloop.clinical.content import reason_against_content
from medloop.core.errors import UnsuitableError
from medloop.core.image import Picture, Volume
from medloop.core.study import Series

MAX_SIDE_MM: Final = 100.0
MIN_SIDE_MM: Final = 20.0
MAX_STEP_MM: Final = 2.5
MIN_VALUES: Final = 16

_REGION = "cut out the region around one hippocampus, about 35 x 50 x 35 mm"
_T1 = re.compile(r"(?<![A-Z0-9])(T1|MP2?RAGE|SPGR|BRAVO|TFE|VIBE)(?![0-9])", re.ASCII)
_OTHER = re.compile(
    r"(?<![A-Z0-9])(T2\*?W?|FLAIR|DWI|DTI|ADC|TRACE|PDW?|SWI|GRE|BOLD|FMRI|ASL|TOF|LOCALI[SZ]ER|SCOUT)"
    r"(?![A-Z0-9])",
    re.ASCII,
)


def reason_against(series: Series) -> str:
    """Say why a series is not read, as far as its header tells; empty if it may be.

    A file that names no modality (NIfTI) is read. A description counts only where it names
    another contrast and not T1; none of it is repeated beyond that word.
    """
    if reason := reason_against_content(series):
        return reason
    if series.modality not in ("", "MR"):
        return f"modality {series.modality}, not MR"
    described = series.description.upper().replace("_", " ").replace("-", " ")
    other = _OTHER.search(described)
    if other and not _T1.search(described):
        return f"described as {other[0]}, not T1"
    if series.slice_mm is not None and series.slice_mm > MAX_STEP_MM:
        return f"slices {series.slice_mm:.1f} mm apart, the limit is {MAX_STEP_MM} mm"
    return ""


def require_region(image: Picture | Volume) -> Volume:
    """Return the volume if it can be the region around one hippocampus.

    Raises
    ------
    UnsuitableError
        If it is a picture, too large, too small, too coarse, or holds too few values.
    """
    if not isinstance(image, Volume):
        raise UnsuitableError("a picture, not an MR volume")
    steps_mm = image.grid.spacing_mm
    sides_mm = [n * step for n, step in zip(image.grid.shape, steps_mm, strict=True)]
    shown = " x ".join(f"{side:.0f}" for side in sides_mm)
    if max(steps_mm) > MAX_STEP_MM:
        coarse = f"voxels {max(steps_mm):.1f} mm apart exceed {MAX_STEP_MM} mm"
        raise UnsuitableError(f"too coarse to measure a hippocampus: {coarse}")
    if max(sides_mm) > MAX_SIDE_MM:
        large = f"volume of {shown} mm has a side over {MAX_SIDE_MM:.0f} mm"
        raise UnsuitableError(f"{large}; {_REGION}")
    if min(sides_mm) < MIN_SIDE_MM:
        small = f"volume of {shown} mm has a side under {MIN_SIDE_MM:.0f} mm"
        raise UnsuitableError(f"{small}; {_REGION}")
    values = np.unique(image.array).size
    if values < MIN_VALUES:
        few = f"{values} different values, an MR image has {MIN_VALUES} or more"
        raise UnsuitableError(f"no MR image: {few}")
    return image
