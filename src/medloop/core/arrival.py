"""One object as it came, before anything is made of its study."""

from dataclasses import dataclass

from medloop.core.names import SeriesUid, SopUid, StudyUid
from medloop.core.study import Patient


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one stored object says of itself; every text may be empty.

    `header` is DICOM JSON (PS3.18 F.2) of what QIDO-RS is asked for, in UTF-8. `step` and
    `procedure` name what its series was requested as, the first of it.
    """

    uid: SopUid
    study: StudyUid
    study_name: str  # as a folder
    series: SeriesUid
    sop_class: str
    transfer_syntax: str
    modality: str
    number: int
    patient: Patient
    date: str  # YYYYMMDD
    time: str  # HHMMSS.FFFFFF
    description: str
    accession: str
    referring: str
    header: str
    study_id: str = ""
    step: str = ""  # Scheduled Procedure Step ID
    procedure: str = ""  # Requested Procedure ID
