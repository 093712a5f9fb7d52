"""Chests drawn for tests of the lung analysis, and networks that know what was drawn."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from medloop.clinical.lung.analysis import LungAnalysis, Networks
from medloop.core.finding import Weights
from medloop.core.image import Volume
from medloop.core.study import (
    Case,
    Content,
    Instance,
    Selection,
    Series,
    SeriesUid,
    SopUid,
    Study,
    StudyUid,
)
from medloop.models.architecture import densenet
from medloop.models.nodule_plan import NodulePlan, Suspicion

NOW = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
PLAN = NodulePlan(
    densenet(3, 12, 1, blocks=(2, 2), small=True),
    least_hu=60.0,
    suspicion=Suspicion(-13.9, 6.0, 1.1, 0.93, -3.9),
)


class Known:
    """A network that knows the densities of the nodules drawn, and that they are even."""

    def __init__(self, *densities: float) -> None:
        self.densities = np.array(densities)

    def run(self, x):
        """Answer slices (B, 3, y, x) and cubes (B, 1, z, y, x)."""
        x = x if x.ndim == 4 else x[:, 0]
        hu = x * (PLAN.high_hu - PLAN.low_hu) / 2 + (PLAN.high_hu + PLAN.low_hu) / 2
        z, rows, columns = (n // 2 for n in hu.shape[1:])
        core = hu[:, max(z - 2, 0) : z + 2, rows - 3 : rows + 3, columns - 3 : columns + 3]
        off = np.abs(core.mean((1, 2, 3))[:, None] - self.densities).min(1)
        return {"logits": (8 - off / 4 - core.std((1, 2, 3)) / 4)[:, None]}


def an_analysis(*densities: float) -> LungAnalysis:
    """The analysis, with networks that know what was drawn."""
    weights = Weights("lung_nodules", "1", "0123456789abcdef" * 4)
    return LungAnalysis(
        Networks(Known(*densities), Known(*densities), PLAN, (weights,)), now=lambda: NOW
    )


def a_case(volume: Volume) -> Case:
    """A study of one chest CT."""
    instances = tuple(
        Instance(SopUid(f"2.25.7.{n}"), "", Path("chest.nii.gz"), "ab" * 32)
        for n in range(volume.grid.shape[0])
    )
    series = Series(
        SeriesUid("2.25.7"),
        "CT",
        "Chest",
        Content.VOLUME,
        instances,
        "chest.nii.gz",
        slice_mm=volume.grid.spacing_mm[0],
    )
    study = Study(StudyUid("2.25.1"), "chest", (series,))
    return Case(study, Selection((series,)), (volume,))
