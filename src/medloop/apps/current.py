"""Analyses with the versions of their bundles that are in use now, though these change."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from medloop.apps import bootstrap
from medloop.apps.bootstrap import Offer
from medloop.apps.settings import Settings
from medloop.core.errors import MedloopError
from medloop.models.bundle import HASHES
from medloop.workflow.ports import Analysis

log = logging.getLogger(__name__)

Stamp = tuple[tuple[str, str, int], ...]


@dataclass(slots=True)
class Current:
    """The analyses of a process: built once, and anew when another version is promoted.

    A version that cannot be opened is said so once, and the one before goes on.
    """

    settings: Settings
    offers: Mapping[str, Offer] = field(default_factory=lambda: bootstrap.OFFERS)
    _stamps: dict[str, Stamp] = field(default_factory=dict)
    _built: dict[str, Analysis] = field(default_factory=dict)

    def analyses(self) -> Sequence[Analysis]:
        """Return the analyses with what is in use at this moment.

        Raises
        ------
        UsageError
            If a bundle is not there when it is asked for first.
        InputError
            If one is damaged then.
        """
        for name, offer in self.offers.items():
            stamp = tuple(_stamp(bundle, self.settings) for bundle in offer.bundles)
            if self._stamps.get(name) != stamp:
                self._renew(name, offer)
                self._stamps[name] = stamp  # as it was before: a change meanwhile is seen
        return tuple(self._built.values())

    def _renew(self, name: str, offer: Offer) -> None:
        is_first = name not in self._built
        try:
            self._built[name] = offer.build(self.settings)
        except MedloopError as error:
            if is_first:
                raise
            log.warning("%s keeps the version it has: %s", name, error)
        else:
            if not is_first:
                log.info("%s goes on with %s", name, ", ".join(_used(offer, self.settings)))


def _used(offer: Offer, settings: Settings) -> list[str]:
    return [f"{bundle} {_stamp(bundle, settings)[1]}" for bundle in offer.bundles]


def _stamp(bundle: str, settings: Settings) -> tuple[str, str, int]:
    """Name what a bundle's name means now: its place, and when its hashes were written."""
    place = settings.bundles / bundle
    if not place.exists():
        return bundle, "shipped", 0
    folder = place.resolve()
    return bundle, folder.name, _changed(folder / HASHES)


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
