"""``medloop deidentify``: a folder of studies in, the same without identities out."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path

from medloop.apps.console import Exit, UsageError, note, progress, say
from medloop.apps.deidentify_journal import Journal, Row
from medloop.apps.deidentify_people import People, gather
from medloop.apps.deidentify_pool import Unit, outcomes
from medloop.core.errors import InputError
from medloop.dicom.deidentify import (
    Clean,
    Key,
    Profile,
    Task,
    find_text,
    key_from_passphrase,
    read_key,
    reveal,
)
from medloop.dicom.deidentify import append as append_to_map
from medloop.files.sniff import Kind, sniff

VARIABLE = "MEDLOOP_DEIDENTIFY_KEY"
_PROMISING = (".dcm", ".dicom", ".ima", ".nii", ".gz", ".png", ".jpg", ".jpeg", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is: the map and the report lie apart from what is given away."""

    source: Path
    target: Path
    key_map: Path
    report: Path

    @classmethod
    def beside(
        cls, source: Path, target: Path, *, key_map: Path | None, report: Path | None
    ) -> "Places":
        """Fill in the usual places beside the target."""
        whole = target.absolute()
        return cls(
            source,
            target,
            key_map or whole.with_name(f"{whole.name}.map"),
            report or whole.with_name("report.json"),
        )


def check(places: Places, key_file: Path | None) -> None:
    """Refuse places that would give away a secret, or read what is being written.

    Raises
    ------
    InputError
        If there is no input.
    UsageError
        If a place is in the wrong one.
    """
    if not places.source.exists():
        raise InputError(f"{places.source}: does not exist")
    target = places.target.resolve()
    if target == places.source.resolve() or target.is_relative_to(places.source.resolve()):
        raise UsageError("OUT lies in IN: it would be read while it is written")
    for path, what in (
        (key_file, "the key"),
        (places.key_map, "the map"),
        (places.report, "the report"),
    ):
        if path is not None and path.resolve().is_relative_to(target):
            raise UsageError(f"{what} would lie in OUT, among what is given away")


def find_key(key_file: Path | None, *, may_make: bool) -> Key:
    """Take the key from its file, the passphrase of the environment, or ask for one.

    A file that is not there is made if it `may_make` one: a new key opens no map.

    Raises
    ------
    InputError
        If it is no key, or too short a passphrase.
    UsageError
        If there is none, and none may be made and nobody can be asked.
    """
    if key_file is not None:
        is_new = not key_file.exists()
        if is_new and not may_make:
            raise UsageError(f"{key_file}: no such key")
        key = read_key(key_file)
        if is_new:
            note(f"medloop: made the key {key_file}; keep it apart, and secret")
        return key
    passphrase = os.environ.get(VARIABLE, "")
    if not passphrase and sys.stdin.isatty():
        passphrase = getpass("passphrase: ")
    if not passphrase:
        raise UsageError(f"deidentify needs --key FILE, or a passphrase in {VARIABLE}")
    return key_from_passphrase(passphrase)


def reveal_map(path: Path, key: Key) -> Exit:
    """Print what stands in the output to what stood in the input, as JSON.

    Raises
    ------
    InputError
        If it is no map, or the key is another.
    """
    say(json.dumps(reveal(path, key), ensure_ascii=False, indent=2, sort_keys=True))
    return Exit.DONE


def deidentify(places: Places, profile: Profile, key: Key, *, jobs: int | None = None) -> Exit:
    """Clean every file of the source; what cannot be cleaned is told and not written.

    Files that an earlier run with the same settings has cleaned are left as they are.
    """
    count = jobs or len(os.sched_getaffinity(0))
    os.environ["OMP_THREAD_LIMIT"] = "1"  # Tesseract: there are as many processes as processors
    places.target.mkdir(parents=True, exist_ok=True)
    found = list(_files(places.source))
    with progress("looking for names", len(found)) as report:
        dicom = [rel for rel, kind in found if kind is Kind.DICOM]
        people = gather(places.source, dicom, profile, count, report)
    journal = Journal(places.report, _settings(profile, key))
    units = _units(places, found, people, profile, key, journal)
    done = 0
    with progress("de-identifying", len(found)) as report:
        for rows in outcomes(units, Task(profile, key, find_text), count):
            _keep(places, rows, people, key, journal)
            done += len(rows)
            report(done, len(found))
    return _say(journal.finish(), places)


def _settings(profile: Profile, key: Key) -> dict[str, object]:
    from medloop import __version__
    from medloop.dicom.deidentify.profile import EDITION

    return {
        "schema": "medloop.deidentification/1",
        "version": __version__,
        "profile": "basic",
        "edition": EDITION,
        "retain": sorted(profile.retain),
        "clean": sorted(profile.clean),
        "key": key.fingerprint(),
    }


def _files(source: Path) -> Iterator[tuple[Path, Kind | None]]:
    """Yield files, relative to the source, with what they are; links are not followed."""
    if source.is_file():
        yield Path(source.name), _kind(source)
        return
    for folder, names, files in os.walk(source):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder, name)
            if not name.startswith(".") and not path.is_symlink():
                yield path.relative_to(source), _kind(path)


def _kind(path: Path) -> Kind | None:
    try:
        return sniff(path)
    except InputError:
        return None


def new_name(relative: Path, key: Key, suffix: str) -> Path:
    """Name a file of the output: as deep as it was, and nothing of its old name."""
    parts = [key.token("/".join(relative.parts[: n + 1])) for n in range(len(relative.parts))]
    return Path(*parts[:-1], parts[-1] + suffix)


def _units(
    places: Places,
    found: Sequence[tuple[Path, Kind | None]],
    people: People,
    profile: Profile,
    key: Key,
    journal: Journal,
) -> Iterator[Unit]:
    """Put together what is done at once: a file, or the slices of a head's series."""
    series: dict[str, list[Unit]] = {}
    for relative, kind in found:
        unit = _unit(places, relative, kind, people, key)
        if unit.problem and not unit.is_named and kind is not Kind.DICOM:
            continue
        face = people.face_series.get(relative, "")
        if face and Clean.RECOGNIZABLE in profile.clean:
            series.setdefault(face, []).append(unit)
        elif not journal.has(unit.stamp, places.target):
            yield unit
    for units in series.values():
        if not all(journal.has(unit.stamp, places.target) for unit in units):
            yield units[0].with_others(units[1:])


def _unit(places: Places, relative: Path, kind: Kind | None, people: People, key: Key) -> Unit:
    single = places.source.is_file()
    path = places.source if single else places.source / relative
    stat = path.lstat()
    stamp = key.token(f"{relative}\n{stat.st_size}\n{stat.st_mtime_ns}")
    problem, suffix = people.problems.get(relative, ""), ".dcm"
    if kind is Kind.NIFTI:
        suffix = ".nii.gz" if relative.name.lower().endswith(".gz") else ".nii"
    elif kind is not None and kind.is_picture:
        suffix = f".{kind.name.lower()}"
    elif kind is not Kind.DICOM:
        is_empty = stat.st_size == 0
        problem = "is empty" if is_empty else "is no DICOM, NIfTI, PNG, JPEG or TIFF file"
    name = new_name(relative, key, suffix)
    return Unit(
        path,
        places.target,
        name,
        stamp,
        kind,
        problem,
        single or relative.suffix.lower() in _PROMISING,
        people.patient_of(relative, key) if kind is Kind.DICOM and not problem else None,
    )


def _keep(
    places: Places, rows: Sequence[tuple[Unit, Row]], people: People, key: Key, journal: Journal
) -> None:
    """Note the way back first, then that a file is done: a crash between them loses nothing."""
    for unit, row in rows:
        relative = unit.path.relative_to(places.source) if unit.path != places.source else ""
        source = str(relative) or unit.path.name
        entries = {"files": {str(unit.name): source}, "uids": journal.fresh(row.uids)}
        if unit.patient is not None:
            number = people.number_of(Path(source))
            entries["patients"] = {unit.patient.pseudonym: number}
            entries["shift_days"] = {unit.patient.pseudonym: str(unit.patient.shift_days)}
        append_to_map(places.key_map, key, entries)
        journal.add(row)
        if row.outcome != "done":
            note(f"medloop: {unit.path}: {row.reason}")


def _say(totals: Counter[str], places: Places) -> Exit:
    kept = totals["done"]
    text = f"{kept} files de-identified in {places.target}"
    left_out = totals["refused"]
    if left_out:
        text += f", {left_out} left out"
    say(f"{text}; report {places.report}, map {places.key_map}")
    return Exit.BAD_INPUT if left_out else Exit.DONE
