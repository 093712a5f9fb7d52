"""Studies are found and fetched by DIMSE, from a real Orthanc and dcmtk's dcmqrscp."""

from dataclasses import replace
from datetime import date
from io import BytesIO

import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1, RLELossless, generate_uid

pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")
from pynetdicom import AE, AllStoragePresentationContexts, evt

from medloop.core.errors import ServiceError
from medloop.core.names import SeriesUid, SopUid, StudyUid
from medloop.core.retrieve import Listed, Missing, Wanted, missing_of
from medloop.dicom.net.landing import Here
from medloop.dicom.net.query import Pacs
from tests.dicom.net.node import a_node, looks_late
from tests.dicom.slices import SERIES_UID, save, stack
from tests.peers import LOOPBACK, dcmqrscp, free_port, orthanc

STUDY = StudyUid(SERIES_UID + ".1")
CT = "1.2.840.10008.5.1.4.1.1.2"
OTHER = StudyUid(SERIES_UID + ".9")


def objects(folder):
    """Two studies: five CT slices in two series, and one MR slice of another day."""
    ct = stack((0, 2, 4), StudyDate="20260105", PatientID="P1", AccessionNumber="A1")
    thick = stack((0, 5), StudyDate="20260105", PatientID="P1", AccessionNumber="A1")
    for piece in thick:
        piece.SeriesInstanceUID = SERIES_UID + ".2"
        piece.SOPInstanceUID = generate_uid()
    (mr,) = stack((1,), StudyDate="20260210", PatientID="P2", AccessionNumber="A2")
    mr.StudyInstanceUID, mr.SeriesInstanceUID, mr.Modality = OTHER, SERIES_UID + ".8", "MR"
    mr.SOPInstanceUID = generate_uid()
    return [
        save(each, folder / f"{n}.dcm").read_bytes() for n, each in enumerate([*ct, *thick, mr])
    ]


@pytest.fixture(scope="module")
def here():
    return Here("MEDLOOP", LOOPBACK, free_port())


@pytest.fixture(scope="module")
def orthanc_pacs(tmp_path_factory, here):
    folder = tmp_path_factory.mktemp("orthanc")
    with orthanc(folder, modalities={here.ae_title: here.port}) as server:
        server.upload(*objects(folder))
        yield Pacs("orthanc", LOOPBACK, server.dicom_port, server.aet, here, timeout_s=20)


@pytest.fixture(scope="module")
def dcmtk_pacs(tmp_path_factory, here):
    folder = tmp_path_factory.mktemp("dcmtk")
    with dcmqrscp(folder, modalities={here.ae_title: here.port}) as node:
        pacs = Pacs("dcmtk", LOOPBACK, node.port, node.aet, here, timeout_s=20)
        send(pacs, objects(folder))
        yield pacs


def send(pacs, files):
    ae = AE(ae_title="SENDER")
    for each in {pydicom.dcmread(BytesIO(file)).SOPClassUID for file in files}:
        ae.add_requested_context(each)
    association = ae.associate(pacs.host, pacs.port, ae_title=pacs.ae_title)
    assert association.is_established
    for file in files:
        status = association.send_c_store(pydicom.dcmread(BytesIO(file)))
        assert status.Status == 0
    association.release()


@pytest.fixture(params=["orthanc", "dcmtk"])
def pacs(request):
    return request.getfixturevalue(f"{request.param}_pacs")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(study=STUDY), [STUDY]),
        (Wanted(first=date(2026, 1, 1), last=date(2026, 1, 31)), [STUDY]),
        (Wanted(first=date(2026, 1, 1)), [OTHER, STUDY]),
        (Wanted(patient="P2"), [OTHER]),
        (Wanted(accession="A1"), [STUDY]),
        (Wanted(modality="MR"), [OTHER]),
        (Wanted(modality="US"), []),
    ],
)
def test_studies_are_found_by_each_key_the_newest_first(pacs, wanted, found):
    assert [match.study for match in pacs.find(wanted)] == found


def test_a_listing_names_each_object_with_its_series(pacs):
    listing = pacs.listing(STUDY)
    assert sorted(each.series for each in listing) == [SERIES_UID] * 3 + [SERIES_UID + ".2"] * 2
    assert len({each.uid for each in listing}) == 5


def test_a_listing_names_the_class_where_the_pacs_tells_it(orthanc_pacs):
    listing = orthanc_pacs.listing(STUDY)
    assert {each.sop_class for each in listing} == {"1.2.840.10008.5.1.4.1.1.2"}


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_whole_study_is_fetched(pacs, is_moved, tmp_path):
    pacs = replace(pacs, is_moved=is_moved)
    listing = pacs.listing(STUDY)
    paths = list(pacs.fetch(STUDY, missing_of(listing, frozenset()), tmp_path))
    got = [pydicom.dcmread(path).SOPInstanceUID for path in paths]
    assert sorted(got) == sorted(each.uid for each in listing)


@pytest.mark.parametrize("is_moved", [False, True])
def test_only_what_is_missing_of_a_series_is_fetched(pacs, is_moved, tmp_path):
    pacs = replace(pacs, is_moved=is_moved)
    listing = pacs.listing(STUDY)
    first = next(each for each in listing if each.series == SERIES_UID)
    others = {each.uid for each in listing if each.series == SERIES_UID} - {first.uid}
    missing = missing_of(listing, frozenset(each.uid for each in listing) - others)
    assert [part.is_whole for part in missing] == [False]
    paths = list(pacs.fetch(STUDY, missing, tmp_path))
    assert {pydicom.dcmread(path).SOPInstanceUID for path in paths} == others


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, RLELossless])
def test_compressed_objects_come_as_they_are_stored(syntax, tmp_path):
    (piece,) = stack((0,))
    piece.StudyInstanceUID = SERIES_UID + ".7" + str(len(syntax))
    piece.SOPInstanceUID = generate_uid()
    piece.PixelData = encapsulate([b"\xff\xd8never decoded here\xff\xd9"])
    piece["PixelData"].VR = "OB"
    with orthanc(tmp_path, aet="FULL", modalities={"MEDLOOP": 1}) as server:
        server.upload(save(piece, tmp_path / "a.dcm", syntax=syntax).read_bytes())
        pacs = Pacs("full", LOOPBACK, server.dicom_port, "FULL", timeout_s=20)
        study = StudyUid(piece.StudyInstanceUID)
        missing = missing_of(pacs.listing(study), frozenset())
        (path,) = pacs.fetch(study, missing, tmp_path)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax


def test_where_our_receiver_listens_already_the_move_goes_there(orthanc_pacs, tmp_path):
    taken = []
    node = AE(ae_title="MEDLOOP")
    node.supported_contexts = AllStoragePresentationContexts
    handlers = [(evt.EVT_C_STORE, lambda event: taken.append(event) or 0)]
    here = orthanc_pacs.here
    server = node.start_server((here.host, here.port), block=False, evt_handlers=handlers)
    try:
        missing = missing_of(orthanc_pacs.listing(STUDY), frozenset())
        moving = replace(orthanc_pacs, is_moved=True)
        assert list(moving.fetch(STUDY, missing, tmp_path)) == []
    finally:
        server.shutdown()
    assert len(taken) == 5


def test_what_nobody_asked_for_is_not_taken(orthanc_pacs, tmp_path):
    (asked, *_), other = orthanc_pacs.listing(STUDY), orthanc_pacs.listing(OTHER)[0]
    wrong = Missing(other.series, (asked,), is_whole=True)  # the series holds another object
    fetching = orthanc_pacs.fetch(OTHER, [wrong], tmp_path)
    with pytest.raises(ServiceError, match=r"could not send|status 0x"):
        list(fetching)
    assert list(tmp_path.iterdir()) == []


# pynetdicom leaves the socket of a failed connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_pacs_that_is_away_is_trouble_outside():
    away = Pacs("away", LOOPBACK, free_port(), "AWAY", timeout_s=2)
    with pytest.raises(ServiceError, match="away does not answer"):
        away.find(Wanted(study=STUDY))


@pytest.mark.parametrize("is_late", [False, True])
def test_a_pacs_that_refuses_us_says_why(tmp_path, monkeypatch, is_late):
    if is_late:
        looks_late(monkeypatch)
    with dcmqrscp(tmp_path, "--refuse") as node:
        pacs = Pacs("shy", LOOPBACK, node.port, node.aet, timeout_s=5)
        with pytest.raises(
            ServiceError, match=r"^shy refuses the association: no reason given$"
        ):
            pacs.echo()


def test_a_pacs_without_the_service_says_so(tmp_path):
    asked = Listed(SopUid("2.25.4"), SeriesUid("2.25.5"), CT)
    wanted = Missing(asked.series, (asked,), is_whole=True)
    with a_node(contexts=AllStoragePresentationContexts) as port:
        pacs = Pacs("shy", LOOPBACK, port, "PACS", timeout_s=5)
        with pytest.raises(ServiceError, match=r"^shy does not offer the service$"):
            pacs.find(Wanted(study=STUDY))
        with pytest.raises(ServiceError, match=r"^shy does not offer the service$"):
            list(pacs.fetch(STUDY, [wanted], tmp_path))


def test_a_folder_that_cannot_be_written_ends_the_fetching(orthanc_pacs, tmp_path):
    missing = missing_of(orthanc_pacs.listing(STUDY), frozenset())
    with pytest.raises(ServiceError, match="cannot be kept: No such file"):
        list(orthanc_pacs.fetch(STUDY, missing, tmp_path / "absent"))
