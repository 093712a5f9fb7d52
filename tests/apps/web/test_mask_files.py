"""Masks leave as SEG and come in as SEG or NIfTI, each voxel where it was."""

import shutil
import subprocess
from io import BytesIO

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pydicom import dcmread

from medloop.annotation.masks import encode
from medloop.apps.web import mask_files, readings
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.dicom.read_results import read_segmentation
from medloop.files.nifti import decode_nifti, encode_nifti
from medloop.imaging.viewing import viewing_grid
from medloop.store.users import Role
from tests.apps.web.jobs_done import a_ball, a_ct, a_photograph
from tests.apps.web.nodes import node_of

BALL, MM = (-14.0, 2.0, 40.0), 22.0


@pytest.fixture(scope="module")
def volume() -> Volume:
    """Air with a ball, slices from the head down."""
    affine = np.array(
        [[0, 0, 1.5, -50.0], [0, 1.5, 0, -40.0], [-3.0, 0, 0, 90.0], [0, 0, 0, 1.0]]
    )
    grid = Grid((30, 48, 60), affine, "2.25.816")
    array = np.where(a_ball(grid, BALL, MM), 60, -900).astype(np.int16)
    return Volume(array, grid, "HU")


@pytest.fixture
def ct(store, tmp_path, clock, volume):
    return a_ct(store, tmp_path / "ct", volume, [(BALL, MM)], now=clock())


@pytest.fixture
def grid(store, ct):
    """The grid that the volume was read on."""
    from medloop.apps.web.images import Desk  # noqa: PLC0415
    from medloop.workflow.lightbox import lightbox_of  # noqa: PLC0415

    desk = Desk(store, lightbox_of(store.root))
    return desk.shown(desk.look_up(ct.id)).grid


@pytest.fixture
def client(context, clock):
    return node_of(context, clock, (readings.router, mask_files.router)).program(Role.ANNOTATOR)


@pytest.fixture
def reading(client, ct):
    return client.post(f"/api/jobs/{ct.id}/reading", json={}).json()


def page_of(client, reading) -> np.ndarray:
    """What the page shows, (z, y, x)."""
    data = client.get(f"/api/readings/{reading['id']}/mask.nii.gz").content
    return decode_nifti(data, max_bytes=1 << 24)[0].array


def a_painted_page(shape, labels=(0, 1, 3)) -> np.ndarray:
    return np.random.default_rng(7).choice(labels, shape).astype(np.uint8)


def bring(client, reading, data, expected=0):
    url = f"/api/readings/{reading['id']}/mask/file?expected={expected}&seconds=4.5&clicks=2"
    return client.put(url, content=data)


def test_the_seg_that_is_given_out_holds_the_mask_voxel_by_voxel(client, reading, grid):
    page = a_painted_page(viewing_grid(grid).shape, labels=(0, 1))
    sent = client.put(
        f"/api/readings/{reading['id']}/mask?expected=0",
        content=encode_nifti(page, viewing_grid(grid)),
    )
    assert sent.status_code == 200, sent.text
    answer = client.get(f"/api/readings/{reading['id']}/mask.dcm")
    assert answer.headers["content-type"] == "application/dicom"
    labels = read_segmentation(dcmread(BytesIO(answer.content)), grid=grid)
    (back, _) = decode_nifti(encode(labels.array, grid), max_bytes=1 << 24)
    assert_array_equal(back.array, page)


def test_a_drafts_seg_is_no_instance_of_the_model_and_says_who_drew_what(
    client, reading, grid, tmp_path
):
    url = f"/api/readings/{reading['id']}/mask.dcm"
    model = dcmread(BytesIO(client.get(url).content))
    page = page_of(client, reading).copy()
    page[0, :3, :3] = 3
    bring(client, reading, encode_nifti(page, viewing_grid(grid)))
    (tmp_path / "draft.dcm").write_bytes(client.get(url).content)
    draft = dcmread(tmp_path / "draft.dcm")
    assert draft.SOPInstanceUID != model.SOPInstanceUID
    assert draft.file_meta.MediaStorageSOPInstanceUID == draft.SOPInstanceUID
    assert draft.SeriesInstanceUID != model.SeriesInstanceUID
    assert draft.ContentCreatorName == "a-annotator"
    assert draft.ContentDescription.endswith("not signed")
    types = [item.SegmentAlgorithmType for item in draft.SegmentSequence]
    assert types == ["AUTOMATIC", "MANUAL"]
    assert dcmread(BytesIO(client.get(url).content)).SOPInstanceUID == draft.SOPInstanceUID
    if shutil.which("dciodvfy"):
        said = subprocess.run(
            ["dciodvfy", tmp_path / "draft.dcm"],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        wrong = [line for line in said.stderr.splitlines() if line.startswith("Error")]
        assert wrong == []


def test_a_seg_that_comes_back_is_an_edit_with_the_same_voxels(client, reading, grid):
    before = page_of(client, reading)
    seg = client.get(f"/api/readings/{reading['id']}/mask.dcm").content
    empty = encode_nifti(np.zeros_like(before), viewing_grid(grid))
    client.put(f"/api/readings/{reading['id']}/mask?expected=0", content=empty)
    assert not page_of(client, reading).any()
    assert bring(client, reading, seg, expected=1).json() == {"number": 2}
    assert_array_equal(page_of(client, reading), before)
    (_, edit) = client.get(f"/api/readings/{reading['id']}/edits").json()["edits"]
    assert (edit["action"], edit["seconds"], edit["clicks"]) == ("mask", 4.5, 2)


def test_labels_that_are_new_in_a_nifti_get_a_segment(client, reading, grid):
    page = a_painted_page(viewing_grid(grid).shape)
    assert bring(client, reading, encode_nifti(page, viewing_grid(grid))).status_code == 200
    assert_array_equal(page_of(client, reading), page)
    now = client.get(f"/api/readings/{reading['id']}").json()
    named = {each["number"]: each["name"] for each in now["segments"]}
    assert named == {1: "nodule 1", 3: "Segment 3"}


def test_a_mask_on_other_voxels_is_refused_and_never_resampled(client, reading, grid):
    seen = viewing_grid(grid)
    moved = seen.affine.copy()
    moved[0, 3] += 0.5
    other = encode_nifti(a_painted_page(seen.shape), Grid(seen.shape, moved, None))
    answer = bring(client, reading, other)
    assert answer.status_code == 422
    assert "position differs" in answer.json()["error"]


def test_a_seg_of_another_frame_or_on_other_voxels_is_refused(client, reading, grid):
    made = dcmread(BytesIO(client.get(f"/api/readings/{reading['id']}/mask.dcm").content))

    def file_of(dataset):
        file = BytesIO()
        dataset.save_as(file)
        return file.getvalue()

    position = made.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    for frame in made.PerFrameFunctionalGroupsSequence:
        position = frame.PlanePositionSequence[0]
        position.ImagePositionPatient = [
            float(position.ImagePositionPatient[0]) + 0.5,
            *position.ImagePositionPatient[1:],
        ]
    shifted = bring(client, reading, file_of(made))
    assert shifted.status_code == 422
    assert "does not lie on the voxels" in shifted.json()["error"]
    made.FrameOfReferenceUID = "2.25.1"
    elsewhere = bring(client, reading, file_of(made))
    assert elsewhere.status_code == 422
    assert "another frame of reference" in elsewhere.json()["error"]


@pytest.mark.parametrize("data", [b"", b"nothing", b"\0" * 128 + b"DICM" + b"\xff" * 40])
def test_what_is_no_mask_is_refused_in_one_line(client, reading, data):
    answer = bring(client, reading, data)
    assert answer.status_code == 422
    assert "\n" not in answer.json()["error"]


def test_an_image_that_is_brought_for_a_mask_is_refused(client, reading, grid):
    image = np.arange(np.prod(grid.shape), dtype=np.uint16).reshape(grid.shape) % 3000
    answer = bring(client, reading, encode(image, grid))
    assert answer.status_code == 422
    assert "is it an image?" in answer.json()["error"]
    assert client.get(f"/api/readings/{reading['id']}").json()["number"] == 0


def test_a_page_that_is_behind_changes_nothing(client, reading, grid):
    page = encode_nifti(a_painted_page(viewing_grid(grid).shape), viewing_grid(grid))
    assert bring(client, reading, page).status_code == 200
    assert bring(client, reading, page).status_code == 409


def test_what_may_be_said_is_told_in_both_languages(client, reading):
    url = f"/api/readings/{reading['id']}/choices"
    english, chinese = (client.get(f"{url}?lang={lang}").json() for lang in ("en", "zh"))
    assert english["concepts"][0] == {
        "code": {"scheme": "SCT", "value": "27925004", "meaning": "Nodule"},
        "label": "Nodule",
    }
    assert chinese["concepts"][0]["label"] == "结节"
    assert [each["value"] for each in english["scales"][0]["values"]][:2] == ["1", "2"]


def test_a_photographs_mask_leaves_as_a_seg_too(client, store, tmp_path, clock):
    array = np.random.default_rng(1).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    job = a_photograph(store, tmp_path / "eye", array, now=clock())
    flat = client.post(f"/api/jobs/{job.id}/reading", json={}).json()
    nothing = client.get(f"/api/readings/{flat['id']}/mask.dcm")
    assert nothing.status_code == 422
    assert "nothing is labeled" in nothing.json()["error"]
