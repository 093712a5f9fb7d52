"""Small cases and an analysis with any temper, for tests of the loop."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from medloop.core.code import Code
from medloop.core.finding import Finding, Provenance, Result, Weights
from medloop.core.image import HeatMap, LabelMap, Picture, Segment
from medloop.core.study import (
    Case,
    Content,
    Instance,
    Notice,
    Selection,
    Series,
    SeriesUid,
    SopUid,
    Study,
    StudyUid,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LESION = Code("SCT", "52988006", "Lesion")


def a_study(uid: str = "2.25.1", *, photographs: int = 1) -> Study:
    instances = tuple(
        Instance(SopUid(f"{uid}.{n}"), "", Path(f"eye{n}.jpg"), f"{n:064}")
        for n in range(photographs)
    )
    series = Series(SeriesUid(f"{uid}.9"), "OP", "", Content.PICTURES, instances, "eyes")
    return Study(StudyUid(uid), "eyes", (series,))


def a_picture(height: int = 40, width: int = 60) -> Picture:
    ramp = np.add.outer(np.arange(height), np.arange(width)) % 256
    return Picture(np.repeat(ramp.astype(np.uint8)[..., None], 3, axis=2))


def a_case(study: Study | None = None, picture: Picture | None = None) -> Case:
    study = study or a_study()
    selection = Selection((replace(study.series[0], instances=study.series[0].instances[:1]),))
    return Case(study, selection, (picture or a_picture(),))


def a_result(case: Case) -> Result:
    picture = case.images[0]
    assert isinstance(picture, Picture)
    labels = np.zeros(picture.size, np.uint8)
    labels[5:9, 5:9] = 1
    heat = np.zeros(picture.size, np.uint8)
    heat[4:10, 4:10] = 200
    uids = tuple(i.uid for series in case.selection.series for i in series.instances)
    return Result(
        Provenance("grade", "1", (Weights("grading", "1", "aa"),), uids, "cc", NOON),
        (Finding(LESION, probability=0.9, center_px=(6.5, 6.5), segment=1),),
        {"ICDR": 2},
        labels=LabelMap(labels, {1: Segment("lesion", LESION, LESION, (255, 0, 0))}),
        heat_maps=(HeatMap("grade", heat, "CAM"),),
        timings_s={"prepare": 0.1, "infer": 0.2, "post": 0.3},
    )


@dataclass(frozen=True)
class Grade:
    """An analysis that answers at once, or raises what it was given."""

    name: str = "grade"
    error: BaseException | None = None

    def select(self, study: Study) -> Sequence[Selection]:
        return tuple(
            Selection((replace(series, instances=(instance,)),))
            for series in study.series
            for instance in series.instances
        )

    def analyze(self, case: Case) -> Result:
        if self.error:
            raise self.error
        return a_result(case)


@dataclass(frozen=True)
class Shelf:
    """An archive of cases in memory; reading takes no time unless a clock is advanced."""

    studies: tuple[Study, ...] = field(default_factory=lambda: (a_study(),))
    warnings: tuple[Notice, ...] = ()
    error: BaseException | None = None

    def study(self, uid: StudyUid) -> Study:
        return next(study for study in self.studies if study.uid == uid)

    def case(self, study: Study, selection: Selection) -> Case:
        if self.error:
            raise self.error
        return Case(study, selection, (a_picture(),), self.warnings)
