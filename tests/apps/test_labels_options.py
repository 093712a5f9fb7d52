"""Labels leave by the command line, and it says what to read next."""

import numpy as np
import pytest
from sqlalchemy import update

from medloop.apps.cli import main
from medloop.learning.data.recognize import open_dataset
from medloop.store import open_store
from medloop.store.tables import instances, studies
from tests.apps.web.jobs_done import a_ct
from tests.apps.web.nodes import NOON
from tests.apps.web.test_images import BALL, a_volume
from tests.peers import free_port


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with two chest CTs that were analyzed; the first was read."""
    monkeypatch.setenv("MEDLOOP_HOME", str(tmp_path / "home"))
    store = open_store(tmp_path / "home")
    for n in range(2):
        told = (f"2.25.81{n}", f"2026031{n}")
        a_ct(store, tmp_path / f"ct{n}", a_volume(), [(BALL, 12.0)], now=NOON, study=told)
    reading = store.readings.open(1, "li", now=NOON)
    store.readings.hand_in(reading.id, now=NOON)
    store.close()
    return tmp_path / "home"


def test_labels_are_written_and_counted(home, tmp_path, capsys):
    out = tmp_path / "labels"
    assert main(["labels", "export", "-o", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{out}/lung/masks: 1 cases",
        f"{out}/lung/grades: 1 cases",
        f"{out}/lung/boxes: 1 cases",
    ]
    assert len(open_dataset(out / "lung/masks").trainable) == 1


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["export"], 2, "-o DIR"),
        (["export", "-o", "OUT", "--analysis", "retina"], 3, "no reading was handed in"),
        (["export", "-o", "OUT", "--reader", "wang"], 3, "no reading was handed in"),
        (["export", "-o", "OUT", "--state", "signed"], 3, "no reading was handed in"),
    ],
)
def test_what_cannot_be_written_is_said(home, tmp_path, capsys, options, code, said):
    options = [str(tmp_path / "out") if each == "OUT" else each for each in options]
    assert main(["labels", *options]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("strategy", ["first", "random", "uncertainty", "diversity"])
def test_the_next_to_read_is_one_that_was_not_read(home, capsys, strategy):
    assert main(["labels", "next", "--strategy", strategy]) == 0
    assert capsys.readouterr().out == "2\n"
    assert main(["labels", "next", "--analysis", "retina"]) == 0
    assert "nothing is left" in capsys.readouterr().err


def test_what_one_reader_has_not_read_is_asked_for_by_name(home, capsys):
    assert main(["labels", "next", "--strategy", "first", "--reader", "wang"]) == 0
    assert capsys.readouterr().out == "1\n"


@pytest.mark.slow
def test_what_was_exported_can_be_trained_on(home, tmp_path, capsys):
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("monai", reason="monai is not installed")
    store = open_store(home)
    rng = np.random.default_rng(0)
    for n in range(2, 7):
        told = (f"2.25.82{n}", f"2026032{n}")
        place = tuple(np.array(BALL) + rng.uniform(-4, 4, 3))
        drawn = a_volume()
        array = rng.integers(-1000, -900, drawn.array.shape).astype(np.int16)
        a_ct(
            store,
            tmp_path / f"ct{n}",
            drawn.with_array(array),
            [(place, 14.0)],
            now=NOON,
            study=told,
        )
    with store.database.writing() as connection:  # of somebody else each
        connection.execute(update(studies).values(patient_identifier=studies.c.uid))
    for job in store.jobs.all():
        reading = store.readings.open(job.id, "li", now=NOON)
        store.readings.hand_in(reading.id, now=NOON)
    store.close()
    out = tmp_path / "labels"
    assert main(["labels", "export", "-o", str(out)]) == 0
    settings = ("epochs=1", "steps=2", "patch=8x16x16", "width=4", "widest=8", "folds=0")
    command = ["train", "segmentation", "--data", str(out / "lung/masks"), "--device", "cpu"]
    chosen = [part for each in settings for part in ("--set", each)]
    code = main([*command, "-o", str(tmp_path / "bundle"), *chosen])
    assert code == 0, capsys.readouterr().err
    assert (tmp_path / "bundle/weights.onnx").is_file()


def test_images_of_a_pacs_are_asked_of_it_and_nothing_is_written_where_it_is_away(
    home, tmp_path, capsys, monkeypatch
):
    url = f"http://127.0.0.1:{free_port()}/dicom-web"
    (home / "medloop.toml").write_text(
        f"""
[archive]
source = "pacs"

[[source]]
name = "pacs"
retrieval = "wado"
url = "{url}"
every = "1 min"
timeout_s = 1
"""
    )
    monkeypatch.setenv("MEDLOOP_CONFIG", str(home / "medloop.toml"))
    store = open_store(home)
    with store.database.writing() as connection:  # as the catalog lists what stays there
        connection.execute(update(instances).values(sha256=""))
    store.close()
    assert main(["labels", "export", "-o", str(tmp_path / "out")]) == 1
    assert "pacs cannot be reached" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
