"""The archive of a site whose archive is its PACS: studies and pixels by DICOMweb."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from medloop.core.errors import InputError, ServiceError
from medloop.core.retrieve import Listed, Missing
from medloop.core.study import Case, Instance, Selection, Series, SopUid, Study, StudyUid
from medloop.dicom.header import Header, read_header
from medloop.dicom.series import studies_of
from medloop.store.cache import Cache
from medloop.workflow.intake import read_case


class Remote(Protocol):
    """A PACS that describes the objects of a study, and gives those that are asked for."""

    def headers(self, study: StudyUid) -> Sequence[Header]:
        """Describe the objects of a study, or raise `InputError` if there is none."""

    def fetch(
        self, study: StudyUid, missing: Sequence[Missing], folder: Path
    ) -> Iterator[Path]:
        """Fetch objects into files below a folder, each yielded when it is whole."""


@dataclass(frozen=True, slots=True)
class RemoteArchive:
    """Studies of a PACS; objects are fetched when they are read, and cached for a while."""

    pacs: Remote
    cache: Cache
    read: Callable[[Study, Selection], Case] = read_case

    def study(self, uid: StudyUid) -> Study:
        """Look a study up by its objects' metadata; nothing is fetched.

        Raises
        ------
        InputError
            If the PACS holds no such study.
        ServiceError
            If it cannot be reached.
        """
        headers = [each for each in self.pacs.headers(uid) if each.study_uid == uid]
        ordered = sorted(headers, key=lambda each: (each.series_uid, each.number, each.uid))
        found = studies_of(ordered)
        if not found:
            raise InputError("PACS holds no object of the study")
        (study,) = found
        named = (replace(s, source=f"{study.name}/{s.uid}") for s in study.series)
        return replace(study, series=tuple(named))

    def case(self, study: Study, selection: Selection) -> Case:
        """Read the pixels of a selection; what is not in the cache is fetched first.

        Raises
        ------
        InputError
            If an object is gone from the PACS, or holds no image.
        ServiceError
            If PACS or disk fail.
        """
        wanted = [(s, i) for s in selection.series for i in s.instances]
        kept = {i.uid: at for _, i in wanted if (at := self.cache.find(i.uid)) is not None}
        if missing := _missing(study, wanted, kept):
            kept |= self._fetch(study, missing)
            self.cache.shrink()
        lost = sum(instance.uid not in kept for _, instance in wanted)
        if lost:
            raise ServiceError(f"PACS did not send {lost} of {len(wanted)} objects")

        def placed(instance: Instance) -> Instance:
            path, digest = kept[instance.uid]
            return replace(instance, path=path, sha256=digest)

        here = tuple(
            replace(series, instances=tuple(map(placed, series.instances)))
            for series in selection.series
        )
        return self.read(study, Selection(here))

    def _fetch(
        self, study: Study, missing: Sequence[Missing]
    ) -> dict[SopUid, tuple[Path, str]]:
        kept: dict[SopUid, tuple[Path, str]] = {}
        asked = {each.uid for part in missing for each in part.objects}
        try:
            self.cache.root.mkdir(parents=True, exist_ok=True)
            scratch = tempfile.TemporaryDirectory(
                prefix="fetch-", dir=self.cache.root, ignore_cleanup_errors=True
            )
        except OSError as error:
            raise ServiceError(f"cache cannot be written: {error.strerror}") from error
        with scratch as folder:
            for path in self.pacs.fetch(study.uid, missing, Path(folder)):
                uid = SopUid(read_header(path).uid)
                if uid in asked:
                    kept[uid] = self.cache.put(uid, path)
                path.unlink(missing_ok=True)
        return kept


def _missing(
    study: Study,
    wanted: Sequence[tuple[Series, Instance]],
    kept: dict[SopUid, tuple[Path, str]],
) -> tuple[Missing, ...]:
    """Name what is to be fetched; whole series at once, where all of one is."""
    counts: dict[str, int] = {}
    for series in study.series:  # parts of one series share its UID
        counts[series.uid] = counts.get(series.uid, 0) + len(series.instances)
    by_series: dict[str, tuple[Series, list[Listed]]] = {}
    for series, instance in wanted:
        if instance.uid not in kept:
            listed = Listed(instance.uid, series.uid, instance.sop_class)
            by_series.setdefault(series.uid, (series, []))[1].append(listed)
    return tuple(
        Missing(series.uid, tuple(objects), is_whole=len(objects) == counts.get(uid))
        for uid, (series, objects) in by_series.items()
    )
