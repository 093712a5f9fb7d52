"""How far apart physicians draw organs of the head and neck, where that has been published.

Figures are those of the abstracts of the papers. What is not in them is None; an organ without
an entry (oesophagus) has no figure that we could vouch for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ObserverFigure:
    """Agreement of drawings of one organ; `against` says of what with what.

    `conformity` is the common part over the union (of two observers, or the mean over pairs),
    `spread_mm` a standard deviation of the surface in space.
    """

    source: str
    against: str
    dice: float | None = None
    mean_mm: float | None = None
    hausdorff_95_mm: float | None = None
    conformity: float | None = None
    spread_mm: float | None = None


_VEEN: Final = "van der Veen 2021, doi:10.1186/s13014-020-01677-2"
_VEEN_AGAINST: Final = "14 oncologists, 5 patients, each against one reference; medians"
_BROUWER: Final = "Brouwer 2012, doi:10.1186/1748-717X-7-32"
_BROUWER_AGAINST: Final = "5 oncologists, 12 patients, glottic larynx; means"
_MUKESH: Final = "Mukesh 2012, doi:10.1259/bjr/66693547"
_MUKESH_AGAINST: Final = "4 oncologists, 5 patients after parotidectomy; mean"

_PAROTID: Final = (
    ObserverFigure(_VEEN, _VEEN_AGAINST, dice=0.9, mean_mm=1.9, hausdorff_95_mm=5.1),
    ObserverFigure(_MUKESH, _MUKESH_AGAINST, conformity=0.60),
)

# By TG-263 name.
OBSERVERS: Final[Mapping[str, tuple[ObserverFigure, ...]]] = {
    "Brainstem": (
        ObserverFigure(_VEEN, _VEEN_AGAINST, dice=0.9, mean_mm=1.5, hausdorff_95_mm=4.0),
        ObserverFigure(_MUKESH, _MUKESH_AGAINST, conformity=0.23),
    ),
    "SpinalCord": (ObserverFigure(_MUKESH, _MUKESH_AGAINST, conformity=0.25),),
    "Parotid_R": _PAROTID,
    "Parotid_L": _PAROTID,
    "Larynx": (ObserverFigure(_BROUWER, _BROUWER_AGAINST, conformity=0.37, spread_mm=3.9),),
    "Bone_Mandible": (
        ObserverFigure(_VEEN, _VEEN_AGAINST, dice=0.9, mean_mm=1.1, hausdorff_95_mm=3.4),
    ),
}
