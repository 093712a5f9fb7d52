"""Metrics and health: true numbers, no patients."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from medloop.apps.site import ReceiveSettings, Site
from medloop.apps.web.context import make_context
from medloop.core.names import SopUid
from medloop.store.job import JobState
from medloop.store.users import Role
from tests.apps.web.nodes import AWAY, NoInlet, node_of
from tests.store.studies import a_study


@pytest.fixture
def study(store, clock, tmp_path):
    arrived = a_study(tmp_path)
    store.receive(arrived, now=clock())
    return arrived


def metrics(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_store_is_counted(node, study, store, clock):
    store.jobs.add(study.uid, "lung", [SopUid("1")], now=clock())
    store.jobs.add(study.uid, "retina", [SopUid("2")], now=clock())
    job = store.jobs.claim("w", ["lung"], now=clock())
    clock.passes(seconds=5)
    store.jobs.move(job, JobState.DONE, now=clock())
    found = metrics(node.program(Role.SERVICE))
    assert found["medloop_studies",] == 1
    assert found["medloop_instances",] == sum(len(s.instances) for s in study.series)
    assert found["medloop_jobs", "done", "lung"] == 1
    assert found["medloop_jobs", "lung", "running"] == 0
    assert found["medloop_jobs", "retina", "waiting"] == 1
    assert found["medloop_queue_age_seconds",] == 5
    assert found["medloop_job_seconds_sum", "lung"] == pytest.approx(5, abs=0.01)
    assert found["medloop_job_seconds_bucket", "4.0", "lung"] == 0
    assert found["medloop_job_seconds_bucket", "8.0", "lung"] == 1
    assert found["medloop_disk_free_bytes",] > 0


def test_requests_are_counted_by_route_not_by_address(node):
    client = node.program(Role.SERVICE)
    client.get("/healthz?PatientName=Zhang")
    client.get("/nowhere/Zhang")
    client.request("ZHANG", "/nowhere")
    told = client.get("/metrics").text
    assert (
        'medloop_request_seconds_count{method="GET",route="/healthz",status="200"} 1.0' in told
    )
    assert "Zhang" not in told
    assert "ZHANG" not in told


def test_metrics_need_the_permission_to_watch(node):
    assert node.client(at=AWAY).get("/metrics").status_code == 401
    assert node.program(Role.VIEWER).get("/metrics").status_code == 403


def test_a_node_that_runs_is_alive_and_ready(node):
    client = node.client(at=AWAY)
    assert client.get("/healthz").json() == {"status": "alive"}
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert set(answer.json().values()) == {"ready", "ok"}


def test_too_little_room_is_not_ready(store, clock):
    site = Site(receive=ReceiveSettings(reserve_gb=1e9))
    node = node_of(make_context(store, site, NoInlet(), now=clock), clock)
    answer = node.client(at=AWAY).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["disk"].startswith("disk is full")


def test_jobs_that_nobody_takes_are_not_ready(node, study, store, clock):
    store.jobs.add(study.uid, "lung", [SopUid("1")], now=clock())
    clock.passes(minutes=6)
    answer = node.client(at=AWAY).get("/readyz")
    assert answer.json()["workers"] == "jobs wait for 6 minutes and no worker takes them"
    assert answer.status_code == 503


def test_an_archive_that_cannot_be_written_is_not_ready(context, clock, tmp_path):
    (tmp_path / "file").write_text("")
    archive = SimpleNamespace(root=tmp_path / "file")
    broken = replace(context, store=replace(context.store, archive=archive))
    answer = node_of(broken, clock).client(at=AWAY).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["archive"].startswith("cannot be written")


def test_a_database_that_is_away_is_not_ready_and_answered_with_503(context, clock, tmp_path):
    node = node_of(context, clock)
    client = node.program(Role.SERVICE)
    context.store.close()
    for file in tmp_path.glob("store/medloop.db*"):
        file.unlink()
    (tmp_path / "store" / "medloop.db").mkdir()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "cannot be reached"
    failed = client.get("/metrics")
    assert failed.status_code == 503
    assert failed.headers["retry-after"]


def test_what_is_asked_every_few_seconds_fills_no_log(node, caplog):
    caplog.set_level("INFO", "medloop")
    client = node.program(Role.SERVICE)
    for path in ("/healthz", "/readyz", "/metrics", "/api/me"):
        client.get(path)
    assert [record.route for record in caplog.records] == ["/api/me"]
