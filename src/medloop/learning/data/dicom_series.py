"""DICOM: series, with the segmentations and structure sets that were drawn on them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medloop.core.errors import InputError
from medloop.core.study import Content, Series, Study
from medloop.dicom.annotations import Annotation, AnnotationKind, read_annotation
from medloop.dicom.index import Index, index
from medloop.files.sniff import Kind as FileKind
from medloop.files.sniff import sniff
from medloop.learning.data.description import (
    CaseSource,
    Channel,
    Contours,
    Dataset,
    DicomSegmentation,
    Kind,
    Label,
    Task,
)
from medloop.learning.data.guess import unique


@dataclass(frozen=True, slots=True)
class Placed:
    """A volume in its study."""

    study: Study
    series: Series


def read_dicom(root: Path, *, structures: tuple[str, ...] = ()) -> Dataset:
    """Read a folder tree of DICOM volumes with their SEG or RTSTRUCT.

    Classes are all names that segments or structures have, or `structures` in that order;
    where these overlap, the later one wins. Patients are known by a hash of their ID.

    Raises
    ------
    InputError
        If no volume has a segmentation or structure set.
    """
    indexed = index_dicom(root)
    annotations = _annotations(indexed)
    volumes = volumes_of(indexed)
    pairs = [(a, _drawn_on(a, volumes)) for a in annotations]
    wanted = structures or _names(annotations)
    classes = {name: (n,) for n, name in enumerate(wanted, start=1)}
    cases, seen = [], set()
    for annotation, volume in pairs:
        if volume is not None and id(volume) not in seen:
            seen.add(id(volume))
            cases.append(case_of(volume, root, _label(annotation, classes)))
    if not cases:
        raise InputError(
            f"{len(volumes)} DICOM volumes and {len(annotations)} segmentations or structure"
            " sets do not refer to each other"
        )
    modalities = {volume.series.modality for _, volume in pairs if volume is not None}
    return Dataset(
        name=root.name,
        layout=f"DICOM series with {' and '.join(sorted({a.kind for a in annotations}))}",
        root=root,
        task=Task.SEGMENTATION,
        channels=("/".join(sorted(modalities)) or "image",),
        classes=classes,
        cases=unique(cases),
        remarks=_remarks(indexed, len(pairs) - len(cases)),
    )


def index_dicom(root: Path) -> Index:
    """Read the header of every DICOM file below a folder, by content."""
    paths = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return index(path for path in paths if is_dicom(path))


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by content; one that cannot be opened is not."""
    try:
        return sniff(path) is FileKind.DICOM
    except InputError:
        return False


def volumes_of(indexed: Index) -> list[Placed]:
    """Return the series that make volumes."""
    return [
        Placed(study, series)
        for study in indexed.studies
        for series in study.series
        if series.content is Content.VOLUME
    ]


def case_of(volume: Placed, root: Path, label: Label | None) -> CaseSource:
    """Describe one series; the patient's ID leaves only as a hash."""
    folder = volume.series.instances[0].path.parent
    return CaseSource(
        name=str(folder.relative_to(root)) if folder != root else volume.series.uid,
        patient=pseudonym(volume.study),
        kind=Kind.SOLID,
        channels=(Channel(folder, series=volume.series),),
        label=label,
    )


def pseudonym(study: Study) -> str:
    """Name the patient by a hash of the ID, the same for all studies."""
    text = study.patient.identifier or study.uid
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _annotations(indexed: Index) -> list[Annotation]:
    paths = [h.path for h in indexed.headers if h.modality in tuple(AnnotationKind)]
    found = (read_annotation(path) for path in paths)
    return [annotation for annotation in found if annotation is not None]


def _drawn_on(annotation: Annotation, volumes: Sequence[Placed]) -> Placed | None:
    """Return the largest volume of the series that the annotation refers to."""
    fitting = [v for v in volumes if v.series.uid in annotation.series]
    return max(fitting, key=lambda v: len(v.series.instances), default=None)


def _names(annotations: Iterable[Annotation]) -> tuple[str, ...]:
    names = {name for a in annotations for name in a.names.values() if name}
    return tuple(sorted(names, key=lambda name: (name.casefold(), name)))


def _label(annotation: Annotation, classes: Mapping[str, tuple[int, ...]]) -> Label:
    if annotation.kind is AnnotationKind.RTSTRUCT:
        here = [name for name in classes if name in annotation.names.values()]
        return Contours(annotation.path, {name: classes[name][0] for name in here})
    numbers = {n: classes[s][0] for n, s in annotation.names.items() if s in classes}
    return DicomSegmentation(annotation.path, numbers)


def _remarks(indexed: Index, unused: int) -> tuple[str, ...]:
    remarks = [f"{path.name} was left out: {reason}" for path, reason in indexed.problems]
    if unused:
        remarks.append(f"{unused} segmentations or structure sets were left out:"
                       " their series is missing or has another")  # fmt: skip
    return tuple(remarks)
