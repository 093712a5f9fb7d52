"""Versions of a bundle: kept, used, exchanged, and never lost."""

import json
import multiprocessing
from pathlib import Path

import pytest

from medloop.apps import promotion, versions
from medloop.apps.bundles import find_bundle
from medloop.apps.console import UsageError
from medloop.apps.settings import Settings
from medloop.core.errors import InputError
from medloop.models.bundle import seal, shipped_bundles
from tests.apps.tiny_bundles import a_grading_bundle

NAME = "eyes"


@pytest.fixture
def site(tmp_path):
    return Settings(home=tmp_path / "home")


def a_version(folder: Path, version: str, name: str = NAME) -> Path:
    bundle = a_grading_bundle(folder)
    (bundle / "card.toml").write_text(f'name = "{name}"\nversion = "{version}"\n')
    seal(bundle)
    return bundle


def three(site, tmp_path):
    for n in (1, 2, 3):
        promotion.install(a_version(tmp_path / f"v{n}", f"{n}.0"), site)


def in_use(site, name=NAME):
    return find_bundle(name, site).version


def test_the_first_version_is_used_at_once_and_the_next_ones_wait(site, tmp_path):
    three(site, tmp_path)
    assert in_use(site) == "1.0"
    assert [row.version for row in versions.versions_of(NAME, site) if row.is_current] == [
        "1.0"
    ]
    assert sorted(row.version for row in versions.versions_of(NAME, site)) == [
        "1.0",
        "2.0",
        "3.0",
    ]


def test_promoting_and_rolling_back_walk_the_same_path(site, tmp_path):
    three(site, tmp_path)
    promotion.promote(f"{NAME}@2.0", site)
    promotion.promote(NAME, site)
    assert in_use(site) == "3.0"
    promotion.rollback(NAME, site)
    assert in_use(site) == "2.0"
    promotion.rollback(NAME, site)
    assert in_use(site) == "1.0"
    with pytest.raises(UsageError, match="no version was in use before"):
        promotion.rollback(NAME, site)


@pytest.mark.parametrize("act", [promotion.rollback, promotion.promote])
def test_a_name_that_nobody_has_is_told_those_there_are(site, tmp_path, act):
    three(site, tmp_path)
    with pytest.raises(UsageError, match=f"no bundle is called 'skin'; there are: .*{NAME}"):
        act("skin@1.0" if act is promotion.promote else "skin", site)


def test_promoting_again_after_a_rollback_forgets_what_was_rolled_back(site, tmp_path):
    three(site, tmp_path)
    promotion.promote(f"{NAME}@2.0", site)
    promotion.rollback(NAME, site)
    promotion.promote(f"{NAME}@3.0", site)
    promotion.rollback(NAME, site)
    assert in_use(site) == "1.0"


def test_a_version_is_known_by_its_hashes(site, tmp_path):
    three(site, tmp_path)
    second = next(row for row in versions.versions_of(NAME, site) if row.version == "2.0")
    promotion.promote(f"{NAME}@{second.id[:6]}", site)
    assert in_use(site) == "2.0"
    with pytest.raises(UsageError, match="means several versions"):
        promotion.promote(f"{NAME}@{second.sha256[:16]}", site)  # three cards, one network


@pytest.mark.parametrize("wanted", [f"{NAME}@9.9", "nobody", "nobody@1.0"])
def test_what_is_not_there_cannot_be_promoted(wanted, site, tmp_path):
    promotion.install(a_version(tmp_path / "v1", "1.0"), site)
    with pytest.raises(UsageError):
        promotion.promote(wanted, site)


def test_a_damaged_version_is_named_refused_and_mended_by_installing_it_again(
    site, tmp_path, capsys
):
    three(site, tmp_path)
    second = next(row for row in versions.versions_of(NAME, site) if row.version == "2.0")
    kept = site.home / "bundle_versions" / NAME / second.id
    (kept / "plan.json").write_text("{}")
    assert promotion.show_versions(site, as_json=False) == 3
    assert "plan.json has SHA-256" in capsys.readouterr().out
    with pytest.raises(InputError, match="SHA-256"):
        promotion.promote(f"{NAME}@{second.id}", site)
    assert in_use(site) == "1.0"
    promotion.install(tmp_path / "v2", site)
    promotion.promote(f"{NAME}@2.0", site)
    assert in_use(site) == "2.0"
    assert any(each.name.startswith(".damaged") for each in kept.parent.iterdir())


def test_a_damaged_folder_is_not_installed(site, tmp_path):
    bundle = a_version(tmp_path / "v1", "1.0")
    (bundle / "weights.onnx").write_bytes(b"")
    with pytest.raises(InputError, match="SHA-256"):
        promotion.install(bundle, site)
    assert versions.versions_of(NAME, site) == ()


@pytest.mark.parametrize("name", ["../out", ".hidden", "a/b", ""])
def test_a_name_that_leads_elsewhere_is_refused(name, site, tmp_path):
    with pytest.raises(InputError, match="a bundle's name"):
        promotion.install(a_version(tmp_path / "v", "1.0", name), site)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_was_installed_before_versions_existed_becomes_one(site, tmp_path):
    a_version(site.bundles / NAME, "0.9")
    promotion.install(a_version(tmp_path / "v1", "1.0"), site)
    assert in_use(site) == "0.9"
    promotion.promote(f"{NAME}@1.0", site)
    assert in_use(site) == "1.0"
    promotion.rollback(NAME, site)
    assert in_use(site) == "0.9"


def test_a_version_whose_folder_is_gone_is_named(site, tmp_path, capsys):
    promotion.install(a_version(tmp_path / "v1", "1.0"), site)
    (site.home / "bundle_versions").rename(tmp_path / "elsewhere")
    assert promotion.show_versions(site, as_json=False) == 3
    assert "points to a version that is not there" in capsys.readouterr().out


@pytest.mark.skipif(not shipped_bundles(), reason="the shipped bundles are absent")
def test_a_rollback_leads_back_to_the_shipped_version(site, tmp_path):
    name = shipped_bundles()[0]
    promotion.install(a_version(tmp_path / "v1", "0.0.1", name), site)
    assert in_use(site, name) == "0.0.1"
    promotion.rollback(name, site)
    assert versions.current_id(name, site) == versions.SHIPPED
    promotion.promote(f"{name}@0.0.1", site)
    promotion.promote(f"{name}@shipped", site)
    assert versions.current_id(name, site) == versions.SHIPPED


def test_the_log_says_who_did_what_and_when(site, tmp_path):
    three(site, tmp_path)
    promotion.promote(f"{NAME}@2.0", site)
    lines = (site.home / "bundle_versions" / NAME / "log.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["did"] for entry in entries] == [
        "install",
        "promote",
        "install",
        "install",
        "promote",
    ]
    assert all(entry["who"] and entry["at"].endswith("+00:00") for entry in entries)
    assert entries[-1]["from"] == entries[0]["to"]


def test_a_change_that_was_announced_and_never_made_is_seen_through(site, tmp_path):
    three(site, tmp_path)
    promotion.promote(f"{NAME}@2.0", site)
    log = site.home / "bundle_versions" / NAME / "log.jsonl"
    third = versions.newest(NAME, site)
    current = versions.current_id(NAME, site)
    with log.open("a") as stream:
        line = {"at": "", "who": "x", "did": "promote", "from": current, "to": third}
        stream.write(json.dumps(line) + '\n{"did": "promo')
    promotion.rollback(NAME, site)
    assert in_use(site) == "1.0"


def _flip(home: str, which: tuple[str, str]) -> None:
    site = Settings(home=Path(home))
    for n in range(20):
        promotion.promote(f"{NAME}@{which[n % 2]}", site)


@pytest.mark.slow
def test_whoever_reads_while_others_promote_always_finds_a_whole_version(site, tmp_path):
    three(site, tmp_path)
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=_flip, args=(str(site.home), pair))
        for pair in (("1.0", "2.0"), ("3.0", "2.0"))
    ]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(find_bundle(NAME, site).version)
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen <= {"1.0", "2.0", "3.0"}
    assert len(versions.versions_of(NAME, site)) == 3
