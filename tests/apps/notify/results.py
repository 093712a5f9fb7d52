"""A kept result with everything in it that a message could trip over."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from medloop.core.code import Code
from medloop.core.finding import Finding, Measurement, Provenance, Result, Weights
from medloop.core.record import to_json, to_record
from medloop.core.study import Notice, Patient, SopUid, Study, StudyUid

NODULE = Code("SCT", "27925004", "Nodule")
LUNG = Code("SCT", "39607008", "Lung")
VOLUME = Code("SCT", "118565006", "Volume")
DOUBLING = Code("99MEDLOOP", "LUNG-DOUBLING", "Volume doubling time")
FINISHED = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
PATIENT = Patient("Wang^XiaoDong^M^Dr^Jr=王^小东", "P|1^7", "19600101", "F")
STUDY = replace(
    Study(StudyUid("2.25.6"), "ct", (), PATIENT, "20260228", "Thorax"), accession="A&1"
)
SECRETS = ("Wang", "XiaoDong", "王", "P|1", "19600101", "A&1", "2.25.6")


def a_result_folder(folder: Path) -> Path:
    """Write result.json and report.pdf of one nodule, two assessments and a remark."""
    finding = Finding(
        NODULE,
        LUNG,
        (Measurement(VOLUME, 1_523_598.775, "mm3"), Measurement(DOUBLING, float("nan"), "d")),
        probability=0.7,
    )
    made = Provenance(
        "lung", "1.2", (Weights("lung_nodules", "3", "ab"),), (SopUid("1.2"),), "cc", FINISHED
    )
    result = Result(
        made,
        (finding,),
        {"Lung-RADS": "4A", "ICDR": 2, "gradable": True, "fovea_center_px": (1.5, 2.0)},
        warnings=(Notice("guessed", "slice gap of 2 mm | guessed\r\nfrom places"),),
    )
    products = folder / "lung-1"
    products.mkdir(parents=True)
    record = to_record(result, STUDY, "ct")
    (products / "result.json").write_text(to_json(record), encoding="utf-8")
    (products / "report.pdf").write_bytes(b"%PDF-1.4\n")
    return products
