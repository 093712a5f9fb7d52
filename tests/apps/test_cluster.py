"""Runs spread over a cluster answer as those of one machine, and go on where they stopped."""

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import pytest

from medloop.apps import cluster
from medloop.apps.analyze import analyze_into
from medloop.apps.bootstrap import choose_analyses
from medloop.apps.cli import main
from medloop.apps.cluster import LOSSES, Item, Journal, Order, analyze_on_cluster
from medloop.apps.settings import Settings
from medloop.core.errors import ServiceError
from medloop.core.study import Selection
from medloop.workflow.worker import Ending, Outcome
from tests.apps.tiny_bundles import a_grading_bundle, a_lesion_bundle
from tests.peers import collect_quietly
from tests.phantoms import a_fundus
from tests.workflow.cases import a_study

FAILED = Outcome(Ending.FAILED, "no pixels")


@pytest.fixture
def order(tmp_path):
    """An order whose results go to a folder."""
    (tmp_path / "out").mkdir()
    return Order(("retina",), Settings(home=tmp_path / "home"), tmp_path / "out")


@pytest.fixture
def items(tmp_path):
    """Five runs over files that exist."""
    made = []
    for number in range(5):
        study = a_study(f"2.25.{number}")
        (series,) = study.series
        path = tmp_path / f"eye{number}.jpg"
        path.write_bytes(bytes([number]))
        (instance,) = series.instances
        chosen = replace(series, instances=(replace(instance, path=path),))
        made.append(Item(number, study, "retina", Selection((chosen,)), "retina"))
    return made


@pytest.fixture
def ended_quietly():
    """Collect what Ray leaves."""
    yield
    collect_quietly()


def test_what_is_compared_stays_together_and_in_order(items):
    lines = ["", "lung P1", "", "lung P1", ""]
    groups = cluster._groups(list(zip(items, lines, strict=True)), processes=2)
    numbers = [[item.number for item in group.items] for group in groups]
    assert numbers == [[1, 3], [0], [2], [4]]
    assert [group.is_line for group in groups] == [True, False, False, False]


def test_many_runs_are_given_out_some_at_a_time(items):
    many = [(items[0], "")] * 40
    sizes = [len(group.items) for group in cluster._groups(many, processes=2)]
    assert sizes == [5] * 8


def test_what_a_process_was_lost_on_is_tried_singly_and_given_up_in_the_end(items):
    told = {}
    group = cluster._Group(tuple(items[:2]))
    alone = list(cluster._lost(group, told.__setitem__))
    assert [each.items for each in alone] == [(items[0],), (items[1],)]
    (again,) = alone[:1]
    for _ in range(LOSSES - 1):
        (again,) = cluster._lost(again, told.__setitem__)
    assert told == {}
    assert list(cluster._lost(again, told.__setitem__)) == []
    assert told[0].state is Ending.FAILED
    assert told[0].reason == "quarantined: 3 processes were lost on it"


def test_a_journal_knows_what_has_ended(order, items):
    journal = Journal(order.out / "journal", order)
    folder = order.out / "eyes" / "retina"
    folder.mkdir(parents=True)
    (folder / "result.json").touch()
    journal.add(items[0], Outcome(Ending.DONE, "", folder))
    journal.add(items[1], FAILED)
    journal.add(items[2], Outcome(Ending.RETRY, "disk is full"))
    with journal.path.open("a") as file:
        file.write('{"key": "cut sho')
    known = journal.read()
    assert known == {
        journal.key(items[0]): Outcome(Ending.DONE, "", folder),
        journal.key(items[1]): FAILED,
    }
    (folder / "result.json").unlink()
    assert list(journal.read()) == [journal.key(items[1])]


def test_a_file_that_changed_or_another_language_is_another_run(order, items):
    journal = Journal(order.out / "journal", order)
    before = journal.key(items[0])
    chinese = replace(order, settings=replace(order.settings, language="zh"))
    assert Journal(journal.path, chinese).key(items[0]) != before
    items[0].selection.series[0].instances[0].path.write_bytes(b"changed")
    assert journal.key(items[0]) != before


def test_without_ray_the_command_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(cluster, "find_spec", lambda _name: None)
    (tmp_path / "eye.png").write_bytes(b"")
    out = str(tmp_path / "out")
    assert main(["analyze", str(tmp_path / "eye.png"), "-o", out, "--cluster", "auto"]) == 1
    assert "pip install 'medloop[cluster]'" in capsys.readouterr().err


def compared(out: Path) -> dict[str, object]:
    """What every machine writes the same: all but moments."""
    found: dict[str, object] = {}
    for path in sorted(each for each in out.rglob("*") if each.is_file()):
        name = path.relative_to(out).as_posix()
        if "/." in name:  # what a process left that was interrupted: swept by a later run
            continue
        if path.name == "result.json":
            record = json.loads(path.read_text())
            record.pop("timings_s")
            found[name] = {key: value for key, value in record.items() if key != "finished"}
        elif path.suffix in (".png", ".gz") or name == "summary.json":
            found[name] = path.read_bytes()
        else:
            found[name] = None
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.usefixtures("ended_quietly")
def test_a_real_cluster_answers_as_one_machine_and_goes_on_where_it_stopped(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    studies = Path("studies")
    studies.mkdir()
    for number in range(3):
        picture = a_fundus((356, 536), seed=number).picture
        cv2.imwrite(str(studies / f"eye{number}.png"), picture.array[..., ::-1])
    (studies / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    settings = Settings(home=tmp_path / "home", precision="fp32")
    a_grading_bundle(settings.bundles / "retina_grading")
    a_lesion_bundle(settings.bundles / "retina_lesions")
    analyze_into([studies], Path("one"), choose_analyses(["retina"], settings), language="en")

    order = Order(("retina",), settings, Path("many"))
    summary = analyze_on_cluster([studies], order, "auto", are_named=True)
    assert [row.outcome for row in summary.rows] == ["failed", "done", "done", "done"]
    assert compared(Path("many")) == compared(Path("one"))
    assert not list(Path("many").glob(".*")), "a journal or scratch folder is left"

    # Interrupted after one study: the rest is done, and what was done is not done again.
    done = []

    def interrupted(self, item, outcome):
        add(self, item, outcome)
        if outcome.path:
            done.append(outcome.path / "result.json")
            raise KeyboardInterrupt

    add = Journal.add
    monkeypatch.setattr(Journal, "add", interrupted)
    order = Order(("retina",), settings, Path("again"))
    with pytest.raises(KeyboardInterrupt):
        analyze_on_cluster([studies], order, "auto", are_named=True)
    monkeypatch.setattr(Journal, "add", add)
    (first,) = done
    written = first.stat().st_mtime_ns
    summary = analyze_on_cluster([studies], order, "auto", are_named=True)
    assert first.stat().st_mtime_ns == written
    assert compared(Path("again")) == compared(Path("one"))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.usefixtures("ended_quietly")
def test_a_cluster_that_does_not_start_leaves_no_process_behind(monkeypatch):
    from ray._private import node  # noqa: PLC0415 (heavy, and not always there)

    tried = []

    def too_late(self, *_):
        tried.append(self)
        raise Exception("The current node timed out during startup.")  # noqa: TRY002 (Ray's)

    monkeypatch.setattr(node.Node, "validate_ip_port", too_late)
    with (
        pytest.raises(ServiceError, match="the cluster at auto cannot be reached: The current"),
        cluster._connected("auto"),
    ):
        pass
    assert len(tried) == 2
    assert [each.live_processes() for each in tried] == [[], []]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.usefixtures("ended_quietly")
def test_a_cluster_that_is_not_there_is_said_in_one_line():
    with (
        pytest.raises(ServiceError, match=r"the cluster at ray://\S+ cannot be reached"),
        cluster._connected("ray://127.0.0.1:9"),
    ):
        pass
