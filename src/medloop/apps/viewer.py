"""``medloop viewer install``: OHIF as its makers publish it, beside the store.

Of the package only files are kept; its page is written anew, because the published one loads a
script from elsewhere and runs scripts that stand in the page itself.
"""

import base64
import hashlib
import json
import re
import secrets
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medloop.core.errors import InputError, ServiceError

PLACE: Final = "/viewer/"  # where the node serves it
_DIST: Final = "package/dist/"
_MOST_BYTES: Final = 1 << 30
_TIMEOUT_S: Final = 900
# Left out: what registers a service worker, signs in elsewhere, or shows whole slides.
_UNWANTED: Final = (
    "dicom-microscopy-viewer/", "google.js", "init-service-worker.js", "oidc-client.min.js",
    "silent-refresh.html", "sw.js", "app-config.js", "index.html", "_headers", "_redirects",
    "serve.json", "manifest.json",
)  # fmt: skip
_PUBLIC: Final = '__webpack_require__.p = "/"'


@dataclass(frozen=True, slots=True)
class Release:
    """A version of OHIF, and the hash of its package (Subresource Integrity)."""

    package: str
    version: str
    integrity: str


OHIF: Final = Release(
    "@ohif/app",
    "3.12.10",
    "sha512-0kuF66Mq9c9dMD++bUsTjMrJpXJwaZhz9B4uS244DawAjSkTwIYFU93pxPuRUQixaRi7QAHlF3Fe1qudBlZrmA==",
)

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>medloop: OHIF Viewer</title>
<link rel="icon" href="{place}assets/favicon.ico">
<script src="{place}boot.js"></script><script src="{place}app-config.js"></script>
<script defer src="{place}{script}"></script><link href="{place}{style}" rel="stylesheet">
</head><body><noscript>The viewer needs JavaScript.</noscript>
<div id="react-portal"></div><div id="root"></div></body></html>
"""
_BOOT: Final = """window.PUBLIC_URL = "{place}";
function browserImportFunction(moduleId) {{ return import(moduleId); }}
"""
_CONFIG: Final = """window.config = {{
  name: "medloop",
  routerBasename: "{base}",
  extensions: [],
  modes: [],
  customizationService: {{}},
  showStudyList: true,
  maxNumberOfWebWorkers: 3,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: true,
  showLoadingIndicator: true,
  strictZSpacingForVolumeViewport: true,
  groupEnabledModesFirst: true,
  maxNumRequests: {{ interaction: 100, thumbnail: 10, prefetch: 10 }},
  showErrorDetails: "production",
  investigationalUseDialog: {{ option: "always" }},
  defaultDataSourceName: "medloop",
  dataSources: [{{
    namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
    sourceName: "medloop",
    configuration: {{
      friendlyName: "medloop",
      name: "medloop",
      qidoRoot: window.location.origin + "/dicom-web",
      wadoRoot: window.location.origin + "/dicom-web",
      wadoUriRoot: window.location.origin + "/dicom-web",
      qidoSupportsIncludeField: true,
      supportsReject: false,
      supportsStow: false,
      dicomUploadEnabled: false,
      imageRendering: "wadors",
      thumbnailRendering: "wadors",
      enableStudyLazyLoad: true,
      supportsFuzzyMatching: false,
      supportsWildcard: true,
      staticWado: false,
      singlepart: "bulkdata,pdf",
      bulkDataURI: {{ enabled: true }},
    }},
  }}],
}};
"""


def install(home: Path, *, source: Path | None = None, release: Release = OHIF) -> Path:
    """Put the viewer beside the store, in place of another version; returns its folder.

    It is fetched by npm, or taken from a package that somebody brought (`source`).

    Raises
    ------
    InputError
        If the package is not the one that was tested with this medloop.
    ServiceError
        If npm is missing or cannot reach its registry, or the disk is in the way.
    """
    with tempfile.TemporaryDirectory(prefix="medloop-viewer-") as scratch:
        package = source or fetch(Path(scratch), release)
        check_integrity(package, release)
        return unpack(package, home / "viewer", release)


def installed_version(home: Path) -> str | None:
    """Say which version is beside the store, if one is."""
    try:
        told = json.loads((home / "viewer" / "version.json").read_text(encoding="utf-8"))
        return str(told["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fetch(folder: Path, release: Release, *, timeout_s: float = _TIMEOUT_S) -> Path:
    """Fetch the package by npm.

    Raises
    ------
    ServiceError
        If npm is missing, or has no way to its registry.
    """
    npm = shutil.which("npm")
    named = f"{release.package}@{release.version}"
    if npm is None:
        raise ServiceError(
            f"npm is not installed; install it, or run `npm pack {named}` elsewhere and"
            " give the file: medloop viewer install NAME --from FILE"
        )
    command = [npm, "pack", named, "--silent", "--ignore-scripts"]
    try:
        done = subprocess.run(  # noqa: S603 (a fixed command)
            command, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"npm could not fetch {named}: {type(error).__name__}") from error
    found = sorted(folder.glob("*.tgz"))
    if done.returncode or len(found) != 1:
        said = [line for line in done.stderr.splitlines() if "npm error" in line]
        why = f": {said[0][:200]}" if said else ""
        raise ServiceError(f"npm could not fetch {named}{why}")
    return found[0]


def check_integrity(package: Path, release: Release) -> None:
    """Compare the package's hash with the one noted here.

    Raises
    ------
    InputError
        If it is another.
    """
    try:
        with package.open("rb") as file:
            digest = hashlib.file_digest(file, "sha512").digest()
    except OSError as error:
        raise InputError(f"package cannot be read: {error.strerror}") from error
    if f"sha512-{base64.b64encode(digest).decode()}" != release.integrity:
        raise InputError(
            f"package is not {release.package} {release.version}: its hash differs"
        )


def unpack(package: Path, place: Path, release: Release) -> Path:
    """Unpack under a hidden name, then put it in place of what is there.

    Raises
    ------
    InputError
        If the package is damaged, or too large.
    ServiceError
        If the disk is in the way.
    """
    part = place.with_name(f".viewer-{secrets.token_hex(4)}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part.mkdir()
        _extract(package, part)
        _adapt(part, release)
        if place.exists():
            old = place.with_name(f".viewer-{secrets.token_hex(4)}")
            place.rename(old)
            part.rename(place)
            shutil.rmtree(old, ignore_errors=True)
        else:
            part.rename(place)
    except (tarfile.TarError, EOFError) as error:
        raise InputError("package is damaged") from error
    except OSError as error:
        raise ServiceError(f"viewer cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place


def _extract(package: Path, folder: Path) -> None:
    size = 0
    with tarfile.open(package, "r:gz") as tar:
        for member in tar:
            name = member.name.removeprefix(_DIST)
            if name == member.name or not member.isfile() or name.startswith(_UNWANTED):
                continue
            if not re.fullmatch(r"[A-Za-z0-9_@-][A-Za-z0-9._@/-]*", name) or ".." in name:
                raise InputError("package holds a file with an odd name")
            size += member.size
            if size > _MOST_BYTES:
                raise InputError(f"package is larger than the limit of {_MOST_BYTES >> 20} MiB")
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            if content is not None:
                with content, target.open("xb") as file:
                    shutil.copyfileobj(content, file)


def _adapt(folder: Path, release: Release) -> None:
    """Let it load everything from where the node serves it."""
    scripts = sorted(path.name for path in folder.glob("app.bundle.*.js"))
    if len(scripts) != 1 or not (folder / "app.bundle.css").exists():
        raise InputError("package is not built as expected")
    for path in (*folder.glob("*.js"), *folder.glob("*.css")):
        text = path.read_text(encoding="utf-8")
        placed = text.replace(_PUBLIC, f'__webpack_require__.p = "{PLACE}"')
        placed = placed.replace("url(/", f"url({PLACE}") if path.suffix == ".css" else placed
        if placed != text:
            path.write_text(placed, encoding="utf-8")
    page = _PAGE.format(place=PLACE, script=scripts[0], style="app.bundle.css")
    written = {
        "index.html": page,
        "boot.js": _BOOT.format(place=PLACE),
        "app-config.js": _CONFIG.format(base=PLACE.rstrip("/")),
        "version.json": json.dumps({"package": release.package, "version": release.version}),
    }
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
