"""Codes for what is found in a retina.

SNOMED CT where a DICOM context group (PS3.16 CID 4209, 7150, 218) names the term; else our own.
The lesions of retinopathy stand in none.
"""

from collections.abc import Mapping

from medloop.core.code import Code
from medloop.core.image import Segment

OWN = "99MEDLOOP"
ABNORMAL = Code("SCT", "49755003", "Morphologically Abnormal Structure")
ANATOMY = Code("SCT", "91723000", "Anatomical Structure")
RETINA = Code("SCT", "5665001", "Retina")
OPTIC_DISC = Code("SCT", "81016008", "Optic nerve head")

CONCEPTS: Mapping[str, Code] = {
    "MA": Code(OWN, "RET-MA", "Retinal microaneurysm"),
    "HE": Code(OWN, "RET-HE", "Retinal hemorrhage"),
    "EX": Code(OWN, "RET-EX", "Hard exudate of retina"),
    "SE": Code(OWN, "RET-SE", "Soft exudate of retina (cotton wool spot)"),
}
QUADRANT_SITES: Mapping[str, Code] = {
    "ST": Code(OWN, "RET-ST", "Superior temporal quadrant of retina"),
    "SN": Code(OWN, "RET-SN", "Superior nasal quadrant of retina"),
    "IT": Code(OWN, "RET-IT", "Inferior temporal quadrant of retina"),
    "IN": Code(OWN, "RET-IN", "Inferior nasal quadrant of retina"),
}
COUNT = Code("SCT", "246206008", "Number of lesions")
AREA = Code("SCT", "42798000", "Area")
AREA_ESTIMATED = Code(OWN, "AREA-DD", "Area, estimated from a disc diameter of 1.8 mm")
AREA_SHARE = Code(OWN, "AREA-FIELD", "Share of the visible field")
FOVEA_DISTANCE = Code(OWN, "FOVEA-DD", "Distance of the nearest to the fovea")

# Labels of the lesion map; colors keep apart for color-blind readers (Okabe and Ito 2008).
SEGMENTS: Mapping[int, Segment] = {
    1: Segment("Microaneurysms", ABNORMAL, CONCEPTS["MA"], (86, 180, 233), RETINA),
    2: Segment("Hemorrhages", ABNORMAL, CONCEPTS["HE"], (255, 255, 255), RETINA),
    3: Segment("Hard exudates", ABNORMAL, CONCEPTS["EX"], (0, 220, 160), RETINA),
    4: Segment("Soft exudates", ABNORMAL, CONCEPTS["SE"], (240, 228, 66), RETINA),
    5: Segment("Optic disc", ANATOMY, OPTIC_DISC, (204, 121, 167), RETINA),
}
LABELS: Mapping[str, int] = {"MA": 1, "HE": 2, "EX": 3, "SE": 4, "OD": 5}
