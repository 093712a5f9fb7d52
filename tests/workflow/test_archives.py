"""What every archive promises: a folder, the store, and a PACS behind DICOMweb."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from medloop.core.errors import InputError, ServiceError
from medloop.core.names import StudyUid
from medloop.core.study import Content, Selection
from medloop.store.cache import Cache
from medloop.store.spool import Spool
from medloop.workflow.intake import FolderArchive, gather
from medloop.workflow.listing import Listing
from medloop.workflow.pull import Rule
from medloop.workflow.reception import Reception
from medloop.workflow.remote import RemoteArchive
from medloop.workflow.stored import StoreArchive
from tests.dicom.slices import SERIES_UID, a_slice, pixels, save, stack
from tests.peers import orthanc
from tests.workflow.cases import NOON

STUDY = StudyUid(SERIES_UID + ".1")
DEPTHS = (0, 2, 4, 6)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A CT of four slices, and a single image of another series whose patient is Chinese."""
    folder = tmp_path_factory.mktemp("files")
    tags = {"PatientName": "王^小东", "PatientID": "P1", "StudyDate": "20260102"}
    tags |= {"SpecificCharacterSet": "GB18030", "StudyDescription": "胸部"}
    pieces = [*stack(DEPTHS, **tags)]
    scout = a_slice(
        array=pixels(9, rows=10),
        SeriesInstanceUID=SERIES_UID + ".3",
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        **tags,
    )
    return [save(each, folder / f"{n}.dcm") for n, each in enumerate([*pieces, scout])]


@pytest.fixture(scope="module")
def pacs(files, tmp_path_factory):
    web = pytest.importorskip("medloop.dicom.web.source", reason="no dicomweb-client")
    with orthanc(tmp_path_factory.mktemp("pacs")) as server:
        server.upload(*(path.read_bytes() for path in files))
        yield web.WebPacs("pacs", server.dicomweb, timeout_s=20)


@pytest.fixture
def a_folder(files, tmp_path):
    (tmp_path / "scratch").mkdir()
    return FolderArchive(gather([files[0].parent], scratch=tmp_path / "scratch"))


@pytest.fixture
def a_store(files, store, tmp_path):
    reception = Reception(store, Spool(tmp_path / "spool"), now=lambda: NOON)
    reception.store_now(files, "test")
    reception.settle_study(STUDY, NOON)
    return StoreArchive(store)


@pytest.fixture
def a_pacs(pacs, tmp_path):
    return RemoteArchive(pacs, Cache(tmp_path / "cache"))


@pytest.fixture
def a_catalog(pacs, a_pacs, store):
    """The studies of a PACS, listed here, where they stay there."""
    rule = Rule(pacs, timedelta(minutes=1))
    listing = Listing(rule, a_pacs, store, tuple, quiet_s=60)
    assert listing.poll(NOON) == 0  # it may still grow
    assert listing.poll(NOON + timedelta(minutes=1)) == 1
    assert listing.poll(NOON + timedelta(minutes=2)) == 0
    assert list(store.archive.objects()) == []
    return StoreArchive(store, elsewhere=a_pacs)


@pytest.fixture(params=["a_folder", "a_store", "a_pacs", "a_catalog"])
def archive(request):
    return request.getfixturevalue(request.param)


def a_ct(study):
    return next(series for series in study.series if series.content is Content.VOLUME)


def test_a_study_tells_of_its_series_and_patient(archive):
    study = archive.study(STUDY)
    ct = a_ct(study)
    assert (study.uid, study.date, study.description) == (STUDY, "20260102", "胸部")
    assert (study.patient.name, study.patient.identifier) == ("王^小东", "P1")
    assert sorted((s.content, len(s.instances)) for s in study.series) == [
        (Content.PICTURES, 1),
        (Content.VOLUME, 4),
    ]
    assert (ct.modality, ct.rows, ct.columns, ct.slice_mm) == ("CT", 6, 8, 2)
    assert ct.scan.orientation == "axial"
    assert ct.scan.image_type == ("ORIGINAL", "PRIMARY", "AXIAL")


def test_a_case_holds_the_pixels_and_the_hash_of_each_file(archive, files):
    study = archive.study(STUDY)
    case = archive.case(study, Selection((a_ct(study),)))
    drawn = np.stack([pixels(n) for n in range(len(DEPTHS))]).astype(np.float32) - 1024
    np.testing.assert_array_equal(case.images[0].array, drawn)
    hashes = {instance.sha256 for instance in case.selection.series[0].instances}
    assert hashes == {hashlib.sha256(path.read_bytes()).hexdigest() for path in files[:4]}


def test_one_image_of_a_study_is_read_alone(archive):
    study = archive.study(STUDY)
    (scout,) = (series for series in study.series if series.content is Content.PICTURES)
    case = archive.case(study, Selection((scout,)))
    assert case.images[0].size == (10, 8)


def test_a_study_that_is_not_there_is_bad_input(archive):
    with pytest.raises(InputError):
        archive.study(StudyUid("1.2.3.4"))


def test_of_a_pacs_only_what_is_read_is_fetched_and_only_once(a_pacs, pacs):
    asked = []

    class Counting:
        headers = pacs.headers

        def fetch(self, study, missing, folder):
            asked.extend(each.uid for part in missing for each in part.objects)
            return pacs.fetch(study, missing, folder)

    archive = replace(a_pacs, pacs=Counting())
    study = archive.study(STUDY)
    ct = a_ct(study)
    part = replace(ct, instances=ct.instances[:2])
    archive.case(study, Selection((part,)))
    assert sorted(asked) == sorted(each.uid for each in part.instances)
    archive.case(study, Selection((ct,)))
    assert sorted(asked) == sorted(each.uid for each in ct.instances)


def test_what_was_damaged_in_the_cache_is_fetched_again(a_pacs, tmp_path):
    study = a_pacs.study(STUDY)
    selection = Selection((a_ct(study),))
    before = a_pacs.case(study, selection)
    for path in (tmp_path / "cache").glob("*/*/*"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    after = a_pacs.case(study, selection)
    np.testing.assert_array_equal(after.images[0].array, before.images[0].array)


def test_a_pacs_that_does_not_send_all_is_trouble_outside(a_pacs, pacs):
    class Losing:
        headers = pacs.headers

        def fetch(self, study, missing, folder):
            yield next(pacs.fetch(study, missing, folder))

    archive = replace(a_pacs, pacs=Losing())
    study = archive.study(STUDY)
    with pytest.raises(ServiceError, match="did not send 3 of 4 objects"):
        archive.case(study, Selection((a_ct(study),)))
