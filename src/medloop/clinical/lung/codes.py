"""Codes for where in the lungs something is.

SNOMED CT. The lobes of one side are those that the value sets of New Zealand's and Lithuania's
cancer registries use; DICOM's context groups name the middle lobe and, without a side, the upper
and the lower one (PS3.16 CID 7151).
"""

from collections.abc import Mapping
from typing import Final

from medloop.core.code import Code
from medloop.imaging.lobes import Lobe

LUNG: Final = Code("SCT", "39607008", "Lung")
LOBES: Final[Mapping[Lobe, Code]] = {
    Lobe.RIGHT_UPPER: Code("SCT", "42400003", "Upper lobe of right lung"),
    Lobe.RIGHT_MIDDLE: Code("SCT", "72481006", "Middle lobe of right lung"),
    Lobe.RIGHT_LOWER: Code("SCT", "266005", "Lower lobe of right lung"),
    Lobe.LEFT_UPPER: Code("SCT", "44714003", "Upper lobe of left lung"),
    Lobe.LEFT_LOWER: Code("SCT", "41224006", "Lower lobe of left lung"),
}
