"""What an object then says of itself: that, and how, it was de-identified (PS3.3 C.7.1.1)."""

from pydicom import Dataset
from pydicom.sequence import Sequence

import medloop
from medloop.dicom.deidentify.profile import EDITION, Profile

_HEAD: tuple[str, ...] = ("HEAD", "BRAIN", "FACE", "SKULL", "SINUS", "ORBIT", "JAW", "HEADNECK")


def mark(dataset: Dataset, profile: Profile, *, text_removed: bool, defaced: bool) -> None:
    """Set (0012,0062), (0012,0063), (0012,0064), (0028,0303), (0028,0301) and (0028,0302).

    `text_removed` says that text was looked for and what was found is gone, `defaced` that the
    face is. Neither attribute is made up for an object that was not looked at.
    """
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = [
        f"medloop {medloop.__version__}",
        f"PS3.15 {EDITION} Annex E Basic Profile",
    ]
    codes = profile.codes(pixels=text_removed, features=defaced)
    dataset.DeidentificationMethodCodeSequence = Sequence([_code(*code) for code in codes])
    dataset.LongitudinalTemporalInformationModified = profile.temporal
    if "PixelData" not in dataset:
        return
    if text_removed:
        dataset.BurnedInAnnotation = "NO"
    if defaced:
        dataset.RecognizableVisualFeatures = "NO"
    elif shows_a_head(dataset):
        dataset.RecognizableVisualFeatures = "YES"


def shows_a_head(dataset: Dataset) -> bool:
    """Whether a CT or MR image says that it shows a head."""
    return str(dataset.get("Modality")) in ("CT", "MR") and _part(dataset).startswith(_HEAD)


def may_show_a_head(dataset: Dataset) -> bool:
    """Whether a CT or MR image says that it shows a head, or does not say what it shows."""
    part = _part(dataset)
    fits = not part or part.startswith((*_HEAD, "NECK"))
    return fits and str(dataset.get("Modality")) in ("CT", "MR")


def _part(dataset: Dataset) -> str:
    return str(dataset.get("BodyPartExamined") or "").upper().replace(" ", "")


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
