"""The service reads what the store received, after checking it."""

import cv2
import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.workflow.intake import gather
from medloop.workflow.routing import route
from medloop.workflow.stored import StoreArchive
from tests.workflow.cases import NOON, Grade


@pytest.fixture
def eye(tmp_path):
    pixels = np.arange(30 * 40 * 3, dtype=np.uint16).reshape(30, 40, 3).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "eye.png"), pixels[..., ::-1])
    return pixels


def received(store, path, scratch):
    intake = gather([path], scratch=scratch)
    assert not intake.problems
    (study,) = intake.studies
    store.receive(study, now=NOON)
    return study.uid


def test_a_picture_is_read_from_the_archive_after_its_source_is_gone(store, eye, tmp_path):
    uid = received(store, tmp_path / "eye.png", tmp_path)
    (tmp_path / "eye.png").unlink()
    archive = StoreArchive(store)
    (each,) = route([archive.study(uid)], [Grade()])
    case = archive.case(each.study, each.selection)
    np.testing.assert_array_equal(case.images[0].array, eye)


def test_damage_in_the_archive_is_found_before_anything_is_read(store, eye, tmp_path):
    archive = StoreArchive(store, read=lambda study, selection: pytest.fail("was read"))
    study = archive.study(received(store, tmp_path / "eye.png", tmp_path))
    (each,) = route([study], [Grade()])
    path = each.selection.series[0].instances[0].path
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="damaged"):
        archive.case(study, each.selection)
