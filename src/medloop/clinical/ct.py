"""Which CT of a study shows a region best, and why others do not suit, whatever the region."""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Final

from medloop.clinical.content import reason_against_content
from medloop.core.errors import UnsuitableError
from medloop.core.image import Picture, Volume
from medloop.core.study import Selection, Series, Study
from medloop.imaging.hounsfield import Scale, check_hu
from medloop.imaging.orientation import turn_of, upright_grid

MAX_SLICE_MM: Final = 5.0
MAX_PIXEL_MM: Final = 2.0
ROUNDED_MM: Final = 0.05  # headers round 5 mm up
_SAME_MM: Final = 0.25  # slices whose thickness differs by less count as equal
_COVERED: Final = 0.6  # of the longest scan of the study: a shorter one shows a part of it

_NOT_PLAIN = re.compile(
    r"(?<![A-Z])(M(AX)?[_ ]?IP|MIN[_ ]?IP|VRT?|RENDERED|PROJECTION|SCOUT|TOPO(GRAM)?|SURVIEW|"
    r"LOCALI[SZ]ER|DOSE (REPORT|INFO|RECORD)|PERFUSION|SUBTRACT(ED|ION)?|IODINE|"
    r"Z[_ ]?EFF(ECTIVE)?|RHO|OVERLAY|SCREEN SAVE)(?![A-Z])"
)
_SHARP_WORDS = re.compile(r"LUNG|SHARP|BONE|EDGE|ULTRA|HRCT")
_SIEMENS = re.compile(r"^[A-Z][A-Z]?(\d\d)[A-Z]?")  # B60f, Bl57d, I70f
_CANON = re.compile(r"^FC(\d\d)")
_PHILIPS_SHARP: Final = frozenset(["D", "E", "F", "L", "YB", "YC", "YD", "YE"])


def is_sharp(kernel: str) -> bool:
    """Whether a reconstruction kernel, as makers name them, enhances edges.

    GE names them (LUNG, BONE, EDGE), Siemens numbers them (from 50 on), Canon too (FC30-39,
    FC50-59, FC80-89), Philips has letters (D, E, F, L, YB-YE). Unknown ones count as smooth.
    """
    name = kernel.upper().strip()
    if _SHARP_WORDS.search(name) or name in _PHILIPS_SHARP:
        return True
    if canon := _CANON.match(name):
        return int(canon[1]) // 10 in (3, 5, 8)
    siemens = _SIEMENS.match(name)
    return bool(siemens) and int(siemens[1] if siemens else 0) >= 50


def reason_against_ct(series: Series) -> str:
    """Say why a series is no plain axial CT, as far as its header tells; else empty.

    A file that names no modality or plane (NIfTI) may be. Of descriptions only the word that
    speaks against a series is repeated.
    """
    if reason := reason_against_content(series):
        return reason
    if series.modality not in ("", "CT"):
        return f"modality {series.modality}, not CT"
    if series.scan.orientation not in ("", "axial"):
        return f"{series.scan.orientation} slices, not axial"
    if word := _not_plain(series):
        return f"{word}, not a plain reconstruction"
    return ""


def against_slices(series: Series, *, least: int) -> str:
    """Say why its slices are too few or too far apart, as far as its header tells."""
    count, sizes = slices_of(series), (series.scan.thickness_mm, series.slice_mm)
    if 0 < count < least:
        return f"{count} slices, at least {least} are needed"
    for what, size_mm in zip(("thick", "apart"), sizes, strict=True):
        if size_mm is not None and size_mm > MAX_SLICE_MM + ROUNDED_MM:
            return f"slices {size_mm:.1f} mm {what}, the limit is {MAX_SLICE_MM:.0f} mm"
    return ""


def choose_ct(study: Study, against: Callable[[Series], str], *, region: str) -> Selection:
    """Choose the thinnest series of a study that nothing speaks `against`.

    Of those that cover at least 60 % of what the longest covers: the thinnest, by the larger of
    thickness and distance, in steps of 0.25 mm; of equally thin ones a smooth kernel before
    a sharp one, since enhanced edges and their noise shift sizes and HU; then the one that
    covers more.

    Raises
    ------
    UnsuitableError
        If the study has none; names the `region` that was looked for, and the reasons.
    """
    reasons = [(series, against(series)) for series in study.series]
    fit = [series for series, reason in reasons if not reason]
    if not fit:
        why = "; ".join(sorted({reason for _, reason in reasons})) or "empty"
        raise UnsuitableError(f"no axial {region} CT in the study: {why}")
    return Selection((_best(fit),))


def require_ct(
    image: Picture | Volume,
    *,
    least_slices: int,
    least_side_mm: float,
    most_pixel_mm: float = MAX_PIXEL_MM,
    scales: Collection[Scale] = (Scale.HU,),
) -> Volume:
    """Return the volume, in HU, if it is a CT that is fine and large enough.

    A volume that states no unit (NIfTI) is one in HU if `check_hu` finds one of `scales`.

    Raises
    ------
    UnsuitableError
        If it is a picture, too coarse, too small, or not in HU.
    """
    if not isinstance(image, Volume):
        raise UnsuitableError("a picture, not a CT volume")
    if image.unit not in ("HU", "1"):
        raise UnsuitableError(f"values in {image.unit}, not in HU")
    grid = upright_grid(image.grid, turn_of(image.grid))
    between, *pixels = grid.spacing_mm
    if between > MAX_SLICE_MM + ROUNDED_MM or max(pixels) > most_pixel_mm:
        found = f"slices {between:.1f} mm and pixels {max(pixels):.1f} mm apart"
        raise UnsuitableError(f"{found} exceed {MAX_SLICE_MM:.0f} and {most_pixel_mm:.0f} mm")
    sides = [n * step for n, step in zip(grid.shape[1:], pixels, strict=True)]
    if grid.shape[0] < least_slices or min(sides) < least_side_mm:
        shown = f"{grid.shape[0]} slices of {sides[1]:.0f} x {sides[0]:.0f} mm"
        needed = f"{least_slices} slices of {least_side_mm:.0f} x {least_side_mm:.0f} mm"
        raise UnsuitableError(f"{shown}, at least {needed} are needed")
    checked = check_hu(image)
    if checked.scale not in scales:
        raise UnsuitableError(checked.notices[-1].text.rstrip("."))
    return image if image.unit == "HU" else image.with_array(image.array, unit="HU")


def slices_of(series: Series) -> int:
    """Count the slices of a series; 0 where its header does not tell them (NIfTI)."""
    return sum(instance.frames for instance in series.instances if instance.sop_class)


def covered_mm(series: Series) -> float:
    """How far a series reaches, as far as its header tells; 0 where it does not."""
    return slices_of(series) * (series.slice_mm or series.scan.thickness_mm or 0.0)


def _not_plain(series: Series) -> str:
    """Return the word by which a series is made from others, or shows no HU."""
    for text in (" ".join(series.scan.image_type), series.description):
        found = _NOT_PLAIN.search(text.upper().replace("-", " "))
        if found:
            return found[0]
    return ""


def _best(fit: Sequence[Series]) -> Series:
    longest = max(covered_mm(series) for series in fit)
    whole = [series for series in fit if covered_mm(series) >= _COVERED * longest]

    def order(series: Series) -> tuple[float, bool, float]:
        widest = max(series.scan.thickness_mm or 0.0, series.slice_mm or 0.0)
        steps = round(widest / _SAME_MM) if widest else MAX_SLICE_MM / _SAME_MM
        return steps, is_sharp(series.scan.kernel), -covered_mm(series)

    return min(whole, key=order)
