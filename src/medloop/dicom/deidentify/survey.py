"""A first look at a file: whose it is, before any is cleaned.

An SR without a patient's name may tell it in its text; that is only seen beside the images of
its study, so everything about a patient is gathered before anything is written.
"""

from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from medloop.core.errors import InputError
from medloop.dicom.damage import damage
from medloop.dicom.deflate import open_inflated
from medloop.dicom.deidentify.identity import Identity
from medloop.dicom.deidentify.marks import may_show_a_head
from medloop.dicom.deidentify.objects import identity_in
from medloop.dicom.deidentify.profile import Profile
from medloop.dicom.foreign import DICOM_ERRORS, quiet


@dataclass(frozen=True, slots=True, repr=False)
class Surveyed:
    """What the headers say; `patient` is empty where no patient is named."""

    patient: str
    study: str
    series: str
    identity: Identity
    may_have_a_face: bool


def survey(path: Path, profile: Profile) -> Surveyed:
    """Read a file's header, and gather who it names.

    Raises
    ------
    InputError
        If it is no readable DICOM file.
    """
    with quiet():
        try:
            with open_inflated(path) as file:
                dataset = dcmread(file, stop_before_pixels=True, force=True)
            number = str(dataset.get("PatientID") or "").strip()
            name = str(dataset.get("PatientName") or "").strip()
            born = str(dataset.get("PatientBirthDate") or "").strip()
            return Surveyed(
                number or (f"{name}\n{born}" if name else ""),
                str(dataset.get("StudyInstanceUID") or ""),
                str(dataset.get("SeriesInstanceUID") or ""),
                identity_in(dataset, profile),
                may_show_a_head(dataset) and int(dataset.get("NumberOfFrames") or 1) == 1,
            )
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}") from error
        except DICOM_ERRORS as error:
            raise InputError(f"DICOM file is damaged: {damage(error)}") from error
