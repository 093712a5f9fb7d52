"""The page that shows a job's result, and what it is given."""

import numpy as np
import pytest

from medloop.apps import niivue
from medloop.apps.niivue import script_path
from medloop.apps.web.reading_page import NIIVUE_PLACE
from medloop.store.users import Role
from tests.apps.web.jobs_done import a_ct, a_photograph
from tests.apps.web.test_images import BALL, a_volume

HTML = {"Accept": "text/html"}


@pytest.fixture
def ct(store, tmp_path, clock):
    return a_ct(store, tmp_path / "ct", a_volume(), [(BALL, 12.0)], now=clock())


def test_the_page_says_whose_images_these_are_in_ones_language(node, ct):
    client = node.program(Role.READER)
    english = client.get(f"/read/{ct.id}?lang=en", headers=HTML).text
    chinese = client.get(f"/read/{ct.id}?lang=zh", headers=HTML).text
    assert "WANG, XiaoDong" in english
    assert "PID-0042 · male · 1962-07-14 · CT" in english
    assert "PID-0042 · 男 · 1962-07-14 · CT" in chinese
    assert "王小东" in chinese
    assert '<span class="badge">Lung nodules</span>' in english
    assert '<span class="badge">肺结节</span>' in chinese
    assert f'src="/api/jobs/{ct.id}/preview.jpg"' in english
    assert "<style" not in english
    assert "onclick" not in english


def test_films_are_read_in_the_dark_unless_one_chose_light(node, ct):
    client = node.program(Role.READER)
    assert 'data-theme="dark"' in client.get(f"/read/{ct.id}", headers=HTML).text
    light = client.get(f"/read/{ct.id}?theme=light", headers=HTML).text
    assert 'data-theme="light"' in light


def test_who_may_only_look_is_offered_no_correction(node, ct):
    page = node.program(Role.VIEWER).get(f"/read/{ct.id}", headers=HTML).text
    assert 'data-may-correct=""' in page
    assert 'data-may-sign=""' in page


def test_a_job_without_a_result_has_no_page(node):
    assert node.program(Role.READER).get("/read/77", headers=HTML).status_code == 404
    assert node.program(Role.READER).get(f"/read/{10**30}", headers=HTML).status_code == 422
    assert node.program(Role.READER).get(f"/api/jobs/{10**30}/scene").status_code == 422


def test_opening_it_stands_in_the_audit_trail(node, ct, store):
    node.program(Role.READER).get(f"/read/{ct.id}", headers=HTML)
    (looked,) = [each for each in store.audit.entries() if each.action == "looked"]
    assert (looked.actor, looked.subject) == ("a-reader", ct.study)


def test_niivue_is_given_only_as_it_was_tested(node, ct, store):
    client = node.program(Role.READER)
    assert client.get(NIIVUE_PLACE).status_code == 404
    script = script_path(store.root)
    script.parent.mkdir()
    script.write_bytes(b"export const Niivue = evil")
    assert client.get(NIIVUE_PLACE).status_code == 404
    assert 'data-niivue=""' in client.get(f"/read/{ct.id}", headers=HTML).text


def test_niivue_is_kept_by_the_browser(node, store, monkeypatch, ct):
    script = script_path(store.root)
    script.parent.mkdir()
    script.write_bytes(b"export class Niivue {}")
    monkeypatch.setattr(
        niivue, "SCRIPT_SHA256", niivue.hashlib.sha256(script.read_bytes()).hexdigest()
    )
    client = node.program(Role.READER)
    answer = client.get(NIIVUE_PLACE)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert NIIVUE_PLACE in client.get(f"/read/{ct.id}", headers=HTML).text


def test_a_photograph_has_the_same_page(node, store, tmp_path, clock):
    eye = np.full((40, 60, 3), 90, np.uint8)
    job = a_photograph(store, tmp_path / "eye", eye, now=clock())
    page = node.program(Role.READER).get(f"/read/{job.id}", headers=HTML)
    assert page.status_code == 200
    assert "<h1>eye</h1>" in page.text
