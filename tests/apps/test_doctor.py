import json

import pytest

from medloop.apps import doctor
from medloop.apps.bootstrap import OFFERS
from medloop.apps.cli import main
from medloop.apps.doctor import Health
from medloop.apps.settings import Settings
from medloop.models.engines import Precision
from medloop.models.measured import Measured, Memory, Subject
from tests.apps.tiny_bundles import a_grading_bundle, a_lesion_bundle


@pytest.fixture
def settings(tmp_path):
    settings = Settings(home=tmp_path / "home")
    a_grading_bundle(settings.bundles / "retina_grading")
    a_lesion_bundle(settings.bundles / "retina_lesions")
    return settings


def found(checks, group):
    return {check.name: check for check in checks if check.group == group}


def test_the_doctor_looks_at_every_kind_of_part(settings):
    checks = doctor.examine(settings)
    groups = {check.group for check in checks}
    assert groups == {
        "machine", "packages", "decoders", "reports", "engines", "bundles", "analyses",
    }  # fmt: skip
    assert set(found(checks, "analyses")) == set(OFFERS)


def test_every_package_that_analyses_need_is_found_here(settings):
    packages = found(doctor.examine(settings), "packages")
    assert packages["pydicom"].health is Health.GOOD
    assert not [check for check in packages.values() if check.health is Health.MISSING]


def test_a_package_that_several_extras_want_is_told_once(settings):
    here = [each for each in doctor.examine(settings) if each.health is Health.GOOD]
    packages = [check.name for check in here if check.group == "packages"]
    assert len(packages) == len(set(packages))


def test_the_transfer_syntaxes_of_hospitals_can_be_read(settings):
    decoders = found(doctor.examine(settings), "decoders")
    syntaxes = ("1", "4.50", "4.70", "4.80", "4.90", "4.91", "5")
    hospital = [f"1.2.840.10008.1.2.{syntax}" for syntax in syntaxes]
    assert {decoders[uid].health for uid in hospital} == {Health.GOOD}


def test_a_damaged_bundle_is_missing_and_so_is_what_needs_it(settings):
    (settings.bundles / "retina_lesions/weights.onnx").write_bytes(b"other")
    checks = doctor.examine(settings)
    assert found(checks, "bundles")["retina_lesions"].health is Health.MISSING
    assert found(checks, "bundles")["retina_grading"].health is Health.GOOD
    retina = found(checks, "analyses")["retina"]
    assert (retina.health, retina.advice) == (Health.MISSING, "without retina_lesions")


def test_what_was_measured_here_is_told_with_the_bundle_and_by_the_doctor(
    settings, capsys, monkeypatch
):
    subject = Subject("retina_lesions", "ab" * 32, ("fp32", "int8"), (1, 3, 64, 64))
    measured = Measured(subject, Precision.INT8, {"fp32": 40.0, "int8": 12.5})
    Memory(settings.measured).keep(measured)
    told = "1x3x64x64: int8 12.5 ms, fp32 40 ms; auto takes int8"
    assert found(doctor.examine(settings), "measured")["retina_lesions"].detail == told
    monkeypatch.setenv("MEDLOOP_HOME", str(settings.home))
    main(["models", "show", "retina_lesions"])
    assert f"# measured here: {told}" in capsys.readouterr().out
    main(["models", "show", "retina_lesions", "--json"])
    assert json.loads(capsys.readouterr().out)["measured_here"] == [told]
    main(["models", "show", "retina_grading"])
    assert "measured" not in capsys.readouterr().out


def test_json_says_the_same_as_the_table(settings, capsys, monkeypatch):
    monkeypatch.setenv("MEDLOOP_HOME", str(settings.home))
    code = main(["doctor", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["healthy"] == (code == 0)
    assert main(["doctor"]) == code
    table = capsys.readouterr().out
    assert all(check["name"] in table for check in told["checks"])
