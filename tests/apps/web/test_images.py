"""A job's images: what was analyzed, on the grid on which readers look and draw."""

import gzip
import io

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medloop.apps.web import images
from medloop.core.geometry import Grid
from medloop.core.image import Volume
from medloop.imaging.viewing import from_viewing, to_viewing_index
from medloop.store.users import Role
from medloop.workflow.lightbox import lightbox_of
from medloop.workflow.scene import CT_WINDOWS
from tests.apps.web.jobs_done import a_ct, a_photograph
from tests.apps.web.nodes import node_of

BALL = (-20.0, 6.0, 30.0)


def a_volume(slices=10) -> Volume:
    """Air with a ball of soft tissue, and each voxel a little different."""
    affine = np.array(
        [[0, 0, 2.0, -40.0], [0, 2.0, 0, -30.0], [5.0, 0, 0, 10.0], [0, 0, 0, 1.0]]
    )
    grid = Grid((slices, 32, 40), affine, "2.25.816")
    array = np.random.default_rng(0).integers(-1000, -900, grid.shape).astype(np.int16)
    index = np.rint(grid.to_index(np.array(BALL))).astype(int)
    array[tuple(slice(n - 1, n + 2) for n in index)] = 60
    return Volume(array, grid, "HU")


@pytest.fixture
def volume():
    return a_volume()


@pytest.fixture
def ct(store, tmp_path, clock, volume):
    return a_ct(store, tmp_path / "ct", volume, [(BALL, 12.0)], now=clock())


@pytest.fixture
def web(context, clock):
    return node_of(context, clock, (images.router,))


@pytest.fixture
def client(web):
    return web.program(Role.VIEWER)


def test_the_volume_is_what_was_analyzed_voxel_by_voxel(client, ct, volume, tmp_path):
    answer = client.get(f"/api/jobs/{ct.id}/volume.nii")
    (tmp_path / "volume.nii").write_bytes(answer.content)
    image = nib.load(tmp_path / "volume.nii")
    assert image.get_data_dtype() == np.int16
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    seen = np.asarray(image.dataobj).T
    assert (from_viewing(seen, volume.grid) == volume.array).all()


def test_a_part_of_the_volume_can_be_asked_for(client, ct):
    url = f"/api/jobs/{ct.id}/volume.nii"
    whole = client.get(url)
    part = client.get(url, headers={"Range": "bytes=352-1351"})
    assert whole.headers["accept-ranges"] == "bytes"
    assert part.status_code == 206
    assert part.content == whole.content[352:1352]


def test_findings_are_named_in_the_language_of_the_page(client, ct):
    (finding,) = client.get(f"/api/jobs/{ct.id}/scene?lang=zh").json()["findings"]
    assert "结节" in finding["label"]


def test_the_scene_says_where_findings_are(client, ct, volume):
    scene = client.get(f"/api/jobs/{ct.id}/scene").json()
    assert (scene["kind"], scene["size"]) == ("volume", [40, 32, 10])
    assert np.allclose(scene["spacing"], [2, 2, 5])
    (finding,) = scene["findings"]
    index = np.rint(volume.grid.to_index(np.array(BALL))).astype(int)
    assert np.rint(finding["index"]).tolist() == to_viewing_index(index, volume.grid).tolist()
    world = np.array(scene["affine"]) @ [*finding["index"], 1]
    assert np.allclose(world[:3], BALL, atol=0.01)
    assert scene["main"] == finding["key"] == "1"
    assert [each["key"] for each in scene["windows"]] == list(CT_WINDOWS)
    assert scene["windows"][scene["window"]]["key"] == "lung"
    assert scene["prior"] is None


def test_labels_lie_on_the_voxels_of_the_volume(client, ct, volume, tmp_path):
    answer = client.get(f"/api/jobs/{ct.id}/labels.nii.gz")
    (tmp_path / "labels.nii").write_bytes(gzip.decompress(answer.content))
    image = nib.load(tmp_path / "labels.nii")
    labels = from_viewing(np.asarray(image.dataobj).T, volume.grid)
    index = np.rint(volume.grid.to_index(np.array(BALL))).astype(int)
    assert labels[tuple(index)] == 1
    center = volume.grid.to_world(np.argwhere(labels).astype(float)).mean(0)
    assert np.abs(center - BALL).max() < 2.5


@pytest.mark.parametrize("is_prepared", [False, True])
def test_the_preview_shows_the_finding_in_its_window(client, ct, is_prepared):
    if is_prepared:
        client.get(f"/api/jobs/{ct.id}/scene")
    answer = client.get(f"/api/jobs/{ct.id}/preview.jpg")
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.width * 32 == pytest.approx(image.height * 40, rel=0.01)
        gray = np.asarray(image.convert("L").resize((40, 32)))
    x, y = round((BALL[0] + 40) / 2), round((BALL[1] + 30) / 2)
    assert gray[y - 1 : y + 2, x - 1 : x + 2].mean() > 200  # as LPS columns run: right at left
    assert np.median(gray) < 80


def test_without_the_prepared_image_a_preview_prepares_none(client, ct, store):
    client.get(f"/api/jobs/{ct.id}/preview.jpg")
    assert not lightbox_of(store.root).root.exists()


def test_the_earlier_study_of_the_patient_is_named(client, ct, store, tmp_path, clock, volume):
    earlier = a_ct(
        store, tmp_path / "e", volume, [], now=clock(), study=("2.25.99", "20250312")
    )
    scene = client.get(f"/api/jobs/{ct.id}/scene").json()
    assert scene["prior"] == {"job": earlier.id, "date": "20250312", "days": 365}
    assert client.get(f"/api/jobs/{earlier.id}/scene").json()["prior"] is None


def test_a_photograph_is_shown_with_its_heat_map(client, store, tmp_path, clock):
    data = pytest.importorskip("skimage.data")
    job = a_photograph(store, tmp_path / "eye", data.retina(), now=clock())
    url = f"/api/jobs/{job.id}"
    scene = client.get(f"{url}/scene").json()
    assert (scene["kind"], scene["size"]) == ("picture", [1411, 1411, 1])
    point, box = scene["findings"]
    assert point["index"] == [846.6, 705.5, 0]
    assert box["box"] == [[352.75, 352.75, 0], [705.5, 564.4, 0]]
    assert scene["heat"] == ["heatmap"]
    with Image.open(io.BytesIO(client.get(f"{url}/picture").content)) as shown:
        apart = np.abs(np.asarray(shown).astype(int) - data.retina())
    assert apart.mean() < 3
    with Image.open(io.BytesIO(client.get(f"{url}/preview.jpg").content)) as small:
        assert max(small.size) <= 1024
    assert client.get(f"{url}/heat/heatmap").headers["content-type"] == "image/png"
    for path in ("volume.nii", "labels.nii.gz", "heat/overlay", "heat/..%2Fresult"):
        assert client.get(f"{url}/{path}").status_code == 404


def test_what_is_not_there_is_said_in_a_line(client, store, clock, tmp_path):
    for path in ("scene", "volume.nii", "picture", "preview.jpg", "heat/heatmap"):
        answer = client.get(f"/api/jobs/77/{path}")
        assert answer.status_code == 404
        assert answer.json()["error"] == "there is no job 77"


def test_looking_stands_in_the_audit_trail_once(client, ct, store):
    for path in ("scene", "preview.jpg", "volume.nii"):
        client.get(f"/api/jobs/{ct.id}/{path}")
    looked = [each for each in store.audit.entries() if each.action == "looked"]
    assert [each.subject for each in looked] == [ct.study]


@pytest.fixture
def heated(store, tmp_path, clock, volume):
    return a_ct(store, tmp_path / "ct", volume, [(BALL, 12.0)], now=clock(), has_heat=True)


def test_heat_of_a_volume_lies_in_a_box_about_its_finding(client, heated, volume):
    ((key, box),) = (
        (each["key"], np.array(each["box"]))
        for each in client.get(f"/api/jobs/{heated.id}/scene").json()["heat"]
    )
    assert key == "1"
    index = np.rint(volume.grid.to_index(np.array(BALL))).astype(int)
    place = to_viewing_index(index, volume.grid)
    assert (box[0] <= place).all()
    assert (place < box[1]).all()
    answer = client.get(f"/api/jobs/{heated.id}/heat.gz")
    assert "content-encoding" not in answer.headers
    size = box[1] - box[0]
    heat = np.frombuffer(gzip.decompress(answer.content), np.uint8).reshape(size[::-1])
    assert (heat[0] == 255).all()  # at the feet, wherever the file begins
    assert (heat[-1] == 128).all()


def test_a_result_without_heat_has_no_such_layer(client, ct):
    assert client.get(f"/api/jobs/{ct.id}/scene").json()["heat"] == []
    assert client.get(f"/api/jobs/{ct.id}/heat.gz").status_code == 404


def test_damaged_heat_leaves_the_image_without_that_layer(client, heated, store, caplog):
    (store.results_folder / heated.folder / "heat.npz").write_bytes(b"damaged")
    scene = client.get(f"/api/jobs/{heated.id}/scene")
    assert scene.status_code == 200
    assert scene.json()["heat"] == []
    assert client.get(f"/api/jobs/{heated.id}/heat.gz").status_code == 404
    assert "heat.npz is damaged" in caplog.text
