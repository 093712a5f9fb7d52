"""Which CT of a study shows the lungs best, and why others do not suit."""

import re
from collections.abc import Sequence
from typing import Final

from medloop.core.errors import UnsuitableError
from medloop.core.image import Picture, Volume
from medloop.core.study import Content, Notice, Selection, Series, Study
from medloop.imaging.hounsfield import Scale, check_hu
from medloop.imaging.orientation import turn_of, upright_grid

THIN_MM: Final = 3.0
MAX_SLICE_MM: Final = 5.0
MAX_PIXEL_MM: Final = 2.0
MIN_SIDE_MM: Final = 60.0
MIN_SLICES: Final = 3
_ROUNDED_MM: Final = 0.05  # headers round 5 mm up
_SAME_MM: Final = 0.25  # slices whose thickness differs by less count as equal
_COVERED: Final = 0.6  # of the longest scan of the study: a shorter one shows a part of it

_OTHER_REGION = re.compile(
    r"HEAD|BRAIN|SKULL|ORBIT|SINUS|JAW|DENTAL|\bEAR\b|KNEE|LEG|FOOT|ANKLE|HAND|WRIST|ELBOW|ARM|"
    r"EXTREMITY|PELVIS|HIP|PROSTATE|UTERUS|BLADDER"
)
_CHEST = re.compile(r"CHEST|THORA|LUNG|TRUNK|BODY|CAP\b")
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


def reason_against(series: Series) -> str:
    """Say why a series is not read, as far as its header tells; empty if it may be.

    A file that names no modality or plane (NIfTI) may be. Of descriptions only the word that
    speaks against a series is repeated.
    """
    if series.content is not Content.VOLUME:
        return f"{series.modality} {series.content}, not a volume".strip()
    if series.modality not in ("", "CT"):
        return f"modality {series.modality}, not CT"
    if series.scan.orientation not in ("", "axial"):
        return f"{series.scan.orientation} slices, not axial"
    if word := _not_plain(series):
        return f"{word}, not a plain reconstruction"
    part = series.body_part.upper()
    region = None if _CHEST.search(part) else _OTHER_REGION.search(part)
    return f"body part {region[0]}, not chest" if region else _against_slices(series)


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
    reasons = [(series, reason_against(series)) for series in study.series]
    fit = [series for series, reason in reasons if not reason]
    if not fit:
        why = "; ".join(sorted({reason for _, reason in reasons})) or "empty"
        raise UnsuitableError(f"no axial chest CT in the study: {why}")
    return Selection((_best(fit),))


def remarks(series: Series) -> tuple[Notice, ...]:
    """Say what about the series chosen a reader of sizes must know."""
    notices = []
    thickness, gap = series.scan.thickness_mm, series.slice_mm
    widest = max(thickness or 0.0, gap or 0.0)
    if widest > THIN_MM + _ROUNDED_MM:
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
    if not isinstance(image, Volume):
        raise UnsuitableError("a picture, not a CT volume")
    if image.unit not in ("HU", "1"):
        raise UnsuitableError(f"values in {image.unit}, not in HU")
    grid = upright_grid(image.grid, turn_of(image.grid))
    between, *pixels = grid.spacing_mm
    if between > MAX_SLICE_MM + _ROUNDED_MM or max(pixels) > MAX_PIXEL_MM:
        found = f"slices {between:.1f} mm and pixels {max(pixels):.1f} mm apart"
        raise UnsuitableError(f"{found} exceed {MAX_SLICE_MM:.0f} and {MAX_PIXEL_MM:.0f} mm")
    sides = [n * step for n, step in zip(grid.shape[1:], pixels, strict=True)]
    if grid.shape[0] < MIN_SLICES or min(sides) < MIN_SIDE_MM:
        shown = f"{grid.shape[0]} slices of {sides[1]:.0f} x {sides[0]:.0f} mm"
        needed = f"{MIN_SLICES} slices of {MIN_SIDE_MM:.0f} x {MIN_SIDE_MM:.0f} mm"
        raise UnsuitableError(f"{shown}, at least {needed} are needed")
    checked = check_hu(image)
    if checked.scale is not Scale.HU:
        raise UnsuitableError(checked.notices[-1].text.rstrip("."))
    return image if image.unit == "HU" else image.with_array(image.array, unit="HU")


def _against_slices(series: Series) -> str:
    count, sizes = _slices(series), (series.scan.thickness_mm, series.slice_mm)
    if series.instances and count < MIN_SLICES:
        return f"{count} slices, at least {MIN_SLICES} are needed"
    for what, size_mm in zip(("thick", "apart"), sizes, strict=True):
        if size_mm is not None and size_mm > MAX_SLICE_MM + _ROUNDED_MM:
            return f"slices {size_mm:.1f} mm {what}, the limit is {MAX_SLICE_MM:.0f} mm"
    return ""


def _not_plain(series: Series) -> str:
    """Return the word by which a series is made from others, or shows no HU."""
    for text in (" ".join(series.scan.image_type), series.description):
        found = _NOT_PLAIN.search(text.upper().replace("-", " "))
        if found:
            return found[0]
    return ""


def _slices(series: Series) -> int:
    return sum(instance.frames for instance in series.instances)


def _covered_mm(series: Series) -> float:
    return _slices(series) * (series.slice_mm or series.scan.thickness_mm or 0.0)


def _best(fit: Sequence[Series]) -> Series:
    longest = max(_covered_mm(series) for series in fit)
    whole = [series for series in fit if _covered_mm(series) >= _COVERED * longest]

    def order(series: Series) -> tuple[float, bool, float]:
        widest = max(series.scan.thickness_mm or 0.0, series.slice_mm or 0.0)
        steps = round(widest / _SAME_MM) if widest else MAX_SLICE_MM / _SAME_MM
        return steps, is_sharp(series.scan.kernel), -_covered_mm(series)

    return min(whole, key=order)
