"""``medloop demo``: a real fundus photograph, read as a picture and wrapped as DICOM."""

import tempfile
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import cv2

from medloop.apps.analyze import Summary, analyze_into
from medloop.apps.bootstrap import choose_analyses
from medloop.apps.console import Exit, note, say
from medloop.apps.output import require_folder, write_whole
from medloop.apps.settings import Settings
from medloop.core.errors import ServiceError
from medloop.core.study import Selection
from medloop.dicom.write import save
from medloop.dicom.write.photograph import photograph
from medloop.workflow.intake import FolderArchive, gather


def demo(out: Path, settings: Settings) -> Exit:
    """Analyze both and print the path of each report alone on a line.

    Raises
    ------
    ServiceError
        If the package that carries the photograph is not installed.
    """
    require_folder(out)
    pictures = write_photographs(out / "photographs")
    analyses = choose_analyses((), settings)
    summary = analyze_into(pictures, out, analyses, language=settings.language, are_named=False)
    for row in summary.rows:
        if row.outcome != "done":
            note(f"{row.input}: {row.reason}")
            continue
        for report in ("report.html", "report.pdf"):
            if (out / row.path / report).is_file():
                say(str(out / row.path / report))
    return _code(summary)


def write_photographs(folder: Path) -> tuple[Path, Path]:
    """Write the photograph in scikit-image as PNG and as an ophthalmic DICOM object."""
    if find_spec("skimage") is None:
        raise ServiceError(
            "the photograph comes with scikit-image, which is not installed: "
            "pip install 'medloop[demo]'"
        )
    from skimage.data import retina

    picture, wrapped = folder / "retina.png", folder / "retina.dcm"
    pixels = cv2.cvtColor(retina(), cv2.COLOR_RGB2BGR)  # type: ignore[no-untyped-call] # skimage
    write_whole(
        picture, lambda part: part.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    )
    with tempfile.TemporaryDirectory(prefix="medloop-") as scratch:
        intake = gather([picture], scratch=Path(scratch))
        study = intake.studies[0]
        case = FolderArchive(intake).case(study, Selection(study.series))
        dataset = photograph(case, now=datetime.now(UTC))
    write_whole(wrapped, lambda part: save(dataset, part))
    return picture, wrapped


def _code(summary: Summary) -> Exit:
    """Tell success only if both were analyzed; the demonstration has no other purpose."""
    done = sum(row.outcome == "done" for row in summary.rows)
    return Exit.DONE if done >= 2 else max(summary.code, Exit.TROUBLE)
