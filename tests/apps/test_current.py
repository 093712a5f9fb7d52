"""A worker does each job with the version that is in use when the job begins."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

from medloop.apps import promotion
from medloop.apps.bootstrap import Offer
from medloop.apps.bundles import find_bundle
from medloop.apps.current import Current
from medloop.apps.settings import Settings
from medloop.core.errors import InputError
from medloop.models.bundle import seal
from medloop.store import JobState, open_store
from medloop.workflow.intake import gather
from tests.apps.test_promotion import NAME, a_version, three
from tests.clinical.brains import a_bundle, a_hippocampus, write_mr
from tests.peers import wait_until
from tests.workflow.cases import NOON


@pytest.fixture
def site(tmp_path):
    return Settings(home=tmp_path / "home")


class Opened:
    """An analysis that only knows which version it was built of."""

    name = "eyes"

    def __init__(self, settings):
        self.version = find_bundle(NAME, settings).version


def current_of(site):
    return Current(site, {"eyes": Offer("?", (NAME,), Opened)})


def version_of(current):
    (analysis,) = current.analyses()
    return analysis.version


def test_a_promotion_and_a_rollback_are_noticed(site, tmp_path):
    three(site, tmp_path)
    current = current_of(site)
    assert version_of(current) == "1.0"
    promotion.promote(f"{NAME}@3.0", site)
    assert version_of(current) == "3.0"
    promotion.rollback(NAME, site)
    assert version_of(current) == "1.0"


def test_nothing_is_opened_again_while_nothing_changes(site, tmp_path):
    three(site, tmp_path)
    current = current_of(site)
    (first,) = current.analyses()
    promotion.install(a_version(tmp_path / "v4", "4.0"), site)
    assert current.analyses()[0] is first, "installing promotes none"


def test_a_version_that_is_damaged_is_said_once_and_the_one_before_goes_on(
    site, tmp_path, caplog
):
    three(site, tmp_path)
    current = current_of(site)
    assert version_of(current) == "1.0"
    promotion.promote(f"{NAME}@2.0", site)
    (site.bundles / NAME / "plan.json").write_text("{}")
    with caplog.at_level(logging.WARNING):
        assert [version_of(current) for _ in range(3)] == ["1.0"] * 3
    assert len([each for each in caplog.messages if "keeps the version it has" in each]) == 1
    promotion.promote(f"{NAME}@3.0", site)
    assert version_of(current) == "3.0"


def test_at_first_what_cannot_be_opened_is_an_error(site, tmp_path):
    three(site, tmp_path)
    (site.bundles / NAME / "plan.json").write_text("{}")
    with pytest.raises(InputError):
        current_of(site).analyses()


def a_study(folder: Path, number: int) -> Path:
    """A drawn brain as DICOM; `number` tells studies apart."""
    write_mr(a_hippocampus().volume, folder)
    for path in folder.iterdir():
        data = dcmread(path)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            data[keyword].value = f"{data[keyword].value}.{number}"
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.save_as(path, enforce_file_format=True)
    return folder


def install_versions(site, tmp_path):
    for version in ("1.0", "2.0"):
        bundle = a_bundle(tmp_path / version)
        (bundle / "card.toml").write_text(f'name = "hippocampus"\nversion = "{version}"\n')
        seal(bundle)
        promotion.install(bundle, site)
    promotion.promote("hippocampus@1.0", site)


@pytest.mark.slow
def test_a_worker_that_runs_takes_up_what_is_promoted_before_its_next_job(site, tmp_path):
    install_versions(site, tmp_path)
    store = open_store(site.home)

    def done_by(number: int) -> str:
        folder = a_study(tmp_path / f"s{number}", number)
        study = gather([folder], scratch=tmp_path).studies[0]
        store.receive(study, now=NOON)
        uids = tuple(each.uid for each in study.series[0].instances)
        store.jobs.add(study.uid, "hippocampus", uids, now=NOON)
        wait_until(lambda: store.jobs.get(number).state is JobState.DONE, timeout_s=280)
        (bundle,) = store.results.get(number).record["bundles"]
        return f"{bundle['bundle']} {bundle['version']}"

    kept = {key: value for key, value in os.environ.items() if "MEDLOOP" not in key}
    command = [sys.executable, "-m", "medloop", "worker", "--alone", "w1"]
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            command,
            env={**kept, "MEDLOOP_HOME": str(site.home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
        )
    try:
        assert done_by(1) == "hippocampus 1.0"
        promotion.promote("hippocampus@2.0", site)
        assert done_by(2) == "hippocampus 2.0"
        promotion.rollback("hippocampus", site)
        assert done_by(3) == "hippocampus 1.0"
        assert worker.poll() is None, "it is the same process"
    finally:
        worker.terminate()
        worker.wait(timeout=60)
        store.close()
