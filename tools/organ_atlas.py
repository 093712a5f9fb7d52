"""Write how large organs at risk of the head and neck are and where they lie, as JSON.

``python tools/organ_atlas.py FOLDER OUT.json``: FOLDER holds one folder a patient, with
``structures.nii.gz``, the organs of OpenKBP's training part (Babier 2021) as bits of a mask:
bit 0 brainstem, 1 spinal cord, 2 right parotid, 3 left parotid, 4 oesophagus, 5 larynx,
6 mandible.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from jaxtyping import Bool
from numpy import ndarray

from medloop.core.geometry import Grid
from medloop.files.nifti import read_nifti
from medloop.learning.segmentation.atlas import measure_atlas

ORGANS = (
    "brainstem",
    "spinal_cord",
    "right_parotid",
    "left_parotid",
    "oesophagus",
    "larynx",
    "mandible",
)
SOURCE = "OpenKBP, training part (Babier 2021, MIT licence)"


def cases(folder: Path) -> Iterator[tuple[Mapping[str, Bool[ndarray, "k j i"]], Grid]]:
    """Read the masks of each patient, one after the other."""
    for path in sorted(folder.glob("*/structures.nii.gz")):
        bits = read_nifti(path)
        whole = bits.array.astype("uint16")
        yield {name: (whole >> n & 1) > 0 for n, name in enumerate(ORGANS)}, bits.grid


if __name__ == "__main__":
    record = {"source": SOURCE, **measure_atlas(cases(Path(sys.argv[1])), ORGANS)}
    Path(sys.argv[2]).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
