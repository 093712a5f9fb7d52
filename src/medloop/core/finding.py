"""What was found, how big, where, and how sure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from medloop.core.attestation import Attestation
from medloop.core.code import Code
from medloop.core.image import HeatMap, LabelMap, Patch
from medloop.core.names import SopUid
from medloop.core.notice import Notice
from medloop.core.structure import Structure

# What an assessment may hold in result.json: a grade, a scale value, probabilities, a place.
Assessment = bool | int | float | str | None | tuple[float, ...] | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number with its meaning and UCUM unit (``"mm"``, ``"mm3"``, ``"1"``, ``"%"``)."""

    concept: Code
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box by two corners: LPS mm in 3-D, [x, y] pixels in 2-D."""

    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Tracking:
    """What a lesion is called from study to study: a name to read, and a UID (TID 1501)."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation about the patient.

    `probability` is that the finding exists. Places: `center_lps_mm` [x, y, z] on volumes,
    `center_px` [x, y] (0-based pixel centers) on pictures; `segment` is a label of the label
    map. `tracking` is what the lesion was called in an earlier study; None where it is seen for
    the first time, and gets its name when it is written (`dicom.write.tracking`).
    """

    concept: Code
    site: Code | None = None
    measurements: tuple[Measurement, ...] = ()
    probability: float | None = None
    center_lps_mm: tuple[float, float, float] | None = None
    center_px: tuple[float, float] | None = None
    box: Box | None = None
    segment: int | None = None
    tracking: Tracking | None = None

    def measured(self, concept: Code) -> float | None:
        """Return what was measured under a concept; None where nothing was."""
        values = (each.value for each in self.measurements if each.concept == concept)
        return next(values, None)


@dataclass(frozen=True, slots=True)
class Weights:
    """The bundle that answered; `sha256` is of its weights file.

    `precision` is the arithmetic it answered in: ``fp32``, ``bf16`` or ``int8``.
    """

    bundle: str
    version: str
    sha256: str
    precision: str = "fp32"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Enough to reproduce a result, and to blame it on someone.

    `attested` is the signature of the person who read the result; None for an analysis' own.
    """

    analysis: str
    version: str
    weights: tuple[Weights, ...]
    inputs: tuple[SopUid, ...]
    input_sha256: str
    finished: datetime
    attested: Attestation | None = None

    @property
    def told(self) -> datetime:
        """When what the result says was said: by the analysis, or by who signed it."""
        return self.attested.at if self.attested else self.finished


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Everything one analysis says about one case."""

    provenance: Provenance
    findings: tuple[Finding, ...]
    assessments: Mapping[str, Assessment]
    labels: LabelMap | None = None
    heat_maps: tuple[HeatMap, ...] = ()
    warnings: tuple[Notice, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)
    structures: tuple[Structure, ...] = ()
    likely: Mapping[int, Patch] = field(default_factory=dict)  # probability by segment
