"""What the label server has: images, the models that labeled them, and labels of either."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from fastapi import HTTPException

from medloop.apps.web.context import Context
from medloop.apps.web.curtain import Curtain, curtain_of
from medloop.apps.web.images import Desk, images_of
from medloop.apps.web.monailabel.networks import Networks
from medloop.apps.web.monailabel.tickets import Tickets, plain_id
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import LabelMap, Segment, Volume
from medloop.store.labeled import Labeled, LabeledJobs
from medloop.workflow.reviewing import model_labels, model_segments
from medloop.workflow.scene import Looked
from medloop.workflow.stored import StoreArchive

KEPT: Final = "kept"  # the model that answers what an image's own analysis has labeled
_NEWEST = 5  # results of an analysis that tell which labels it gives


@dataclass(frozen=True)
class Shelf:
    """Images are jobs whose results hold labels of a volume; models are their analyses."""

    context: Context

    @cached_property
    def desk(self) -> Desk:
        """Where images lie ready."""
        return images_of(self.context)

    @cached_property
    def curtain(self) -> Curtain:
        """What stands between a reader and what others say."""
        return curtain_of(self.context)

    @cached_property
    def networks(self) -> Networks:
        """The bundles whose networks label images."""
        return Networks(self.context.settings)

    @cached_property
    def tickets(self) -> Tickets:
        """What opens single images."""
        return Tickets(self.context.now)

    @cached_property
    def _named(self) -> dict[int, Mapping[str, int]]:
        return {}

    @property
    def jobs(self) -> LabeledJobs:
        """The table of such jobs."""
        return LabeledJobs(self.context.store.database)

    def get(self, image: str, model: str = "") -> Labeled:
        """Look an image up, by the analysis that labeled it if one is named; 404 if not here.

        A job's number or the UID of a series or study names it; of several the newest counts.
        """
        found = self.jobs.find(plain_id(image))
        if not found:
            raise HTTPException(404, "there is no such image, or its result labels no voxels")
        if not model:
            return found[-1]
        fitting = [each for each in found if each.analysis == model]
        if not fitting:
            others = self.jobs.find(found[-1].study)
            fitting = [
                each
                for each in others
                if each.analysis == model and set(each.selection) & set(found[-1].selection)
            ]
        if not fitting:
            raise HTTPException(404, f"analysis {model} has not labeled this image")
        return fitting[-1]

    def looked(self, labeled: Labeled) -> Looked:
        """Return the job with what it was made of; 404 if it is gone."""
        return self.desk.look_up(labeled.job)

    def grid(self, looked: Looked) -> Grid:
        """Return the grid of the volume that was analyzed; 404 of a photograph."""
        grid = self.desk.shown(looked).grid
        if grid is None:
            raise HTTPException(404, "the job is about a photograph")
        return grid

    def volume(self, looked: Looked) -> Volume:
        """Read the volume as its analysis did; 404 of a photograph."""
        archive = self.desk.archive or StoreArchive(self.context.store)
        image = archive.case(looked.study, looked.selection).images[0]
        if not isinstance(image, Volume):
            raise HTTPException(404, "the job is about a photograph")
        return image

    def proposed(self, looked: Looked) -> LabelMap:
        """Return what the analysis labeled, on the grid of the volume."""
        return model_labels(self.context.store, looked, self.grid(looked))

    def segments(self, looked: Looked) -> Mapping[int, Segment]:
        """Say what the analysis' labels stand for."""
        return model_segments(self.context.store, looked)

    def named(self, labeled: Labeled) -> Mapping[str, int]:
        """Return the numbers of a result's labels by their names; none if its study is gone.

        A result never changes, so each is looked up once.
        """
        known = self._named.get(labeled.job)
        if known is None:
            try:
                known = numbers(model_segments(self.context.store, self.looked(labeled)))
            except (HTTPException, InputError):
                known = {}
            self._named[labeled.job] = known
        return known

    def labels_of(self, images: tuple[Labeled, ...]) -> Mapping[str, Mapping[str, int]]:
        """Name the labels of each analysis and their numbers, from its newest results."""
        by_analysis: dict[str, dict[str, int]] = {}
        seen: dict[str, int] = {}
        for image in reversed(images):
            seen[image.analysis] = seen.get(image.analysis, 0) + 1
            if seen[image.analysis] <= _NEWEST:
                known = by_analysis.setdefault(image.analysis, {})
                for name, number in self.named(image).items():
                    known.setdefault(name, number)
        return by_analysis


def is_uid(image: str) -> bool:
    """Whether an image is named by a UID, as those do who know it from DICOM."""
    return "." in plain_id(image)


def numbers(segments: Mapping[int, Segment]) -> dict[str, int]:
    """Return the number of each label by its name."""
    return {segment.name: number for number, segment in sorted(segments.items())}
