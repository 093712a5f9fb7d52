"""What is left on disk when an analysis has answered: record, report and DICOM objects.

result.json is finished last, since it says how long the others took.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
from jaxtyping import UInt8
from numpy import ndarray

from medloop.core.errors import ServiceError
from medloop.core.finding import Result
from medloop.core.record import to_json, to_record
from medloop.core.study import Case, Notice
from medloop.files.patches import write_patches
from medloop.workflow.folders import fresh_folder
from medloop.workflow.patches import patches_of

Rgb = UInt8[ndarray, "y x 3"]


@dataclass(frozen=True, slots=True)
class Makers:
    """The parts that make products; `Makers.real` loads the shipped ones.

    `figures` draws pictures by name, `html` writes a page with them, `pdf` prints the page
    (`ServiceError` if it cannot here), `dicom` writes DICOM files into a folder from the PDF
    and the figures.
    """

    figures: Callable[[Case, Result], Mapping[str, Rgb]]
    html: Callable[[Case, Result, str, Mapping[str, Rgb]], str]
    pdf: Callable[[str], bytes]
    dicom: Callable[[Case, Result, bytes | None, Mapping[str, Rgb], Path], None]

    @classmethod
    def real(cls) -> "Makers":
        """Load what writes reports and DICOM, about a second that a run without them saves."""
        from medloop.clinical.report.pdf import to_pdf  # noqa: PLC0415
        from medloop.clinical.reports import pictures_for  # noqa: PLC0415

        return cls(figures=pictures_for, html=_html, pdf=to_pdf, dicom=_dicom)


def write_products(
    case: Case,
    result: Result,
    folder: Path,
    *,
    language: str,
    makers: Makers | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Write everything about a result into a folder, which then appears whole.

    Labels of a volume are written as ``labels.nii.gz`` too, on the voxels of the volume; what a
    network went by in boxes of a volume as ``heat.npz``.

    A PDF that cannot be printed on this machine is left out with a warning in the record.

    Raises
    ------
    ServiceError
        If the folder cannot be written.
    """
    started = clock()
    makers = makers or Makers.real()
    with fresh_folder(folder) as part, ThreadPoolExecutor(2) as threads:
        figures = makers.figures(case, result)
        drawing = [
            threads.submit(_save_png, image, part / f"{name}.png")
            for name, image in figures.items()
        ]
        labels = result.labels
        if labels is not None and labels.grid is not None:
            from medloop.files.nifti import write_nifti  # noqa: PLC0415 (as above)

            path = part / "labels.nii.gz"
            drawing.append(threads.submit(write_nifti, labels.array, labels.grid, path))
        for name, patches in patches_of(case, result).items():
            drawing.append(threads.submit(write_patches, patches, part / name))
        page = makers.html(case, result, language, figures)
        (part / "report.html").write_text(page, encoding="utf-8")
        pdf, missing = _print(makers, page)
        if pdf is not None:
            (part / "report.pdf").write_bytes(pdf)
        makers.dicom(case, result, pdf, figures, part)
        for written in drawing:
            written.result()
        told = replace(
            result,
            warnings=result.warnings + missing,
            timings_s={**result.timings_s, "write": clock() - started},
        )
        record = to_record(told, case.study, case.selection.source)
        (part / "result.json").write_text(to_json(record), encoding="utf-8")


def _print(makers: Makers, page: str) -> tuple[bytes | None, tuple[Notice, ...]]:
    try:
        return makers.pdf(page), ()
    except ServiceError as error:
        return None, (Notice("report_pdf_left_out", f"report.pdf was left out: {error}"),)


def _save_png(image: Rgb, path: Path) -> None:
    """Compress lightly: a full photograph at the usual level takes most of a second."""
    done, data = cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 2])
    if not done:
        raise ServiceError("a figure could not be compressed")
    path.write_bytes(data.tobytes())


def _html(case: Case, result: Result, language: str, figures: Mapping[str, Rgb]) -> str:
    from medloop.clinical.reports import report_for  # noqa: PLC0415

    finished = result.provenance.finished
    return report_for(case, result, language=language, now=finished, rendered=figures)


def _dicom(
    case: Case, result: Result, pdf: bytes | None, figures: Mapping[str, Rgb], folder: Path
) -> None:
    from medloop.dicom.write import dicom_objects, save  # noqa: PLC0415

    for name, dataset in dicom_objects(case, result, pdf=pdf, rendered=figures).items():
        save(dataset, folder / name)
