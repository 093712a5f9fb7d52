"""Public scans: every planning CT of OpenKBP suits, no chest CT of LIDC-IDRI does."""

import json
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from medloop.clinical.lung.suitability import choose as choose_chest
from medloop.clinical.radiotherapy.codes import ORGANS
from medloop.clinical.radiotherapy.suitability import require_head_and_neck
from medloop.core.errors import UnsuitableError
from medloop.files.nifti import read_nifti
from medloop.learning.segmentation.atlas import measure_atlas
from medloop.workflow.intake import FolderArchive, gather

DATA = Path(os.environ.get("MEDLOOP_DATA", "none"))
pytestmark = [pytest.mark.data, pytest.mark.slow]


def needed(name: str) -> Path:
    if not (DATA / name).is_dir():
        pytest.skip(f"MEDLOOP_DATA has no {name}")
    return DATA / name


def test_planning_cts_suit_even_where_they_were_cut_to_the_treated_region():
    paths = sorted(needed("openkbp").glob("*/ct.nii.gz"))[::12]
    extents = [require_head_and_neck(read_nifti(path))[1].extent_mm for path in paths]
    assert min(extents) > 45


@pytest.mark.parametrize("name", ["LIDC-IDRI-0001", "LIDC-IDRI-0002"])
def test_a_chest_ct_is_refused(name):
    folder = needed("lidc") / name
    intake = gather([folder], scratch=folder)
    (study,) = intake.studies
    case = FolderArchive(intake).case(study, choose_chest(study))
    with pytest.raises(UnsuitableError, match=r"no head and neck: 0 mm of slices"):
        require_head_and_neck(case.images[0])


def test_the_shipped_atlas_is_what_its_command_measures():
    names, cases = list(ORGANS)[:1], []
    for path in sorted(needed("openkbp").glob("*/structures.nii.gz")):
        bits = read_nifti(path)
        cases.append(({names[0]: (bits.array.astype(np.uint16) & 1) > 0}, bits.grid))
    measured = measure_atlas(cases, names)
    text = (files("medloop.clinical.radiotherapy") / "atlas.json").read_text(encoding="utf-8")
    shipped = json.loads(text)
    assert measured["cases"] == shipped["cases"]
    assert measured["organs"]["brainstem"] == shipped["organs"]["brainstem"]
