"""``medloop pull``, from the command line to the store."""

from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from medloop.apps import pull_options
from medloop.apps.cli import main
from medloop.core.names import StudyUid
from medloop.store import open_store
from medloop.workflow.pull import Pulled
from tests.dicom.slices import save, stack
from tests.peers import orthanc

pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")
pytest.importorskip("dicomweb_client", reason="dicomweb-client is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orthanc")
    with orthanc(folder, modalities={"MEDLOOP": 11112}) as pacs:
        for day in (1, 2, 3):
            tags = {"StudyInstanceUID": f"1.2.826.0.{day}", "StudyDate": f"2026010{day}"}
            for piece in stack(range(4), SeriesInstanceUID=f"1.2.826.0.{day}.9", **tags):
                piece.SOPInstanceUID, piece.PatientName = generate_uid(), "Planted^Name"
                pacs.upload(save(piece, folder / "made.dcm").read_bytes())
        yield pacs


@pytest.fixture(params=["get", "wado"])
def home(request, tmp_path, server, monkeypatch):
    """A home whose settings name the server as `pacs`, reached one way or the other."""
    way = {
        "get": f'host = "127.0.0.1"\nport = {server.dicom_port}\nae_title = "{server.aet}"',
        "wado": f'retrieval = "wado"\nurl = "{server.dicomweb}"',
    }[request.param]
    config = tmp_path / "medloop.toml"
    config.write_text(f'home = "{tmp_path / "home"}"\n[[source]]\nname = "pacs"\n{way}\n')
    monkeypatch.setenv("MEDLOOP_CONFIG", str(config))
    monkeypatch.delenv("MEDLOOP_HOME", raising=False)
    return tmp_path / "home"


def lines(capsys):
    captured = capsys.readouterr()
    assert "Planted" not in captured.out + captured.err
    return captured.out.splitlines()


@pytest.mark.slow
def test_what_matches_is_fetched_once_and_queued(home: Path, capsys):
    command = ["pull", "pacs", "--date", "20260101-20260102", "--modality", "ct"]
    assert main(command) == 0
    out = lines(capsys)
    assert out[-1] == "2 match, 0 were here, 2 fetched"
    assert "1.2.826.0.1: 4 new, 0 known" in out
    assert main(command) == 0
    assert lines(capsys) == ["2 match, 2 were here, 0 fetched"]
    store = open_store(home)
    assert len(store.catalog.studies()) == 2
    assert {str(job.state) for job in store.jobs.all()} <= {"skipped", "waiting", "failed"}
    assert len(store.jobs.all()) >= 2
    store.close()


@pytest.mark.slow
def test_a_dry_run_lists_and_fetches_nothing(home: Path, capsys):
    assert main(["pull", "pacs", "--date", "20260101-", "--limit", "2", "--dry-run"]) == 0
    out = lines(capsys)
    assert out == [
        "1.2.826.0.3 20260103 CT: 0 of 4 here",
        "1.2.826.0.2 20260102 CT: 0 of 4 here",
        "2 match, 0 are here",
    ]
    store = open_store(home)
    assert store.catalog.studies() == ()
    store.close()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["pacs"], "needs --date"),
        (["nobody", "--date", "today"], "no source 'nobody'; there are pacs"),
        (["pacs", "--date", "someday"], "none of: today"),
        (["pacs", "--date", "today", "--limit", "0"], "--limit 0 is below 1"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_line(home: Path, capsys, typed, said):
    assert main(["pull", *typed]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('every = "often"', "period 'often'"),
        ('days = "never"', "days 'never'"),
        ("timeout_s = 0", "timeout_s 0 is not above 0"),
    ],
)
def test_a_source_whose_settings_mean_nothing_is_refused(
    tmp_path, monkeypatch, capsys, text, said
):
    config = tmp_path / "medloop.toml"
    pacs = '[[source]]\nname = "pacs"\nhost = "127.0.0.1"\nae_title = "PACS"\n'
    config.write_text(f'home = "{tmp_path}"\n{pacs}{text}\n')
    monkeypatch.setenv("MEDLOOP_CONFIG", str(config))
    assert main(["pull", "pacs", "--date", "today"]) == 2
    assert said in capsys.readouterr().err


def test_a_study_that_came_in_part_is_not_analyzed_yet():
    broken = Pulled(StudyUid("1.2"), stored=70, reason="archive broke off the retrieval")
    nobody_is_asked = None
    pull_options._settle(nobody_is_asked, nobody_is_asked, [broken])
