"""Result folders with real DICOM objects in them."""

from pathlib import Path

import numpy as np
from pydicom import dcmread

from medloop.dicom.write import dicom_objects, save
from tests.dicom.phantoms_written import ct_case

PDF = b"%PDF-1.4\n%%EOF\n"


def a_result_folder(folder: Path) -> Path:
    """Write what an analysis of a small CT gives: seg, sr, heatmap (JPEG) and report."""
    folder.mkdir(parents=True, exist_ok=True)
    case, result = ct_case(folder / "ct")
    picture = np.full((40, 48, 3), 90, np.uint8)
    products = folder / "lung-1"
    products.mkdir()
    objects = dicom_objects(case, result, pdf=PDF, rendered={"heatmap": picture})
    for name, dataset in objects.items():
        save(dataset, products / name)
    (products / "result.json").write_text("{}")
    return products


def uids(products: Path) -> dict[str, str]:
    """Map the names of objects to their SOP Instance UIDs."""
    return {p.name: str(dcmread(p).SOPInstanceUID) for p in sorted(products.glob("*.dcm"))}
