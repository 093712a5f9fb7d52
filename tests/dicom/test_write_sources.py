"""Headers that documents refer to: each slice keeps its own, though much is common."""

import numpy as np
import pytest
from pydicom.uid import ImplicitVRLittleEndian

from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.core.study import Case, Selection
from medloop.dicom.index import index
from medloop.dicom.write.sources import source_headers
from tests.dicom.slices import a_slice, save


def headers_of(folder, slices, **how):
    """The headers that documents get of slices written to files."""
    paths = [save(each, folder / f"{n:03}.dcm", **how) for n, each in enumerate(slices)]
    (study,) = index(paths).studies
    volume = Volume(np.zeros((1, 1, 1), np.int16), Grid((1, 1, 1), np.eye(4)), "HU")
    case = Case(study, Selection(study.series), (volume,))
    return {each.SOPInstanceUID: each for each in source_headers(case)}


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian])
def test_each_slice_keeps_what_is_its_own(tmp_path, syntax):
    slices = [a_slice((0.0, 0.0, 2.0 * k), FrameOfReferenceUID="1.2.3") for k in range(4)]
    slices[2].PixelSpacing = [0.6, 0.75]
    slices[3].FrameOfReferenceUID = "1.2.4"
    how = {} if syntax is None else {"syntax": syntax}
    found = headers_of(tmp_path, slices, **how)
    for each in slices:
        kept = found[each.SOPInstanceUID]
        for keyword in (
            "ImagePositionPatient",
            "PixelSpacing",
            "ImageOrientationPatient",
            "FrameOfReferenceUID",
        ):
            assert kept[keyword].value == each[keyword].value
