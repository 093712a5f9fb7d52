"""Codes for what is found in a lung.

SNOMED CT and DICOM's own where PS3.16 names the term (CID 6100 ff., 7469, 7471); sides of lobes
and what has no term there are our own.
"""

from collections.abc import Mapping

from medloop.core.code import Code
from medloop.core.image import Segment
from medloop.imaging.lobes import Lobe

OWN = "99MEDLOOP"
LUNG = Code("SCT", "39607008", "Lung")
NODULE = Code("SCT", "27925004", "Nodule")
MORPHOLOGY = Code("SCT", "49755003", "Morphologically Altered Structure")

LONG_AXIS = Code("SCT", "103339001", "Long axis")
SHORT_AXIS = Code("SCT", "103340004", "Short axis")
MEAN_DIAMETER = Code(OWN, "LUNG-MEAN-MM", "Mean of long and short axis")
LARGEST_DIAMETER = Code(OWN, "LUNG-3D-MM", "Maximum 3D diameter")
VOLUME = Code("SCT", "118565006", "Volume")
SOLID_MEAN = Code(OWN, "LUNG-SOLID-MM", "Mean diameter of the solid part")
SOLID_VOLUME = Code(OWN, "LUNG-SOLID-MM3", "Volume of the solid part")
SPICULATION = Code(OWN, "LUNG-SPICULATION", "Spiculation index")
SUSPICION = Code(OWN, "LUNG-SUSPICION", "Suspicion of malignancy as LIDC readers rate it")
LOBE_SURE = Code(OWN, "LUNG-LOBE-P", "Probability of the lobe")

# Against an earlier study of the patient.
PRIOR_LONG = Code(OWN, "LUNG-WAS-LONG", "Long axis in the prior study")
PRIOR_SHORT = Code(OWN, "LUNG-WAS-SHORT", "Short axis in the prior study")
PRIOR_MEAN = Code(OWN, "LUNG-WAS-MEAN", "Mean of long and short axis in the prior study")
PRIOR_VOLUME = Code(OWN, "LUNG-WAS-VOLUME", "Volume in the prior study")
PRIOR_DAYS = Code(OWN, "LUNG-WAS-DAYS", "Time since the prior study")
MEAN_CHANGE = Code(OWN, "LUNG-MEAN-MORE", "Change of mean diameter since the prior study")
VOLUME_CHANGE = Code(OWN, "LUNG-VOL-MORE", "Change of volume since the prior study")
DOUBLING_TIME = Code(OWN, "LUNG-DOUBLING", "Volume doubling time")
FIRST_MEAN = Code(OWN, "LUNG-FIRST-MEAN", "Mean diameter in the first study that was compared")
FIRST_DAYS = Code(OWN, "LUNG-FIRST-DAYS", "Time since the first study that was compared")

SITES: Mapping[Lobe, Code] = {
    Lobe.RIGHT_UPPER: Code("SCT", "42400003", "Upper lobe of right lung"),
    Lobe.RIGHT_MIDDLE: Code("SCT", "72481006", "Middle lobe of right lung"),
    Lobe.RIGHT_LOWER: Code("SCT", "266005", "Lower lobe of right lung"),
    Lobe.LEFT_UPPER: Code("SCT", "44714003", "Upper lobe of left lung"),
    Lobe.LEFT_LOWER: Code("SCT", "41224006", "Lower lobe of left lung"),
}

# Colors keep apart for color-blind readers (Okabe and Ito 2008), one after the other.
_COLORS = (
    (240, 170, 40),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


def segment_of(number: int) -> Segment:
    """Describe the segment of the nodule with this number, from 1 on."""
    color = _COLORS[(number - 1) % len(_COLORS)]
    return Segment(f"Nodule {number}", MORPHOLOGY, NODULE, color, LUNG)
