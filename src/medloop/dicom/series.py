"""Headers into studies: what each series holds, split where it holds several volumes."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from medloop.core.study import (
    Content,
    Instance,
    Notice,
    Scan,
    Series,
    SeriesUid,
    SopUid,
    Study,
    StudyUid,
)
from medloop.dicom.codes import MANUFACTURER
from medloop.dicom.header import SECONDARY_CAPTURE, Header
from medloop.dicom.layout import Part, Slice, orientation_name, separate, usual_gap_mm

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
_VOLUMES: Final = frozenset(
    _STORAGE + tail
    for tail in ("2", "2.1", "2.2", "4", "4.1", "4.3", "4.4", "128", "128.1", "130")
)
_CROSS_SECTIONAL: Final = frozenset(["CT", "MR", "PT"])
# Pixels that are no image to look at: segmentations, registrations, maps, plans, doses.
_NOT_IMAGES: Final = frozenset(
    _STORAGE + tail
    for tail in ("66", "66.1", "66.2", "66.3", "66.4", "66.5", "66.7", "30", "67")
)
_NOT_IMAGE_PREFIXES: Final = tuple(
    _STORAGE + tail for tail in ("9.", "11.", "88.", "104.", "481.")
)


def content_of(header: Header) -> Content:
    """Say what the pixels of one object make."""
    name = header.sop_class
    if header.frames == 0 or name in _NOT_IMAGES or name.startswith(_NOT_IMAGE_PREFIXES):
        return Content.NONE
    if _is_our_drawing(header):
        return Content.NONE
    if "LOCALIZER" in header.image_type:
        return Content.PICTURES
    if name in _VOLUMES:
        return Content.VOLUME
    is_placed = header.pose.position is not None and header.pose.orientation is not None
    if is_placed and header.frames == 1 and header.modality in _CROSS_SECTIONAL:
        return Content.VOLUME
    return Content.PICTURES


def _is_our_drawing(header: Header) -> bool:
    """Whether it is a picture that an analysis drew over another, not one that was taken."""
    is_drawn = "DERIVED" in header.image_type and header.sop_class == SECONDARY_CAPTURE
    return is_drawn and header.maker == MANUFACTURER


def studies_of(headers: Iterable[Header]) -> tuple[Study, ...]:
    """Group headers into studies and series, in order of appearance.

    A series that holds several volumes becomes several, with the same UID, each with a notice
    that says what sets it apart; slices are in geometric order only once they are read.
    """
    by_study: dict[str, dict[str, list[Header]]] = {}
    for header in headers:
        by_study.setdefault(header.study_uid, {}).setdefault(header.series_uid, []).append(
            header
        )
    return tuple(
        _study(uid, [part for group in series.values() for part in _series(group)], series)
        for uid, series in by_study.items()
    )


def slices_of(headers: Sequence[Header]) -> tuple[Slice, ...]:
    """Describe single-frame objects as slices, indexed by their place in the list."""
    return tuple(
        Slice(n, header.pose, (header.rows, header.columns), header.phase, header.image_type)
        for n, header in enumerate(headers)
    )


def _study(uid: str, series: list[Series], groups: dict[str, list[Header]]) -> Study:
    first = next(iter(groups.values()))[0]
    return Study(
        uid=StudyUid(uid),
        name=study_name(uid),
        series=tuple(series),
        patient=first.patient,
        date=first.study_date,
        description=first.study_description,
        accession=first.accession,
    )


def study_name(uid: str) -> str:
    """Make a plain folder name of a UID, which may come damaged."""
    plain = "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in uid)
    return plain.strip(".")[:64] or "study"


def _series(headers: list[Header]) -> list[Series]:
    by_content: dict[Content, list[Header]] = {}
    for header in headers:
        by_content.setdefault(content_of(header), []).append(header)
    parts = []
    for content, group in by_content.items():
        if content is Content.VOLUME:
            parts += _volumes(group)
        else:
            ordered = sorted(group, key=lambda header: header.number)
            parts.append(_one(ordered, content, Part(())))
    return parts


def _volumes(headers: list[Header]) -> list[Series]:
    """One series a volume: each multi-frame object, and each part of the single frames."""
    single = [header for header in headers if header.frames == 1]
    several = [
        _one([header], Content.VOLUME, Part(())) for header in headers if header.frames > 1
    ]
    if not single:
        return several
    parts = separate(slices_of(single))
    return [
        _one([single[piece.index] for piece in part.slices], Content.VOLUME, part)
        for part in parts
    ] + several


def _one(headers: list[Header], content: Content, part: Part) -> Series:
    first = headers[0]
    return Series(
        uid=SeriesUid(first.series_uid),
        modality=first.modality,
        description=f"{first.description} ({part.label})" if part.label else first.description,
        content=content,
        instances=tuple(
            Instance(SopUid(header.uid), header.sop_class, header.path, "", header.frames)
            for header in headers
        ),
        source=str(_source([header.path for header in headers])),
        body_part=first.body_part,
        laterality=first.laterality,
        rows=first.rows,
        columns=first.columns,
        slice_mm=usual_gap_mm(part.slices) if part.slices else None,
        frame_of_reference=first.frame_of_reference,
        scan=_scan(first),
        notices=_split_notice(part, len(headers)),
    )


def _scan(header: Header) -> Scan:
    orientation = header.pose.orientation
    return Scan(
        orientation=orientation_name(orientation) if orientation else "",
        thickness_mm=header.thickness_mm,
        kernel=header.kernel,
        image_type=tuple(word for word in header.image_type if word),
    )


def _split_notice(part: Part, count: int) -> tuple[Notice, ...]:
    if not part.label:
        return ()
    text = f"The series holds several volumes; this is {part.label}, {count} slices."
    return (Notice("series-split", text, (("part", part.label), ("slices", count))),)


def _source(paths: list[Path]) -> Path:
    """Name the folder of a series, or the file where it is a single one."""
    return paths[0] if len(paths) == 1 else paths[0].parent
