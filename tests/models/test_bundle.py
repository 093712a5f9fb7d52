"""A bundle is loaded whole and unchanged, or not at all."""

import pytest

from medloop.core.errors import InputError
from medloop.models.bundle import (
    CARD,
    HASHES,
    PLAN,
    RUN,
    SCREEN,
    WEIGHTS,
    load_bundle,
    seal,
    sha256_of,
)
from tests.apps.tiny_bundles import GRADING_PLAN, a_grading_bundle


@pytest.fixture
def folder(tmp_path):
    return a_grading_bundle(tmp_path / "bundle")


def test_a_bundle_knows_its_name_plan_and_weights(folder):
    bundle = load_bundle(folder)
    assert (bundle.name, bundle.version, bundle.plan) == (
        "retina_grading",
        "0.0.1",
        GRADING_PLAN,
    )
    assert bundle.identity.sha256 == sha256_of(folder / WEIGHTS)


@pytest.mark.parametrize("name", [CARD, PLAN, WEIGHTS])
def test_a_changed_file_is_named_in_one_line(folder, name):
    with (folder / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(InputError, match=rf"{name} has SHA-256 .* expected") as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [PLAN, WEIGHTS])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing"):
        load_bundle(folder)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '["card.toml"]', '{"card.toml": 5}'])
def test_hashes_that_are_none_are_refused(folder, text):
    (folder / HASHES).write_text(text)
    with pytest.raises(InputError):
        load_bundle(folder)


def test_hashes_must_be_there(folder):
    (folder / HASHES).unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load_bundle(folder)


@pytest.mark.parametrize("text", ["no toml", "name = 'x'"])
def test_a_card_must_say_name_and_version(folder, text):
    (folder / CARD).write_text(text)
    seal(folder)
    with pytest.raises(InputError, match="is no card"):
        load_bundle(folder)


def test_what_is_neither_shipped_nor_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="neither a bundle folder nor shipped"):
        load_bundle(tmp_path / "nowhere")


def test_a_training_that_is_not_finished_is_no_bundle_and_says_how_to_go_on(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / RUN).write_text("{}")
    with pytest.raises(InputError, match=r"not finished.*medloop train and --resume") as caught:
        load_bundle(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_bundle_without_the_first_of_its_networks_says_so(folder):
    bundle = load_bundle(folder)
    with pytest.raises(InputError, match=r"retina_grading lacks screen\.onnx"):
        _ = bundle.screen
    with pytest.raises(InputError, match="is for grading, not nodules"):
        _ = bundle.nodule_plan
    (folder / SCREEN).write_bytes(b"network")
    seal(folder)
    assert load_bundle(folder).screen == folder / SCREEN
    (folder / SCREEN).write_bytes(b"another")
    with pytest.raises(InputError, match=r"screen\.onnx has SHA-256"):
        load_bundle(folder)
