"""OpenKBP (Babier 2021): planning CT of the head and neck, organs at risk as bits of a mask."""

from pathlib import Path
from typing import Final

from medloop.learning.data.description import Bits, CaseSource, Channel, Dataset, Kind, Task

CT, STRUCTURES = "ct.nii.gz", "structures.nii.gz"
ORGANS: Final = (
    "brainstem",
    "spinal cord",
    "right parotid",
    "left parotid",
    "oesophagus",
    "larynx",
    "mandible",
)
_LEFT_OUT: Final = -1024.0  # HU


def is_openkbp(root: Path) -> bool:
    """Whether each patient's folder has a CT with structures beside it."""
    return any((path.parent / STRUCTURES).is_file() for path in root.glob(f"*/{CT}"))


def read_openkbp(root: Path) -> Dataset:
    """Read a folder a patient: ``ct.nii.gz``, and ``structures.nii.gz`` whose bits are organs.

    Bit 0 is the brainstem, then the spinal cord, right and left parotid, esophagus, larynx and
    mandible; higher bits are planning target volumes, which are left out. An organ without
    voxels was not drawn. CT beyond the region of dose was left out by the publisher.
    """
    cases = tuple(_case(path) for path in sorted(root.glob(f"*/{CT}")))
    return Dataset(
        name=root.name,
        layout="OpenKBP",
        root=root,
        task=Task.SEGMENTATION,
        channels=("CT",),
        classes={name: (n + 1,) for n, name in enumerate(ORGANS)},
        cases=cases,
        remarks=("planning target volumes are left out: they are a physician's decision",),
        is_partial=True,
        blank=_LEFT_OUT,
    )


def _case(ct: Path) -> CaseSource:
    name, structures = ct.parent.name, ct.with_name(STRUCTURES)
    label = Bits(structures, {n: n + 1 for n in range(len(ORGANS))})
    return CaseSource(
        name, name, Kind.SOLID, (Channel(ct),), label if structures.is_file() else None
    )
