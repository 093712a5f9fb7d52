"""Compiled networks are kept, used only if they are whole, and missed by nobody."""

import hashlib
import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from medloop.models.bundle import load_bundle
from medloop.models.compiled import Compiled
from medloop.models.engines import OpenVinoPredictor
from tests.apps.tiny_bundles import a_grading_bundle, a_lesion_bundle

X = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)


@pytest.fixture
def kept(tmp_path) -> Compiled:
    return Compiled(tmp_path / "home/compiled")


@pytest.fixture
def weights(tmp_path):
    pytest.importorskip("openvino")
    return load_bundle(a_lesion_bundle(tmp_path / "bundle")).weights


def files_of(kept):
    return sorted(kept.folder.iterdir()) if kept.folder.is_dir() else []


def answer(weights, kept, x=X):
    return OpenVinoPredictor(weights, kept=kept).run(x)["probability"]


def test_what_was_kept_comes_back_under_the_same_key_only(kept):
    kept.keep(b"network", "weights", (1, 3))
    assert kept.load("weights", (1, 3)) == b"network"
    assert kept.load("weights", (1, 4)) is None


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1], lambda content: content[:-1] + b"?", lambda _: b""]
)
def test_a_damaged_file_is_as_none(kept, damage):
    kept.keep(b"network", "key")
    (file,) = files_of(kept)
    file.write_bytes(damage(file.read_bytes()))
    assert kept.load("key") is None


def test_a_folder_that_cannot_be_written_keeps_nothing_and_says_nothing(tmp_path):
    (tmp_path / "file").touch()
    kept = Compiled(tmp_path / "file" / "compiled")
    kept.keep(b"network", "key")
    assert kept.load("key") is None


def test_the_networks_used_last_are_kept(kept):
    for n in range(30):
        before = files_of(kept)
        kept.keep(b"network", n)
        (new,) = set(files_of(kept)) - set(before)
        os.utime(new, (n, n))
    assert [n for n in range(30) if kept.load(n)] == list(range(6, 30))


def test_a_kept_network_answers_bit_for_bit_like_one_compiled_anew(weights, kept):
    fresh = answer(weights, None)
    assert_array_equal(answer(weights, kept), fresh)
    assert len(files_of(kept)) == 1
    assert_array_equal(answer(weights, kept), fresh)


def test_what_the_engine_refuses_is_compiled_anew_and_replaced(weights, kept):
    fresh = answer(weights, kept)
    (file,) = files_of(kept)
    spoiled = hashlib.sha256(b"no network").digest() + b"no network"
    file.write_bytes(spoiled)
    assert_array_equal(answer(weights, kept), fresh)
    assert files_of(kept) == [file]
    assert file.read_bytes() != spoiled


def test_a_network_is_known_by_its_bytes_and_the_shape_it_reads(weights, kept, tmp_path):
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(weights.read_bytes())
    for path, x in ((weights, X), (copy, X), (weights, X[..., :16])):
        answer(path, kept, x)
    assert len(files_of(kept)) == 2
    other = load_bundle(a_grading_bundle(tmp_path / "other")).weights
    OpenVinoPredictor(other, kept=kept).run(X)
    assert len(files_of(kept)) == 3


def test_a_network_is_known_by_the_files_beside_it_too(weights, kept, tmp_path):
    """A quantized twin refers to numbers in another file."""
    twin, beside = tmp_path / "twin.onnx", tmp_path / "weights.onnx"
    twin.write_bytes(weights.read_bytes())
    for content in (b"one", b"one", b"other"):
        beside.write_bytes(content)
        answer(twin, kept)
    assert len(files_of(kept)) == 2
