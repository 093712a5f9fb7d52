"""Codes we write and read: the standard's where we are sure of them, else our own scheme.

Codes of ``99MEDLOOP`` are listed in docs/reference/dicom-conformance.md.
"""

import hashlib
from collections.abc import Mapping

from medloop.core.code import Code

PRIVATE = "99MEDLOOP"
MANUFACTURER = "medloop"  # of every object that we write


def dcm(value: str, meaning: str) -> Code:
    """Name a concept of the DICOM Controlled Terminology (PS3.16 annex D)."""
    return Code("DCM", value, meaning)


ALGORITHM_FAMILY = dcm("123110", "Artificial Intelligence")  # CID 7162
SOURCE_IMAGE = dcm("121322", "Source image for image processing operation")
YES = Code("SCT", "373066001", "Yes")
NO = Code("SCT", "373067005", "No")
PROBABILITY = dcm("122157", "Probability")
RETINA = Code("SCT", "5665001", "Retina")
HIPPOCAMPUS = Code("SCT", "5366008", "Hippocampus")

# What an analysis looks at.
SITES: Mapping[str, Code] = {"retina": RETINA, "hippocampus": HIPPOCAMPUS}

# How the keys of `Result.assessments` are named in an SR: code value (16 characters at most)
# and meaning. A key that is not here is named after itself.
CONCEPTS: Mapping[str, Code] = {
    "ICDR": Code(PRIVATE, "ICDR", "International Clinical Diabetic Retinopathy severity grade"),
    "ICDR_probabilities": Code(PRIVATE, "ICDR-P", "Probability of ICDR grade"),
    "DME": Code(PRIVATE, "DME", "Diabetic macular edema risk grade"),
    "DME_probabilities": Code(PRIVATE, "DME-P", "Probability of DME grade"),
    "CN1984": Code(PRIVATE, "CN1984", "Stage of diabetic retinopathy, China 1984"),
    "ETDRS_range": Code(PRIVATE, "ETDRS", "Range of ETDRS severity levels"),
    "referable": Code(PRIVATE, "REFERABLE", "Referable diabetic retinopathy"),
    "referable_probability": Code(
        PRIVATE, "REFERABLE-P", "Probability of referable diabetic retinopathy"
    ),
    "gradable": Code(PRIVATE, "GRADABLE", "Image quality suffices for grading"),
    "four_class": Code(PRIVATE, "FOUR-CLASS", "Diabetic retinopathy in four classes"),
    "four_class_probabilities": Code(
        PRIVATE, "FOUR-CLASS-P", "Probability of four-class grade"
    ),
    "four_class_map": Code(PRIVATE, "FOUR-CLASS-MAP", "How four classes follow from ICDR"),
    "disc_center_px": Code(PRIVATE, "DISC-PX", "Center of optic disc, pixel"),
    "fovea_center_px": Code(PRIVATE, "FOVEA-PX", "Center of fovea, pixel"),
    "hippocampus_mm3": Code(PRIVATE, "HIP-VOL", "Volume of hippocampus"),
    "anterior_mm3": Code(PRIVATE, "HIP-A-VOL", "Volume of anterior hippocampus"),
    "posterior_mm3": Code(PRIVATE, "HIP-P-VOL", "Volume of posterior hippocampus"),
    "hippocampus_expected_mm3": Code(PRIVATE, "HIP-EXP", "Expected volume of hippocampus"),
    "hippocampus_range_mm3": Code(PRIVATE, "HIP-RANGE", "Range of volume of hippocampus"),
    "anterior_range_mm3": Code(
        PRIVATE, "HIP-A-RANGE", "Range of volume of anterior hippocampus"
    ),
    "posterior_range_mm3": Code(
        PRIVATE, "HIP-P-RANGE", "Range of volume of posterior hippocampus"
    ),
    "side": Code(PRIVATE, "SIDE", "Side of the body"),
    "side_from": Code(PRIVATE, "SIDE-BY", "What the side of the body was told from"),
}

# Values of graded assessments.
SCALES: Mapping[str, Mapping[int, Code]] = {
    "ICDR": {
        0: Code(PRIVATE, "ICDR-0", "No apparent diabetic retinopathy"),
        1: Code("SCT", "312903003", "Mild nonproliferative diabetic retinopathy"),
        2: Code("SCT", "312904009", "Moderate nonproliferative diabetic retinopathy"),
        3: Code("SCT", "312905005", "Severe nonproliferative diabetic retinopathy"),
        4: Code("SCT", "59276001", "Proliferative diabetic retinopathy"),
    },
    "DME": {
        0: Code(PRIVATE, "DME-0", "No hard exudates seen"),
        1: Code(PRIVATE, "DME-1", "Hard exudates over one disc diameter from the fovea"),
        2: Code(PRIVATE, "DME-2", "Hard exudates within one disc diameter of the fovea"),
    },
    "four_class": {
        0: Code(PRIVATE, "FOUR-CLASS-0", "No apparent diabetic retinopathy"),
        1: Code(PRIVATE, "FOUR-CLASS-1", "Mild nonproliferative diabetic retinopathy"),
        2: Code(PRIVATE, "FOUR-CLASS-2", "Moderate nonproliferative diabetic retinopathy"),
        3: Code(PRIVATE, "FOUR-CLASS-3", "Severe or proliferative diabetic retinopathy"),
    },
}

_UNITS = {"1": "no units", "%": "percent", "{pixels}": "pixels"}
_UNITS_BY_END = {"_px": "{pixels}", "_mm3": "mm3", "_mm": "mm"}


def unit_code(unit: str) -> Code:
    """Name a UCUM unit."""
    return Code("UCUM", unit, _UNITS.get(unit, unit))


def unit_of(key: str) -> str:
    """Tell the UCUM unit of an assessment by the end of its key."""
    return next((unit for end, unit in _UNITS_BY_END.items() if key.endswith(end)), "1")


def concept_of(key: str, index: int | str | None = None) -> Code:
    """Name an assessment, or one element of it; long keys are shortened with a hash."""
    known = CONCEPTS.get(key)
    base = known or Code(PRIVATE, key, key)
    suffix = "" if index is None else f"-{index}"
    value = base.value + suffix
    if len(value) > 16:
        value = value[:9] + "." + hashlib.sha256(value.encode()).hexdigest()[:6]
    meaning = base.meaning + ("" if index is None else f" [{index}]")
    return Code(PRIVATE, value, meaning)


def grade_code(key: str, value: int | str) -> Code:
    """Code a graded value: ``ICDR-2`` for a number, ``CN1984:II`` for a name."""
    if isinstance(value, int):
        known = SCALES.get(key, {}).get(value)
        return known or Code(PRIVATE, f"{key}-{value}"[:16], f"{key} {value}"[:64])
    return Code(PRIVATE, f"{concept_of(key).value}:{value}"[:16], f"{key} {value}"[:64])


def fits_code(key: str, value: str) -> bool:
    """Whether a word can be a private code: short, plain, and no number in disguise."""
    return (
        len(f"{concept_of(key).value}:{value}") <= 16
        and value.isascii()
        and value.isprintable()
        and "\\" not in value
    )
