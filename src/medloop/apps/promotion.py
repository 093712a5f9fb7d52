"""``medloop models install|promote|rollback|list``: which version of a bundle is used.

Installing keeps a version; only the first of a name is used at once. Using another is an act of
its own, logged with who and when, and can be undone: no version is ever removed.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from medloop.apps.console import Exit, UsageError, note, say
from medloop.apps.settings import Settings
from medloop.apps.versions import (
    SHIPPED,
    Version,
    before,
    current_id,
    keep,
    names,
    newest,
    note_down,
    use,
    versions_of,
)
from medloop.core.errors import InputError

_LEAST = 4  # characters of a hash that may stand for it


@dataclass(frozen=True, slots=True)
class Switched:
    """A version that is in use now; `is_new` unless it was before."""

    version: Version
    is_new: bool


def show_versions(settings: Settings, *, as_json: bool) -> Exit:
    """Print every version of every bundle, * before those in use.

    A broken one is named and makes the command fail.
    """
    rows = [row for name in names(settings) for row in versions_of(name, settings)]
    if as_json:
        say(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        for row in rows:
            mark = "*" if row.is_current else " "
            state = row.problem or f"sha256 {row.sha256[:16]}"
            say(f"{mark} {row.name:<20} {row.version:<10} {row.kind:<10} {row.id:<12} {state}")
    return Exit.BAD_INPUT if any(row.problem for row in rows) else Exit.DONE


def install(source: Path, settings: Settings) -> Exit:
    """Keep a bundle folder as a version of its name; the first installed is used at once.

    Raises
    ------
    UsageError
        If `source` is no folder.
    InputError
        If the bundle is damaged.
    """
    if not source.is_dir():
        raise UsageError(f"{source}: a bundle is a folder")
    bundle, key = keep(source, settings)
    now, current = datetime.now(UTC), current_id(bundle.name, settings)
    note_down(bundle.name, "install", settings, now=now, change=(current, key))
    what = f"{bundle.name} {bundle.version} ({key})"
    if current in ("", SHIPPED):
        use(bundle.name, key, "promote", settings, now=now)
        beside = "; the shipped one is kept" if current else ""
        note(f"installed {what}, now in use{beside}")
    elif current == key:
        note(f"installed {what}: it is the version in use")
    else:
        note(
            f"installed {what} beside {current}, which stays in use: medloop models promote"
            f" {bundle.name}@{key}"
        )
    say(str(settings.bundles / bundle.name if current in ("", SHIPPED, key) else bundle.folder))
    return Exit.DONE


def promote(wanted: str, settings: Settings) -> Exit:
    """Use another version, and say which; raises as `promoted`."""
    return _told(promoted(wanted, settings))


def promoted(wanted: str, settings: Settings, *, who: str = "") -> Switched:
    """Use another version: NAME (the one installed last), NAME@VERSION or NAME@HASH.

    Raises
    ------
    UsageError
        If no version, or more than one, is meant.
    InputError
        If that version is damaged.
    """
    name, _, which = wanted.partition("@")
    which = which or newest(name, settings)
    if not which:
        raise UsageError(f"no version of {name!r} is installed: medloop models install FOLDER")
    return _switched(_chosen(name, which, settings), "promote", settings, who)


def rollback(name: str, settings: Settings) -> Exit:
    """Use the version before the present one, and say which; raises as `rolled_back`."""
    return _told(rolled_back(name, settings))


def rolled_back(name: str, settings: Settings, *, who: str = "") -> Switched:
    """Use the version again that was used before the present one.

    Raises
    ------
    UsageError
        If none was.
    InputError
        If that version is damaged.
    """
    _require_known(name, settings)
    key = before(name, settings)
    if not key:
        raise UsageError(f"{name}: no version was in use before the present one")
    return _switched(_chosen(name, key, settings), "rollback", settings, who)


def _switched(version: Version, did: str, settings: Settings, who: str) -> Switched:
    if version.problem:
        raise InputError(version.problem)
    if not version.is_current:
        use(version.name, version.id, did, settings, now=datetime.now(UTC), who=who)
    return Switched(version, is_new=not version.is_current)


def _told(switched: Switched) -> Exit:
    version = switched.version
    what = f"{version.name} {version.version} ({version.id})"
    if not switched.is_new:
        note(f"{what} is in use already")
        return Exit.DONE
    note(f"{what} is in use now")
    say(f"{version.name} {version.version} {version.id}")
    return Exit.DONE


def _chosen(name: str, which: str, settings: Settings) -> Version:
    _require_known(name, settings)
    known = versions_of(name, settings)
    exact = [version for version in known if version.id == which]
    meant = exact or [version for version in known if _is_meant(version, which)]
    if len(meant) != 1:
        there = ", ".join(f"{version.version} ({version.id})" for version in known) or "none"
        how_many = "several versions" if meant else "no version"
        raise UsageError(f"{name}@{which} means {how_many}; there are: {there}")
    return meant[0]


def _require_known(name: str, settings: Settings) -> None:
    known = names(settings)
    if name not in known:
        raise UsageError(f"no bundle is called {name!r}; there are: {', '.join(known)}")


def _is_meant(version: Version, which: str) -> bool:
    hashes = (version.id, version.sha256)
    is_hash = len(which) >= _LEAST and any(each.startswith(which) for each in hashes)
    return version.version == which or is_hash
