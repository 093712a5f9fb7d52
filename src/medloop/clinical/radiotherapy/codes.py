"""The organs at risk: names, codes and colors.

Names follow AAPM TG-263 (Mayo 2018). SNOMED CT codes are those DICOM lists (PS3.16 CID 7140,
7151, 8134), which has none for one side of a pair: the side is in the name, in contours a code
beside the organ's, and in findings a site of our own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from medloop.core.code import Code
from medloop.core.image import Segment

OWN: Final = "99MEDLOOP"
ANATOMY: Final = Code("SCT", "91723000", "Anatomical Structure")

VOLUME: Final = Code("SCT", "118565006", "Volume")
SURE: Final = Code(OWN, "VOL-P75", "Volume of voxels with a probability over 0.75")
POSSIBLE: Final = Code(OWN, "VOL-P25", "Volume of voxels with a probability over 0.25")
EXPECTED_DICE: Final = Code(OWN, "DICE-EXPECTED", "Dice expected from the probabilities")
MIRROR_DICE: Final = Code(OWN, "DICE-MIRROR", "Dice between the answers to both mirror images")


@dataclass(frozen=True, slots=True)
class OrganAtRisk:
    """One organ: its label, its name in texts, in TG-263 and in plans of networks, its code."""

    label: int
    name: str
    tg263: str
    network: str
    concept: Code
    color: tuple[int, int, int]
    side: Code | None = None
    site: Code | None = None

    @property
    def segment(self) -> Segment:
        """Describe it for a label map."""
        return Segment(self.name.capitalize(), ANATOMY, self.concept, self.color)


_PAROTID: Final = Code("SCT", "45289007", "Parotid gland")
_RIGHT: Final = (
    Code("SCT", "24028007", "Right"),
    Code(OWN, "HN-PAROTID-R", "Right parotid gland"),
)
_LEFT: Final = (
    Code("SCT", "7771000", "Left"),
    Code(OWN, "HN-PAROTID-L", "Left parotid gland"),
)

# By the keys of the atlas, in the order of labels. Colors keep apart for color-blind readers
# (Okabe and Ito 2008).
ORGANS: Final[Mapping[str, OrganAtRisk]] = {
    "brainstem": OrganAtRisk(
        1,
        "brainstem",
        "Brainstem",
        "brainstem",
        Code("SCT", "119238007", "Brain Stem"),
        (86, 180, 233),
    ),
    "spinal_cord": OrganAtRisk(
        2,
        "spinal cord",
        "SpinalCord",
        "spinal cord",
        Code("SCT", "2748008", "Spinal cord"),
        (240, 228, 66),
    ),
    "right_parotid": OrganAtRisk(
        3, "right parotid", "Parotid_R", "right parotid", _PAROTID, (0, 158, 115), *_RIGHT
    ),
    "left_parotid": OrganAtRisk(
        4, "left parotid", "Parotid_L", "left parotid", _PAROTID, (240, 170, 40), *_LEFT
    ),
    "oesophagus": OrganAtRisk(
        5,
        "oesophagus",
        "Esophagus",
        "oesophagus",
        Code("SCT", "32849002", "Esophagus"),
        (204, 121, 167),
    ),
    "larynx": OrganAtRisk(
        6, "larynx", "Larynx", "larynx", Code("SCT", "4596009", "Larynx"), (213, 94, 0)
    ),
    "mandible": OrganAtRisk(
        7,
        "mandible",
        "Bone_Mandible",
        "mandible",
        Code("SCT", "91609006", "Mandible"),
        (90, 110, 255),
    ),
}
PAIR: Final = ("right_parotid", "left_parotid")
