"""Results as DICOM objects that a PACS accepts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray
from pydicom import Dataset

from medloop.core.finding import Result
from medloop.core.image import Picture
from medloop.core.study import Case
from medloop.dicom.foreign import quiet
from medloop.dicom.write.heatmap import capture
from medloop.dicom.write.pdf import encapsulated_pdf
from medloop.dicom.write.photograph import photograph
from medloop.dicom.write.rtstruct import structure_set
from medloop.dicom.write.seg import segmentation
from medloop.dicom.write.sources import source_headers
from medloop.dicom.write.sr import structured_report

__all__ = ["dicom_objects", "save"]

_CAPTURES = ("heatmap", "overlay")


def dicom_objects(
    case: Case,
    result: Result,
    *,
    pdf: bytes | None = None,
    rendered: Mapping[str, UInt8[ndarray, "y x 3"]] | None = None,
) -> Mapping[str, Dataset]:
    """Make every object a result gives, by file name.

    ``photograph.dcm`` only where the picture did not come as DICOM, ``seg.dcm`` where something
    is labeled, ``rtstruct.dcm`` where structures are drawn, ``sr.dcm``, ``heatmap.dcm`` and
    ``overlay.dcm`` for what `rendered` holds under ``"heatmap"`` and ``"overlay"``,
    ``report.dcm`` for the `pdf`. Times are the result's. A volume that did not come as DICOM
    has nothing to refer to and gives only the report.

    Raises
    ------
    InputError
        If the source cannot be read again, or does not fit the result.
    """
    objects: dict[str, Dataset] = {}
    sources: tuple[Dataset, ...] = ()
    with quiet():  # pydicom's remarks quote the values of the source
        if case.selection.series[0].instances[0].sop_class:
            sources = source_headers(case)
        elif isinstance(case.images[0], Picture):
            objects["photograph.dcm"] = photograph(case, now=result.provenance.finished)
            sources = (objects["photograph.dcm"],)
        if sources:
            objects |= _about(result, sources, rendered or {})
        if pdf is not None:
            objects["report.dcm"] = encapsulated_pdf(
                pdf, result.provenance, case.study, sources
            )
    return objects


def _about(
    result: Result,
    sources: Sequence[Dataset],
    rendered: Mapping[str, UInt8[ndarray, "y x 3"]],
) -> Mapping[str, Dataset]:
    """Make the objects that speak about images."""
    objects: dict[str, Dataset] = {}
    seg = segmentation(result, sources)
    if seg is not None:
        objects["seg.dcm"] = seg
    structures = structure_set(result, sources)
    if structures is not None:
        objects["rtstruct.dcm"] = structures
    objects["sr.dcm"] = structured_report(result, sources, seg)
    told = dict.fromkeys(f"{heat.name}: {heat.method}" for heat in result.heat_maps)
    methods = "; ".join(told)
    for name in _CAPTURES:
        if name in rendered:
            description = methods if name == "heatmap" else ""
            objects[f"{name}.dcm"] = capture(
                name, rendered[name], result.provenance, sources, description=description
            )
    return objects


def save(dataset: Dataset, path: Path) -> None:
    """Write a DICOM file with its preamble and meta header (PS3.10)."""
    dataset.save_as(path, enforce_file_format=True)
