"""The pages of models."""

import shutil

import pytest

from medloop.apps.promotion import install
from medloop.apps.versions import current_id, history
from tests.apps.test_promotion import a_version


@pytest.fixture
def settings(node):
    return node.context.settings


def test_every_shipped_model_stands_with_its_figure_and_what_it_must_not_do(reader):
    listed = reader.page("/models")
    for name in ("retina_grading", "lung_nodules", "hippocampus"):
        assert f'href="/models/{name}"' in listed
    card = reader.page("/models/retina_grading")
    assert "diagnosis or treatment without a qualified reader" in card
    assert "0.831–0.910" in card
    assert 'class="plot-range"' in card
    assert "Use this version" not in card
    assert "不得用于" in reader.page("/models/retina_grading?lang=zh")


def test_the_operating_point_is_told(reader):
    assert "from a probability of 0.797" in reader.page("/models/lung_nodules")


def test_a_version_is_promoted_and_rolled_back_in_the_name_of_who_asked(
    chief, settings, tmp_path, deeds
):
    first, second = (a_version(tmp_path / v, v) for v in ("1.0", "2.0"))
    install(first, settings)
    install(second, settings)
    name = "eyes"
    before = current_id(name, settings)
    other = next(line["to"] for line in reversed(list(history(name, settings))))
    assert other != before
    assert "This version is in use now." in chief.done(f"/models/{name}/promote", id=other)
    assert current_id(name, settings) == other
    assert "2.0" in chief.page("/models")
    chief.done(f"/models/{name}/rollback")
    assert current_id(name, settings) == before
    assert [line["who"] for line in history(name, settings)][-2:] == ["b-administrator"] * 2
    assert deeds() == [("model promoted", name), ("model rolled_back", name)]


def test_what_cannot_be_meant_is_refused_in_one_line(chief):
    assert chief.send("/models/retina_grading/rollback").status_code == 400
    assert chief.send("/models/retina_grading/promote", id="abcdef").status_code == 400
    assert chief.send("/models/nothing/rollback").status_code == 404
    assert chief.client.get("/models/nothing").status_code == 404


def test_a_damaged_version_is_named_and_not_offered(chief, settings, tmp_path):
    install(a_version(tmp_path / "b", "1.0"), settings)
    folder = settings.bundles / "eyes"
    (folder.resolve() / "weights.onnx").write_bytes(b"x")
    assert "damaged" in chief.page("/models")
    assert "damaged" in chief.page("/models/eyes")
    shutil.rmtree(folder.resolve())
    assert chief.client.get("/models").status_code == 200


def test_a_reader_promotes_nothing(reader):
    assert reader.send("/models/retina_grading/promote").status_code == 403


def test_why_there_is_no_twin_is_said_in_the_language_of_the_page(chief):
    assert "尚未测量" in chief.page("/models/head_neck_oars?lang=zh")
    assert "not measured yet" in chief.page("/models/head_neck_oars?lang=en")
