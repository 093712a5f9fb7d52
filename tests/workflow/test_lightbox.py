"""Images are prepared once, appear whole, and make room for those looked at later."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.core.image import Picture, Volume
from medloop.core.study import Case
from medloop.imaging.viewing import to_viewing
from medloop.workflow.lightbox import Lightbox, lightbox_of
from tests.workflow.cases import a_case


def of_image(image, number=1) -> Case:
    case = a_case()
    (series,) = case.selection.series
    instances = tuple(replace(each, uid=f"{each.uid}.{number}") for each in series.instances)
    selection = replace(case.selection, series=(replace(series, instances=instances),))
    return replace(case, selection=selection, images=(image,))


def a_volume(dtype=np.int16) -> Volume:
    array = np.arange(60, dtype=dtype).reshape(3, 4, 5)
    affine = np.array([[0, 0, -1.0, 5], [0, 2, 0, 6], [3, 0, 0, 7], [0, 0, 0, 1]])
    return Volume(array, Grid(array.shape, affine, "2.25.1"), "HU")


def test_what_was_prepared_is_found_again(tmp_path):
    box, case, volume = lightbox_of(tmp_path), of_image(a_volume()), a_volume()
    assert box.find(case.study.uid, case.selection) is None
    box.prepare(case)
    found = box.find(case.study.uid, case.selection)
    assert (found.grid.affine == volume.grid.affine).all()
    assert (found.grid.shape, found.grid.frame_of_reference) == ((3, 4, 5), "2.25.1")
    assert (found.stored == to_viewing(volume.array, volume.grid)).all()
    assert (found.unit, found.slope, found.intercept) == ("HU", 1, 0)


def test_other_objects_are_another_image(tmp_path):
    box = lightbox_of(tmp_path)
    box.prepare(of_image(a_volume(), 1))
    other = of_image(a_volume(), 2)
    assert box.find(other.study.uid, other.selection) is None


def test_a_damaged_entry_is_as_none(tmp_path):
    box, case = lightbox_of(tmp_path), of_image(a_volume())
    folder = box.prepare(case).file.parent
    for text in ("", "[]", "{}", '{"file": "volume.nii", "shape": [1, 2]}'):
        (folder / "image.json").write_text(text)
        assert box.find(case.study.uid, case.selection) is None


@pytest.mark.parametrize("top", [255, 65535])
def test_a_photograph_keeps_its_size(tmp_path, top):
    dtype = np.uint8 if top == 255 else np.uint16
    gray = np.full((30, 50), top, dtype)
    shown = lightbox_of(tmp_path).prepare(of_image(Picture(gray)))
    assert (shown.size_px, shown.grid, shown.file.name) == ((50, 30), None, "picture.png")


def test_what_was_not_looked_at_longest_goes_first(tmp_path):
    box = Lightbox(tmp_path, max_bytes=3000)
    cases = [of_image(a_volume(), number) for number in range(8)]
    for age, case in enumerate(cases):
        file = box.prepare(case).file.parent / "image.json"
        os.utime(file, (time.time() - 10_000 + age,) * 2)
    box.shrink()
    left = [box.find(case.study.uid, case.selection) is not None for case in cases]
    assert left == sorted(left)
    assert left[-1]
    assert not left[0]


def test_what_is_being_looked_at_stays(tmp_path):
    box, case = Lightbox(tmp_path, max_bytes=0), of_image(a_volume())
    box.prepare(case)
    assert box.shrink() == 0
    assert box.find(case.study.uid, case.selection) is not None


def test_a_study_is_forgotten_whole(tmp_path):
    box, case = lightbox_of(tmp_path), of_image(a_volume())
    box.prepare(case)
    box.forget(case.study.uid)
    assert not any(box.root.rglob("*.nii"))
