"""Versions of installed bundles: all that were ever installed, which is used, who chose it.

``bundle_versions/<name>/<id>/`` in the settings' home keeps each version whole; the name under
``bundles/`` is a link to the one in use, so that changing it is one rename; whoever reads
resolves the link once. ``log.jsonl`` beside the versions says who did what, when. The id is the
beginning of the SHA-256 of ``hashes.json``, which names the hash of every other file.
"""

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from medloop.apps.console import whoami
from medloop.apps.settings import Settings
from medloop.core.errors import InputError
from medloop.models.bundle import HASHES, Bundle, load_bundle, shipped_bundles

LOG = "log.jsonl"
SHIPPED = "shipped"  # stands for the version that came with the package
_ID = 12  # characters of the hash
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a bundle; `problem` says why it cannot be used."""

    name: str
    version: str
    kind: str  # shipped or installed
    sha256: str  # of the weights
    id: str
    is_current: bool
    problem: str = ""


def versions_of(name: str, settings: Settings) -> tuple[Version, ...]:
    """Check the hashes of every version of a bundle; the shipped one is first."""
    current = current_id(name, settings)
    out = []
    if name in shipped_bundles():
        out.append(_version(name, name, SHIPPED, SHIPPED, is_current=current == SHIPPED))
    stored = _kept(name, settings)
    if current not in ("", SHIPPED) and current not in (folder.name for folder in stored):
        stored.append(settings.bundles / name)  # a plain folder, or a link to nothing
    for folder in stored:
        key = current if folder.parent == settings.bundles else folder.name
        row = _version(name, folder, "installed", key, is_current=key == current)
        out.append(row)
    return tuple(out)


def names(settings: Settings) -> tuple[str, ...]:
    """List the names of all bundles, shipped and installed."""
    found = set(shipped_bundles())
    for place in (settings.bundles, _store(settings)):
        entries = place.iterdir() if place.is_dir() else ()
        found |= {entry.name for entry in entries if not entry.name.startswith(".")}
    return tuple(sorted(found))


def current_id(name: str, settings: Settings) -> str:
    """Id of the version in use; "shipped"; or nothing where no bundle has this name."""
    link = settings.bundles / name
    if link.is_symlink():
        return link.readlink().name
    if link.is_dir():
        return _id_of(link)
    return SHIPPED if name in shipped_bundles() else ""


def keep(source: Path, settings: Settings) -> tuple[Bundle, str]:
    """Copy a bundle among the versions of its name, and return it with its id.

    What training left in ``work/`` stays behind. A version that is there already is not written
    again, unless it was damaged since: then it is set aside and mended.

    Raises
    ------
    InputError
        If the bundle is damaged, or its name is no plain word.
    """
    bundle = load_bundle(source)
    if not _NAME.fullmatch(bundle.name):
        raise InputError(f"{source}: a bundle's name is letters, digits, '.', '_' and '-'")
    key = _id_of(source)
    target = _store(settings) / bundle.name / key
    if target.is_dir() and not _problem(target):
        return load_bundle(target), key
    part = target.with_name(f".{uuid.uuid4().hex}")
    try:
        shutil.copytree(source, part, ignore=shutil.ignore_patterns("work"))
        load_bundle(part)  # what was copied is what was read
        _set_aside(target)
        try:
            part.rename(target)
        except OSError:  # another process was first with the same version
            load_bundle(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return load_bundle(target), key


def use(
    name: str, key: str, did: str, settings: Settings, *, now: datetime, who: str = ""
) -> None:
    """Make a version the one that a name means; `SHIPPED` uninstalls no version.

    The log is written first: what is in use was always announced. `who` is the account of this
    process unless it is given.
    """
    link = settings.bundles / name
    settings.bundles.mkdir(parents=True, exist_ok=True)
    before = current_id(name, settings)
    note_down(name, did, settings, now=now, change=(before, key), who=who)
    if link.is_dir() and not link.is_symlink():
        _adopt(link, name, settings)
    if key == SHIPPED:
        link.unlink(missing_ok=True)
        return
    target = os.path.relpath(_store(settings) / name / key, settings.bundles)
    fresh = settings.bundles / f".{uuid.uuid4().hex}"
    fresh.symlink_to(target, target_is_directory=True)
    try:
        fresh.replace(link)
    finally:
        fresh.unlink(missing_ok=True)


def note_down(
    name: str,
    did: str,
    settings: Settings,
    *,
    now: datetime,
    change: tuple[str, str],
    who: str = "",
) -> None:
    """Append one line to the log of a bundle, whole; a change is from an id to an id."""
    before, after = change
    line = {
        "at": now.isoformat(),
        "who": who or whoami(),
        "did": did,
        "from": before,
        "to": after,
    }
    path = _store(settings) / name / LOG
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, (json.dumps(line) + "\n").encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def before(name: str, settings: Settings) -> str:
    """Id of the version used before the present one, by the log; nothing if there is none.

    Lines whose change never took place, as after a crash between line and change, are seen
    through: each line says what it found in use.
    """
    used: list[str] = []
    for line in history(name, settings):
        _until(used, line["from"])
        if line["did"] == "rollback":
            _until(used, line["to"])
        elif line["did"] != "install" and used[-1:] != [line["to"]]:
            used.append(line["to"])
    _until(used, current_id(name, settings))
    return used[-2] if len(used) > 1 else ""


def newest(name: str, settings: Settings) -> str:
    """Id of the version installed last, by the log; nothing if there is none."""
    installed = [line["to"] for line in history(name, settings) if line["did"] == "install"]
    return installed[-1] if installed else ""


def _until(used: list[str], wanted: str) -> None:
    """Drop what came after `wanted`; if it is not there, it becomes the last."""
    if wanted in used:
        while used[-1] != wanted:
            used.pop()
    elif wanted:
        used.append(wanted)


def history(name: str, settings: Settings) -> Iterator[dict[str, str]]:
    """Give the lines of a bundle's log: at, who, did, from, to; the oldest first."""
    path = _store(settings) / name / LOG
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for line in text.splitlines():
        try:
            entry: Any = json.loads(line)
        except ValueError:
            continue  # a torn line announces nothing
        if isinstance(entry, dict) and {"did", "from", "to"} <= set(entry):
            yield {key: str(value) for key, value in entry.items()}


def _store(settings: Settings) -> Path:
    return settings.home / "bundle_versions"


def _kept(name: str, settings: Settings) -> list[Path]:
    folder = _store(settings) / name
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]


def _adopt(folder: Path, name: str, settings: Settings) -> None:
    """Move a plain folder, as earlier versions of medloop installed, among the versions."""
    target = _store(settings) / name / _id_of(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target = target.with_name(f".double-{target.name}-{uuid.uuid4().hex}")
    folder.rename(target)


def _set_aside(folder: Path) -> None:
    if folder.is_dir() and _problem(folder):
        folder.rename(folder.with_name(f".damaged-{folder.name}-{uuid.uuid4().hex}"))


def _id_of(folder: Path) -> str:
    path = folder / HASHES
    listed = path.read_bytes() if path.is_file() else b""
    return hashlib.sha256(listed).hexdigest()[:_ID]


def _problem(folder: Path) -> str:
    try:
        load_bundle(folder)
    except InputError as error:
        return str(error)
    return ""


def _version(name: str, place: Path | str, kind: str, key: str, *, is_current: bool) -> Version:
    if isinstance(place, Path) and not place.is_dir():
        problem = f"{place} points to a version that is not there"
        return Version(name, "", kind, "", key, is_current, problem=problem)
    try:
        bundle = load_bundle(place)
    except InputError as error:
        return Version(name, "", kind, "", key, is_current, problem=str(error))
    return Version(name, bundle.version, kind, bundle.sha256, key, is_current)
