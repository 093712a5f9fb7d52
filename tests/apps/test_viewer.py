"""The viewer is installed as its makers published it, or not at all."""

import base64
import hashlib
import io
import shutil
import tarfile

import pytest

from medloop.apps.viewer import Release, fetch, install, installed_version
from medloop.core.errors import InputError, ServiceError

FILES = {
    "package/package.json": b"{}",
    "package/dist/index.html": b"<script>window.PUBLIC_URL = '/'</script>",
    "package/dist/app.bundle.0a1b.js": b'__webpack_require__.p = "/";',
    "package/dist/12.bundle.0c.js": b"import(x)",
    "package/dist/app.bundle.css": b"a { background: url(/font.woff2) }",
    "package/dist/init-service-worker.js": b"importScripts('https://elsewhere')",
    "package/dist/assets/images/CT.png": b"png",
}


def a_package(path, files=None, *, links=()):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in (FILES if files is None else files).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    return Release("@ohif/app", "3.0.0", f"sha512-{digest}")


@pytest.fixture
def package(tmp_path):
    return tmp_path / "app.tgz"


def test_it_is_unpacked_and_loads_everything_from_its_own_place(tmp_path, package):
    release = a_package(package)
    place = install(tmp_path, source=package, release=release)
    page = (place / "index.html").read_text()
    assert 'src="/viewer/app.bundle.0a1b.js"' in page
    assert "<script>" not in page
    assert (place / "app.bundle.0a1b.js").read_text() == '__webpack_require__.p = "/viewer/";'
    assert "url(/viewer/font.woff2)" in (place / "app.bundle.css").read_text()
    assert '+ "/dicom-web"' in (place / "app-config.js").read_text()
    assert (place / "assets/images/CT.png").read_bytes() == b"png"
    assert not (place / "init-service-worker.js").exists()
    assert installed_version(tmp_path) == "3.0.0"


def test_another_version_takes_its_place_whole(tmp_path, package):
    first = a_package(package)
    install(tmp_path, source=package, release=first)
    second = a_package(package, {k: v for k, v in FILES.items() if "12.bundle" not in k})
    place = install(tmp_path, source=package, release=second)
    assert not (place / "12.bundle.0c.js").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.tgz", "viewer"]


def test_a_package_with_another_hash_is_refused(tmp_path, package):
    release = a_package(package)
    package.write_bytes(package.read_bytes() + b"\0")
    with pytest.raises(InputError, match="hash differs"):
        install(tmp_path, source=package, release=release)
    assert installed_version(tmp_path) is None


@pytest.mark.parametrize(
    "files",
    [
        {**FILES, "package/dist/../../evil.js": b""},
        {**FILES, "package/dist/a b.js": b""},
        {k: v for k, v in FILES.items() if "app.bundle.0a1b" not in k},
        {},
    ],
)
def test_a_package_of_an_odd_kind_is_refused_and_leaves_nothing(tmp_path, package, files):
    release = a_package(package, files)
    with pytest.raises(InputError):
        install(tmp_path / "home", source=package, release=release)
    assert list((tmp_path / "home").iterdir()) == []


def test_links_in_a_package_are_left_out(tmp_path, package):
    release = a_package(package, links=[("package/dist/passwd.js", "/etc/passwd")])
    place = install(tmp_path, source=package, release=release)
    assert not (place / "passwd.js").exists()


def test_what_is_no_archive_is_refused(tmp_path, package):
    package.write_bytes(b"nothing")
    digest = base64.b64encode(hashlib.sha512(b"nothing").digest()).decode()
    with pytest.raises(InputError, match="damaged"):
        install(tmp_path, source=package, release=Release("a", "1", f"sha512-{digest}"))


def test_without_npm_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ServiceError, match=r"npm pack @ohif/app@3.0.0.*--from FILE"):
        fetch(tmp_path, Release("@ohif/app", "3.0.0", ""))
