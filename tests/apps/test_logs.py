"""What a node logs: lines that machines read, and nothing of a patient."""

import io
import json
import logging
import stat
import threading
from contextlib import suppress

import pytest

from medloop.apps.console import UsageError
from medloop.apps.logs import KEY_FILE, node_logging, node_process, study_hash
from medloop.core.errors import ServiceError

UID = "1.2.826.0.1.3680043.8.498.12345678901234567890"
log = logging.getLogger("medloop.test")


@pytest.fixture
def lines(tmp_path):
    """Log as a node does; gives the lines so far."""
    out = io.StringIO()
    with node_logging(tmp_path, out):
        yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_record_is_one_line_of_json(lines):
    log.info("study is\nquiet", extra={"study": UID, "job": 7, "patient": "Zhang^Wei"})
    (line,) = lines()
    assert line["said"] == "study is quiet"
    assert line["level"] == "info"
    assert line["from"] == "medloop.test"
    assert line["job"] == 7
    assert "Zhang" not in json.dumps(line)


def test_a_study_stands_there_by_the_same_hash_every_time(lines, tmp_path):
    log.info("about %s", UID)
    log.warning("again", extra={"study": UID})
    first, second = lines()
    assert first["said"] == f"about study:{second['study']}"
    assert UID not in json.dumps([first, second])
    assert second["study"] == study_hash(tmp_path)(UID)


def test_another_node_names_the_same_study_otherwise(tmp_path):
    assert study_hash(tmp_path / "a")(UID) != study_hash(tmp_path / "b")(UID)


def test_addresses_and_versions_stay_readable(lines):
    log.info("called from 192.168.10.20 by version 1.2.3 after 0.5 s")
    assert lines()[0]["said"] == "called from 192.168.10.20 by version 1.2.3 after 0.5 s"


def test_an_error_is_named_without_its_values(lines):
    try:
        int("Zhang^Wei")
    except ValueError:
        log.exception("could not do it")
    (line,) = lines()
    assert line["error"].startswith("ValueError at ")
    assert "Zhang" not in json.dumps(line)


def test_libraries_are_not_heard(lines):
    logging.getLogger("pydicom").warning("invalid value for PN: Zhang^Wei")
    assert lines() == []


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (UsageError("port 0"), 2, "port 0"),
        (ServiceError("database: away"), 1, "database: away"),
        (FileNotFoundError(2, "No such file", "/x"), 1, "/x: No such file"),
    ],
)
def test_what_ends_a_process_is_a_line_of_its_log(tmp_path, error, code, said):
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended, node_process(tmp_path, out):
        raise error
    (line,) = [json.loads(line) for line in out.getvalue().splitlines()]
    assert (ended.value.code, line["said"]) == (code, said)


def test_bugs_are_lines_of_the_log_without_their_values(tmp_path):
    def fail():
        raise ValueError("Zhang^Wei")

    out = io.StringIO()
    with suppress(SystemExit), node_process(tmp_path, out):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        fail()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["said"] for line in lines] == ["a thread was ended by a bug", "ended by a bug"]
    assert all(line["error"].startswith("ValueError at ") for line in lines)
    assert "Zhang" not in out.getvalue()


def test_the_key_is_for_the_node_alone(tmp_path):
    study_hash(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_a_person_at_a_terminal_reads_plain_lines(tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    with node_logging(tmp_path, out):
        log.info("request", extra={"route": "/studies", "status": 200})
    assert out.getvalue().rstrip().endswith("info  request  route=/studies  status=200")


def test_afterwards_logging_is_as_it_was(tmp_path):
    root = logging.getLogger()
    before = (list(root.handlers), logging.getLogger("medloop").level)
    with node_logging(tmp_path, io.StringIO()):
        pass
    assert (list(root.handlers), logging.getLogger("medloop").level) == before
