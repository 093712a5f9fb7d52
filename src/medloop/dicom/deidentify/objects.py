"""One DICOM file in, one without an identity out, or the reason why not."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jaxtyping import Bool
from numpy import ndarray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from medloop.core.errors import InputError
from medloop.dicom.damage import damage
from medloop.dicom.deidentify.engine import Changes, Engine, Patient
from medloop.dicom.deidentify.faces import remove_face
from medloop.dicom.deidentify.identity import Identity, identity_of
from medloop.dicom.deidentify.keys import Key
from medloop.dicom.deidentify.marks import mark, shows_a_head
from medloop.dicom.deidentify.overlays import clean_overlays
from medloop.dicom.deidentify.pixels import (
    Blanked,
    Reader,
    blank_text,
    has_pictures,
    is_at_risk,
    tidy,
)
from medloop.dicom.deidentify.profile import Clean, Profile, Retain
from medloop.dicom.foreign import DICOM_ERRORS, quiet
from medloop.dicom.pixels import open_dataset
from medloop.dicom.write.uids import IMPLEMENTATION_NAME, IMPLEMENTATION_UID

_DICOMDIR: Final = "1.2.840.10008.1.3.10"
_REFUSED: Final[Mapping[str, str]] = {
    _DICOMDIR: "is a DICOMDIR, which lists patients; make a new one of the output",
    "1.2.840.10008.5.1.4.1.1.66": "is raw data, whose content is not known",
    "1.2.840.10008.5.1.4.1.1.9.4.1": "is a voice recording",
    "1.2.840.10008.5.1.4.1.1.9.4.2": "is a voice recording",
}
_SHORTEST_TRACE: Final = 8
_DATE: Final = re.compile(r"\d{8}")  # a date of another event may be the same day


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """How files are cleaned: the profile, the key, and who finds text in pictures."""

    profile: Profile
    key: Key
    read: Reader


@dataclass(frozen=True, slots=True)
class Told:
    """What was done to one file; nothing here names a person but the keys of `uids`."""

    sop_class: str
    removed: Mapping[str, int] = field(default_factory=dict)
    replaced: Mapping[str, int] = field(default_factory=dict)
    cleaned: Mapping[str, int] = field(default_factory=dict)
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    text_sought: bool = False
    defaced: bool = False
    warnings: tuple[str, ...] = ()
    uids: Mapping[str, str] = field(default_factory=dict)


def deidentify(
    path: Path,
    out: Path,
    task: Task,
    patient: Patient,
    *,
    face: Bool[ndarray, "j i"] | None = None,
) -> Told:
    """Clean one file and write it; `face` marks pixels to take out of a slice.

    Nothing is left at `out` if anything fails.

    Raises
    ------
    InputError
        If the file is damaged, or cannot be cleaned.
    ServiceError
        If a part is missing that is needed.
    """
    with quiet():
        dataset = open_dataset(path)
        try:
            data, told = _cleaned(dataset, task, patient, face)
        except DICOM_ERRORS as error:
            raise InputError(f"DICOM file is damaged: {damage(error, dataset)}") from error
    write_whole(out, data)
    return told


def write_whole(out: Path, data: bytes) -> None:
    """Write all of a file or nothing."""
    part = out.with_name(f".{out.name}.part")
    try:
        part.write_bytes(data)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _cleaned(
    dataset: Dataset, task: Task, patient: Patient, face: Bool[ndarray, "j i"] | None
) -> tuple[bytes, Told]:
    profile = task.profile
    stored_as = dataset.file_meta.get("MediaStorageSOPClassUID")
    sop_class = str(dataset.get("SOPClassUID") or stored_as or "")
    _refuse(dataset, sop_class)
    patient = Patient(
        patient.identity.joined(identity_in(dataset, profile)),
        patient.pseudonym,
        patient.shift_days,
    )
    at_risk = is_at_risk(dataset)
    _decode_texts(dataset)
    engine = Engine(profile, task.key, patient, sop_class)
    tidy(dataset)
    engine.clean(dataset)
    blanked = Blanked()
    if at_risk or (Clean.PIXELS in profile.clean and has_pictures(dataset)):
        blanked = blank_text(dataset, task.read)
    if Clean.GRAPHICS in profile.clean:
        clean_overlays(dataset, task.read)
    if face is not None:
        remove_face(dataset, face)
    mark(dataset, profile, text_removed=blanked.was_read, defaced=face is not None)
    data = _bytes(dataset)
    _look_again(data, dataset, patient.identity)
    return data, _told(engine.changes, dataset, blanked, face)


def identity_in(dataset: Dataset, profile: Profile) -> Identity:
    """Gather what an object tells of who it is about, but for what the profile retains."""
    return identity_of(
        dataset,
        keep_device=Retain.DEVICE in profile.retain,
        keep_institution=Retain.INSTITUTION in profile.retain,
    )


def _refuse(dataset: Dataset, sop_class: str) -> None:
    """Refuse what cannot be looked into.

    Raises
    ------
    InputError
        With the reason.
    """
    if not sop_class:
        raise InputError("has no SOP Class UID")
    if sop_class in _REFUSED:
        raise InputError(_REFUSED[sop_class])
    if "EncapsulatedDocument" in dataset:
        raise InputError("is an encapsulated document, whose content is not looked into")
    syntax = dataset.file_meta.TransferSyntaxUID
    if "MPEG" in syntax.name or "HEVC" in syntax.name:
        raise InputError(f"is a film ({syntax.name}), whose frames are not looked into")
    if "LABEL" in [str(kind) for kind in dataset.get("ImageType") or ()]:
        raise InputError("is a photograph of a slide's label")


def _decode_texts(dataset: Dataset) -> None:
    """Decode all text in the character sets it was written in, before any is replaced."""
    try:
        dataset.decode()
    except DICOM_ERRORS:
        dataset.SpecificCharacterSet = "ISO_IR 192"


def _bytes(dataset: Dataset) -> bytes:
    """Write with an empty preamble and a meta header of our own (PS3.10 7.1)."""
    syntax = dataset.file_meta.TransferSyntaxUID
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    dataset.file_meta = meta
    dataset.preamble = b"\0" * 128
    target = io.BytesIO()
    try:
        dataset.save_as(target, enforce_file_format=True)
    except (UnicodeEncodeError, LookupError):
        dataset.SpecificCharacterSet = "ISO_IR 192"
        target = io.BytesIO()
        dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()


def _look_again(data: bytes, dataset: Dataset, identity: Identity) -> None:
    """Search what is about to be written for long names and numbers of the person.

    Raises
    ------
    InputError
        If one is still there: the file is then not written.
    """
    pixels = dataset.get("PixelData")
    header = data if pixels is None else data[: max(len(data) - len(pixels), 0)]
    lower = header.lower()
    traces = [
        trace
        for trace in identity.names | identity.numbers
        if len(trace) >= _SHORTEST_TRACE and not _DATE.fullmatch(trace)
    ]
    for trace in traces:
        if trace.isascii() and trace.lower().encode() in lower:
            raise InputError("something that identifies would have remained")


def _told(
    changes: Changes, dataset: Dataset, blanked: Blanked, face: Bool[ndarray, "j i"] | None
) -> Told:
    warnings = set(changes.warnings)
    if shows_a_head(dataset) and face is None:
        warnings.add("shows a head: the face may be recognized when it is rendered")
    return Told(
        str(dataset.SOPClassUID),
        dict(changes.removed),
        dict(changes.replaced),
        {name: count for name, count in changes.cleaned.items() if count},
        tuple((box.top, box.left, box.bottom, box.right) for box in blanked.boxes),
        blanked.was_read,
        face is not None,
        tuple(sorted(warnings)),
        dict(changes.uids),
    )
