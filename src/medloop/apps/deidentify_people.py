"""Who the files are about, gathered before any is cleaned."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from medloop.apps.deidentify_processes import processes
from medloop.core.errors import InputError
from medloop.dicom.deidentify import Identity, Key, Patient, Profile, Surveyed, survey

_FEW = 64  # files for which processes are not worth starting


@dataclass(slots=True)
class People:
    """Patients by number, which file is about whom, and what could not be read."""

    identities: dict[str, Identity] = field(default_factory=dict)
    of_file: dict[Path, tuple[str, str]] = field(default_factory=dict)  # patient, study
    of_study: dict[str, str] = field(default_factory=dict)
    face_series: dict[Path, str] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)
    patients: dict[tuple[str, str], Patient] = field(default_factory=dict)

    def add(self, relative: Path, seen: Surveyed) -> None:
        """Note what one file says."""
        self.of_file[relative] = (seen.patient, seen.study)
        if seen.patient and seen.study:
            self.of_study.setdefault(seen.study, seen.patient)
        for group in filter(None, (seen.patient, f"study {seen.study}")):
            known = self.identities.get(group)
            self.identities[group] = (
                seen.identity if known is None else known.joined(seen.identity)
            )
        if seen.may_have_a_face:
            self.face_series[relative] = seen.series

    def number_of(self, relative: Path) -> str:
        """Return the patient's number, or what stands for it where an object has none."""
        number, study = self.of_file.get(relative, ("", ""))
        return number or self.of_study.get(study, "") or f"study {study}"

    def patient_of(self, relative: Path, key: Key) -> Patient:
        """Return what replaces the patient of a file, and what to look for in it."""
        number = self.number_of(relative)
        study = f"study {self.of_file.get(relative, ('', ''))[1]}"
        known = self.patients.get((number, study))
        if known is None:
            own, shared = (self.identities.get(g, Identity()) for g in (number, study))
            known = Patient(own.joined(shared), key.pseudonym(number), key.shift_days(number))
            self.patients[number, study] = known
        return known


def gather(
    source: Path,
    files: Sequence[Path],
    profile: Profile,
    jobs: int,
    report: Callable[[int, int], None],
) -> People:
    """Look at the header of each file."""
    people = People()
    look = partial(_look, source=source, profile=profile)
    if jobs == 1 or len(files) <= _FEW:
        results = map(look, files)
        _take(people, files, results, report)
        return people
    with processes(jobs) as pool:
        _take(people, files, pool.map(look, files, chunksize=32), report)
    return people


def _look(relative: Path, *, source: Path, profile: Profile) -> Surveyed | str:
    try:
        return survey(source if source.is_file() else source / relative, profile)
    except InputError as error:
        return str(error)


def _take(
    people: People,
    files: Sequence[Path],
    results: Iterable[Surveyed | str],
    report: Callable[[int, int], None],
) -> None:
    for done, (relative, seen) in enumerate(zip(files, results, strict=True), start=1):
        if isinstance(seen, str):
            people.problems[relative] = seen
        else:
            people.add(relative, seen)
        report(done, len(files))
