"""Every file that pydicom and pydicom-data ship ends in an image or in one line."""

from collections import Counter
from pathlib import Path

import data_store
import pydicom
import pytest

from medloop.core.errors import InputError, UnsuitableError
from medloop.core.study import Selection
from medloop.workflow.intake import gather, read_case

FOLDERS = (Path(pydicom.__file__).parent / "data", Path(data_store.__file__).parent)
FILES = sorted(
    path
    for folder in FOLDERS
    for path in folder.rglob("*")
    if path.is_file() and path.suffix not in (".py", ".pyc")
)


def ending(path: Path, scratch: Path) -> tuple[str, str]:
    """How a file ends (image, unsuitable, bad), and why; anything else is a bug."""
    intake = gather([path], scratch=scratch)
    for problem in intake.problems:
        return "bad", problem.reason
    assert intake.studies, "neither a study nor a reason"
    for study in intake.studies:
        for series in study.series:
            try:
                case = read_case(study, Selection((series,)))
            except UnsuitableError as error:
                return "unsuitable", str(error)
            except InputError as error:
                return "bad", str(error)
            assert case.images[0].array.size > 0
    return "image", ""


@pytest.mark.slow
def test_every_file_ends_in_an_image_or_a_one_line_reason(tmp_path):
    seen: Counter[str] = Counter()
    wrong = []
    for number, path in enumerate(FILES):
        (scratch := tmp_path / str(number)).mkdir()
        try:
            kind, reason = ending(path, scratch)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is what we look for)
            wrong.append(f"{path.name}: {error!r}")
            continue
        seen[kind] += 1
        if (kind != "image" and not 5 < len(reason.strip()) < 250) or "\n" in reason:
            wrong.append(f"{path.name}: {reason!r}")
    assert not wrong, "\n".join([*wrong, str(seen)])
    assert seen["image"] >= 150, seen


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("MR_truncated.dcm", "image is truncated: 8130 bytes of 8192"),
        ("JPEG2000-embedded-sequence-delimiter.dcm", "the header says 256 x 1024"),
        ("JPGExtended.dcm", "no installed decoder reads them"),
        ("rtdose.dcm", "RTDOSE holds no image"),
        ("test-SR.dcm", "SR holds no image"),
        ("zipMR.gz", "is no DICOM, NIfTI, PNG, JPEG, TIFF or zip file"),
    ],
)
def test_the_reason_names_what_is_wrong(tmp_path, name, reason):
    (path,) = (path for path in FILES if path.name == name)
    assert reason in ending(path, tmp_path)[1]
