import logging
import os
import pwd
import subprocess
import sys

import pytest

from medloop.apps import cli
from medloop.apps.console import Exit, UsageError, logging_to_stderr, note, whoami
from medloop.apps.settings import Settings, load_settings
from medloop.core.errors import GeometryError, ServiceError, SettingError, UnsuitableError


def test_help_names_every_command(capsys):
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {command.name} " in out for command in cli.COMMANDS)


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_help_of_a_command_shows_examples_that_its_parser_accepts(command, capsys):
    assert cli.main([command.name, "--help"]) == 0
    assert "examples:" in capsys.readouterr().out
    for example in command.examples:
        command.parser().parse_intermixed_args(example.split())


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from medloop.apps.cli import main; main(['--help']);"
        "heavy = {'numpy', 'pydicom', 'cv2', 'torch', 'onnxruntime', 'sqlalchemy', 'rich'};"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_options_may_stand_between_inputs():
    analyze = next(command for command in cli.COMMANDS if command.name == "analyze")
    options = analyze.parser().parse_intermixed_args(["a.jpg", "-o", "out", "b.jpg"])
    assert [str(path) for path in options.inputs] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    "typed",
    [
        [],
        ["diagnose"],
        ["analyze"],
        ["analyze", "x.jpg"],
        ["analyze", "x.jpg", "-o", "out", "--lang", "fr"],
        ["analyze", "x.jpg", "-o", "out", "--precision", "fp8"],
        ["analyze", "x.jpg", "-o", "out", "--analysis", "phrenology"],
        ["models", "show"],
        ["models", "merge", "absent.safetensors", "-o", "absent"],
        ["serve", "--workers", "-1"],
    ],
)
def test_what_cannot_be_meant_exits_2(typed, capsys):
    assert cli.main(typed) == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (UsageError("no"), Exit.USAGE),
        (GeometryError("singular"), Exit.BAD_INPUT),
        (SettingError("no such recipe"), Exit.USAGE),
        (UnsuitableError("not an eye"), Exit.UNSUITABLE),
        (ServiceError("locked"), Exit.TROUBLE),
        (OSError(28, "No space left on device"), Exit.TROUBLE),
    ],
)
def test_the_class_of_an_error_decides_the_exit_code(error, code, capsys, monkeypatch):
    def fail(_typed):
        raise error

    monkeypatch.setattr(cli, "_answer", fail)
    assert cli.main(["doctor"]) == code
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_note_stays_on_one_line(capsys):
    note("slice gap\n  2.5 mm\texceeds 1 mm")
    assert capsys.readouterr().err == "slice gap 2.5 mm exceeds 1 mm\n"


def test_an_account_without_a_name_is_named_by_its_number(monkeypatch):
    def nobody(number):
        raise KeyError(number)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert whoami() == str(os.getuid())


def test_settings_come_from_the_file_and_variables_overrule_it(tmp_path):
    file = tmp_path / "medloop.toml"
    file.write_text('language = "zh"\nhome = "/srv/medloop"\n')
    settings = load_settings({"MEDLOOP_CONFIG": str(file), "MEDLOOP_HOME": str(tmp_path)})
    assert settings.language == "zh"
    assert settings.home == tmp_path
    assert settings.bundles == tmp_path / "bundles"


def test_another_process_is_given_the_same_settings(tmp_path):
    settings = Settings(tmp_path, "sqlite:///x", language="zh", precision="fp32")
    assert load_settings(settings.environment) == settings


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('colour = "blue"', "unknown setting 'colour'"),
        ("language = 3", "language must be text"),
        ('language = "fr"', "one of en, zh"),
        ("language = ", "Invalid value"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(tmp_path, text, says):
    file = tmp_path / "medloop.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=says) as caught:
        load_settings({"MEDLOOP_CONFIG": str(file)})
    assert "\n" not in str(caught.value)


def test_a_settings_file_that_is_not_there_is_named_once(tmp_path, capsys, monkeypatch):
    file = tmp_path / "medloop.toml"
    monkeypatch.setenv("MEDLOOP_CONFIG", str(file))
    assert cli.main(["jobs", "list"]) == 2
    assert capsys.readouterr().err == f"medloop: {file}: No such file or directory\n"


def test_a_store_that_cannot_be_made_or_meant_is_named(tmp_path, capsys, monkeypatch):
    file = tmp_path / "notes"
    file.touch()
    monkeypatch.setenv("MEDLOOP_HOME", str(file))
    assert cli.main(["jobs", "list"]) == 1
    assert capsys.readouterr().err == f"medloop: store {file} cannot be made: File exists\n"
    monkeypatch.setenv("MEDLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MEDLOOP_DATABASE", "mysql://x")
    assert cli.main(["jobs", "list"]) == 2
    assert "database is mysql, known: sqlite, postgresql" in capsys.readouterr().err


def test_a_logged_bug_is_one_line_with_its_place_and_without_its_values(capsys):
    with logging_to_stderr():
        try:
            {}["Doe^Jane"]
        except KeyError:
            logging.getLogger("medloop.workflow").exception("analysis %s has a bug", "retina")
        logging.getLogger("pydicom").warning("chatter")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("medloop: analysis retina has a bug: KeyError at ")
    assert "Doe" not in lines[0]


def test_a_folder_that_cannot_be_made_is_named_without_numbers(tmp_path, capsys):
    (tmp_path / "file").touch()
    code = cli.main(["analyze", str(tmp_path / "none.jpg"), "-o", str(tmp_path / "file" / "x")])
    said = capsys.readouterr().err.splitlines()
    if "no bundle" in said[-1]:
        pytest.skip("the shipped bundles are not installed")
    assert code == Exit.TROUBLE
    assert said[-1] == f"medloop: {tmp_path / 'file' / 'x'}: Not a directory"
