"""NiiVue, which turns volumes in 3-D on the reading page: one file, fetched once.

It is BSD licensed; only its script is kept. Without it the page shows slices all the same.
"""

import hashlib
import logging
import secrets
import shutil
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from medloop.apps.viewer import Release, check_integrity, fetch
from medloop.core.errors import InputError, MedloopError, ServiceError

log = logging.getLogger(__name__)

NIIVUE: Final = Release(
    "@niivue/niivue",
    "0.69.0",
    "sha512-YMjQvJgD1W2b7DuoxkwlC4VxbrgIePRJ5qyQzXKxi2v2MBVg285P/CIQyg46oDDGDIcaNlbd+MhtO/edMbXJkA==",
)
SCRIPT_SHA256: Final = "d6c2be4feb1ad53b2ac76b4196da8d8fd2263b662b511c55ca0fd127eb6a6532"
_SCRIPT: Final = "package/dist/index.js"
_MOST_BYTES: Final = 16 << 20


def script_path(home: Path) -> Path:
    """Where the script is kept beside the store."""
    return home / "niivue" / f"niivue-{NIIVUE.version}.js"


def installed_script(home: Path) -> Path | None:
    """Return the script if it is there, and is the one that was tested with this medloop."""
    path = script_path(home)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
    return path if digest == SCRIPT_SHA256 else None


def install(home: Path, *, source: Path | None = None) -> Path:
    """Put the script beside the store, fetched by npm or taken from a package (`source`).

    Raises
    ------
    InputError
        If the package is not the one that was tested with this medloop.
    ServiceError
        If npm is missing or cannot reach its registry, or the disk is in the way.
    """
    with tempfile.TemporaryDirectory(prefix="medloop-niivue-") as scratch:
        package = source or fetch(Path(scratch), NIIVUE, timeout_s=120)
        check_integrity(package, NIIVUE)
        return _unpack(package, script_path(home))


def install_if_possible(home: Path) -> None:
    """Fetch the script where it is missing; say in one line why that cannot be."""
    if installed_script(home) is not None:
        return
    try:
        install(home)
    except MedloopError as error:
        log.warning("3-D on the reading page is off (medloop viewer install niivue): %s", error)
    else:
        log.info("NiiVue %s was installed", NIIVUE.version)


def _unpack(package: Path, place: Path) -> Path:
    part = place.with_name(f".{secrets.token_hex(4)}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(package, "r:gz") as tar:
            member = tar.getmember(_SCRIPT)
            content = tar.extractfile(member)
            if content is None or member.size > _MOST_BYTES:
                raise InputError("package is not built as expected")
            with content, part.open("xb") as file:
                shutil.copyfileobj(content, file)
        part.replace(place)
    except (tarfile.TarError, EOFError, KeyError) as error:
        raise InputError("package is damaged") from error
    except OSError as error:
        raise ServiceError(f"NiiVue cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return place
