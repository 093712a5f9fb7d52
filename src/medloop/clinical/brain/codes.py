"""Codes for what is measured in a brain.

SNOMED CT where a DICOM context group (PS3.16 CID 7140, 7150, 7469) names the term;
the parts of the hippocampus, which stand in none, have our own.
"""

from collections.abc import Mapping

from medloop.core.code import Code
from medloop.core.image import Segment

OWN = "99MEDLOOP"
ANATOMY = Code("SCT", "91723000", "Anatomical Structure")
BRAIN = Code("SCT", "12738006", "Brain")
HIPPOCAMPUS = Code("SCT", "5366008", "Hippocampus")

VOLUME = Code("SCT", "118565006", "Volume")
EXPECTED = Code(OWN, "VOL-EXPECTED", "Volume expected from the probabilities")
SURE = Code(OWN, "VOL-P75", "Volume of voxels with a probability over 0.75")
POSSIBLE = Code(OWN, "VOL-P25", "Volume of voxels with a probability over 0.25")

PARTS = ("anterior", "posterior")
LABELS: Mapping[str, int] = {"anterior": 1, "posterior": 2}
CONCEPTS: Mapping[str, Code] = {
    "anterior": Code(OWN, "BRN-HIP-A", "Anterior hippocampus (head)"),
    "posterior": Code(OWN, "BRN-HIP-P", "Posterior hippocampus (body and tail)"),
}

# Colors keep apart for color-blind readers (Okabe and Ito 2008).
SEGMENTS: Mapping[int, Segment] = {
    1: Segment(
        "Anterior hippocampus", ANATOMY, CONCEPTS["anterior"], (240, 170, 40), HIPPOCAMPUS
    ),
    2: Segment(
        "Posterior hippocampus", ANATOMY, CONCEPTS["posterior"], (86, 180, 233), HIPPOCAMPUS
    ),
}
