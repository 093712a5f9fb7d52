"""Whatever a folder holds, opening and checking it ends in lines, never in a traceback."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.learning.data import check, open_dataset
from tests.learning.data.layouts import a_coco, a_decathlon, a_medmnist, a_table, an_nnunet

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text("0a_/", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["0", "1", "image", "id", "name"]), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = ("channel_names", "modality", "labels", "training", "test", "file_ending", "dataset")
COCO = ("images", "annotations", "categories")


def open_and_check(path) -> None:
    try:
        lines = [str(problem) for problem in check(open_dataset(path))]
    except InputError as error:
        lines = [str(error)]
    assert not any("\n" in line for line in lines)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(KEYS), value=JSON)
@pytest.mark.parametrize("write", [an_nnunet, a_decathlon])
@pytest.mark.slow
def test_any_value_in_a_dataset_json(tmp_path, write, key, value):
    if not (tmp_path / "dataset.json").exists():
        write(tmp_path, cases=1)
        (tmp_path / "dataset.json").rename(tmp_path / "sound.txt")
    data = json.loads((tmp_path / "sound.txt").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps(data | {key: value}))
    open_and_check(tmp_path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(COCO), value=JSON, nested=st.booleans())
@pytest.mark.slow
def test_any_value_in_a_coco_table(tmp_path, key, value, nested):
    path = tmp_path / "annotations.json"
    if not path.exists():
        a_coco(tmp_path, [{"image_id": 0, "category_id": 7, "bbox": [2, 3, 4, 5]}], pictures=1)
        path.rename(tmp_path / "sound.txt")
    data = json.loads((tmp_path / "sound.txt").read_text())
    if nested:
        inner = next(iter(data[key][0]))
        data[key][0][inner] = value
    else:
        data[key] = value
    path.write_text(json.dumps(data))
    open_and_check(tmp_path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text('image,label\n"/.png01;\x00é', max_size=60))
@pytest.mark.slow
def test_any_text_in_a_table(tmp_path, text):
    (tmp_path / "labels.csv").write_text("image,label\n" + text, encoding="utf-8")
    open_and_check(tmp_path)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x93NUMPY", b"x" * 100])
def test_a_damaged_npz(tmp_path, data):
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.npz is no readable \.npz"):
        open_dataset(tmp_path / "a.npz")


def test_npz_files_that_are_no_medmnist(tmp_path):
    def says(**arrays):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(InputError) as caught:
            open_dataset(tmp_path / "a.npz")
        return str(caught.value)

    images = np.zeros((4, 8, 8), np.uint8)
    assert says(x=images) == "a.npz holds images of 0 shapes; one is needed"
    assert says(train_images=images, train_labels=np.zeros(3, int)) == (
        "a.npz holds 4 train images and 3 labels of int64"
    )
    assert says(train_images=images, train_labels=np.zeros(4)) == (
        "a.npz holds 4 train images and 4 labels of float64"
    )
    assert "a.npz cannot be read" in says(
        train_images=np.array([None] * 4, object), train_labels=np.zeros(4, int)
    )


def test_a_truncated_npz(tmp_path):
    path = a_medmnist(tmp_path / "a.npz")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"a\.npz"):
        open_dataset(path)


def test_folders_named_like_files_are_no_files(tmp_path):
    a_table(tmp_path, ["image,label", "images/p0.png,1", "images/p1.png,2"])
    (tmp_path / "a.csv").mkdir()
    (tmp_path / "b.json").mkdir()
    assert check(open_dataset(tmp_path)) == ()
