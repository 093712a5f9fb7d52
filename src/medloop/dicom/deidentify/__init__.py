"""De-identification of DICOM objects (PS3.15 Annex E)."""

from medloop.dicom.deidentify.engine import Patient
from medloop.dicom.deidentify.faces import face_masks
from medloop.dicom.deidentify.identity import Identity
from medloop.dicom.deidentify.keys import Key, key_from_passphrase, read_key
from medloop.dicom.deidentify.objects import Task, Told, deidentify
from medloop.dicom.deidentify.ocr import find_text
from medloop.dicom.deidentify.profile import Clean, Profile, Retain
from medloop.dicom.deidentify.survey import Surveyed, survey
from medloop.dicom.deidentify.vault import append, reveal

__all__ = [
    "Clean",
    "Identity",
    "Key",
    "Patient",
    "Profile",
    "Retain",
    "Surveyed",
    "Task",
    "Told",
    "append",
    "deidentify",
    "face_masks",
    "find_text",
    "key_from_passphrase",
    "read_key",
    "reveal",
    "survey",
]
