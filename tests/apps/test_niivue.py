"""NiiVue's script is the one that was tested, or none."""

import base64
import hashlib
import io
import logging
import tarfile

import pytest

from medloop.apps import niivue, viewer
from medloop.apps.niivue import install, install_if_possible, installed_script, script_path
from medloop.apps.viewer import Release
from medloop.core.errors import InputError, ServiceError

SCRIPT = b"export class Niivue {}"


def a_package(path, name="package/dist/index.js", content=SCRIPT):
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package that counts as the tested one."""
    made = a_package(tmp_path / "niivue.tgz")
    digest = base64.b64encode(hashlib.sha512(made.read_bytes()).digest()).decode()
    release = Release("@niivue/niivue", "0.69.0", f"sha512-{digest}")
    monkeypatch.setattr(niivue, "NIIVUE", release)
    monkeypatch.setattr(niivue, "SCRIPT_SHA256", hashlib.sha256(SCRIPT).hexdigest())
    return made


def test_the_script_alone_is_kept(tmp_path, package):
    assert installed_script(tmp_path) is None
    place = install(tmp_path, source=package)
    assert installed_script(tmp_path) == place == script_path(tmp_path)
    assert [path.name for path in place.parent.iterdir()] == ["niivue-0.69.0.js"]
    assert place.read_bytes() == SCRIPT


def test_a_script_that_somebody_changed_is_none(tmp_path, package):
    install(tmp_path, source=package).write_bytes(b"export const Niivue = evil")
    assert installed_script(tmp_path) is None


def test_another_package_is_refused(tmp_path):
    other = a_package(tmp_path / "other.tgz")
    with pytest.raises(InputError, match="its hash differs"):
        install(tmp_path, source=other)
    assert installed_script(tmp_path) is None


def test_a_package_without_the_script_is_refused(tmp_path, package, monkeypatch):
    empty = a_package(tmp_path / "empty.tgz", "package/readme", b"")
    monkeypatch.setattr(niivue, "check_integrity", lambda *_: None)
    with pytest.raises(InputError, match="damaged"):
        install(tmp_path, source=empty)


def test_a_node_without_npm_says_so_in_one_line(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(viewer.shutil, "which", lambda _name: None)
    with caplog.at_level(logging.INFO):
        install_if_possible(tmp_path)
    (said,) = caplog.messages
    assert said.startswith(
        "3-D on the reading page is off (medloop viewer install niivue): npm"
    )


def test_what_is_there_is_not_fetched_again(tmp_path, package, monkeypatch):
    install(tmp_path, source=package)

    def fails(*_, **__):
        raise ServiceError("asked")

    monkeypatch.setattr(niivue, "fetch", fails)
    install_if_possible(tmp_path)
