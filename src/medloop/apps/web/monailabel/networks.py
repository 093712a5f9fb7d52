"""A bundle's network on an image, as ``medloop predict`` runs it: one image at a time."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from fastapi import HTTPException

from medloop.apps.bundles import open_network
from medloop.apps.console import UsageError
from medloop.apps.settings import Settings
from medloop.apps.versions import names
from medloop.apps.web.remembered import Remembered
from medloop.core.code import Code
from medloop.core.errors import InputError, ServiceError
from medloop.core.image import LabelMap, Segment, Volume
from medloop.models.bundle import Bundle, load_bundle
from medloop.models.predict import Predictor, end_case
from medloop.models.segment import segment
from medloop.models.segmentation_plan import VOLUMES, SegmentationPlan

_PATIENCE_S: Final = 60.0  # for the image before
_KEPT_S: Final = 300.0
_ABNORMAL: Final = Code("SCT", "49755003", "Morphologically Altered Structure")
_COLORS: Final = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167))
# Modalities of DICOM whose images hold a channel, by how plans name channels.
_MODALITIES: Final = {"CT": "CT", "T1": "MR", "T2": "MR", "FLAIR": "MR", "PET": "PT"}


@dataclass(frozen=True)
class Networks:
    """The bundles here that label volumes; the one that answered last stays open."""

    settings: Settings
    patience_s: float = _PATIENCE_S
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: dict[str, Predictor] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether a bundle of this name is here, of whatever kind."""
        return name in names(self.settings)

    def told(self) -> Mapping[str, Mapping[str, int]]:
        """Name bundles that label volumes of one channel, and the numbers of their labels."""
        return self._told()

    @cached_property
    def _told(self) -> Remembered[Mapping[str, Mapping[str, int]]]:
        return Remembered(self._look, _KEPT_S)

    def plan(self, name: str) -> tuple[Bundle, SegmentationPlan]:
        """Load a bundle that labels volumes; 422 if it is of another kind.

        Raises
        ------
        ServiceError
            If its files are not what they were when it was made.
        """
        place = self.settings.bundles / name
        try:
            bundle = load_bundle(place.resolve() if place.is_dir() else name)
        except InputError as error:
            raise ServiceError(f"bundle {name} cannot be used: {error}") from error
        plan = bundle.plan
        if not isinstance(plan, SegmentationPlan) or plan.frame != VOLUMES:
            raise HTTPException(422, f"bundle {name} labels no volumes")
        return bundle, plan

    def label(self, name: str, read: Callable[[], Volume], modality: str) -> LabelMap:
        """Label the volume that `read` returns.

        422 if it does not fit the bundle, 503 if another image takes too long.

        Raises
        ------
        ServiceError
            If the bundle is damaged.
        """
        bundle, plan = self.plan(name)
        _require_fits(plan, name, modality)
        with self._turn():
            try:
                network, volume = self._opened(bundle), read()
                labels = segment(network, volume.array[None], volume.grid, plan)
                end_case(network)
            except (InputError, UsageError) as error:
                raise HTTPException(422, f"bundle {name}: {error}") from error
        segments = {
            n: Segment(each, _ABNORMAL, _ABNORMAL, _COLORS[(n - 1) % len(_COLORS)])
            for n, each in enumerate(plan.classes, start=1)
        }
        return LabelMap(labels, segments, volume.grid)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=self.patience_s):
            wait = {"Retry-After": "30"}
            raise HTTPException(503, "the network is busy with another image", wait)
        try:
            yield
        finally:
            self._lock.release()

    def _opened(self, bundle: Bundle) -> Predictor:
        if bundle.sha256 not in self._open:
            self._open.clear()  # one at a time: memory is that of one network
            self._open[bundle.sha256] = open_network(bundle, self.settings)
        return self._open[bundle.sha256]

    def _look(self) -> Mapping[str, Mapping[str, int]]:
        found = {}
        for name in names(self.settings):
            try:
                _, plan = self.plan(name)
            except (HTTPException, ServiceError):
                continue
            if len(plan.channels) == 1:
                found[name] = {each: n for n, each in enumerate(plan.classes, start=1)}
        return found


def _require_fits(plan: SegmentationPlan, name: str, modality: str) -> None:
    """Refuse an image that the network was not made for, as far as its header says."""
    if len(plan.channels) != 1:
        wanted = ", ".join(plan.channels)
        raise HTTPException(422, f"bundle {name} reads {wanted} together; an image is one")
    channel = plan.channels[0].upper()
    wanted = next((of for start, of in _MODALITIES.items() if channel.startswith(start)), "")
    if wanted and modality and modality != wanted:
        raise HTTPException(422, f"bundle {name} reads {wanted}, the image is {modality}")
