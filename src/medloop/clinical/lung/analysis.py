"""The lung analysis: from a chest CT to measured, categorized nodules. Pure."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from medloop.clinical.answer import provenance_of
from medloop.clinical.lung import codes
from medloop.clinical.lung.characterize import Described, Measured, at_fissure, measure_at
from medloop.clinical.lung.comparison import (
    Comparison,
    Sized,
    baseline,
    compare,
    expected_mm,
    volume_growth,
)
from medloop.clinical.lung.landmarks import Landmarks, landmarks_of, recorded
from medloop.clinical.lung.notices import (
    matched,
    not_aligned,
    scan_facts,
    too_many,
    unlike,
    unmeasured,
)
from medloop.clinical.lung.recording import assessments_of, disagreements, finding_of
from medloop.clinical.lung.suitability import choose, remarks, require_chest
from medloop.core.finding import Assessment, Provenance, Result, Weights
from medloop.core.geometry import Grid
from medloop.core.image import HeatMap, LabelMap, Patch, Volume
from medloop.core.study import Case, Notice, Selection, Study
from medloop.imaging.hounsfield import check_hu
from medloop.imaging.lobes import Lobes, find_lobes
from medloop.imaging.lungs import Lungs, find_lungs
from medloop.imaging.orientation import turn_of
from medloop.models.nodule_plan import NodulePlan
from medloop.models.nodule_search import Chest, Searched, search
from medloop.models.nodules import Spots, cubes_at, hidden_parts, probabilities
from medloop.models.predict import Predictor, answered

MOST: Final = 30  # nodules that are reported
EXPLAINED: Final = 8  # that have a heat map
_OCCLUSION: Final = "Occlusion of the slices screened (Zeiler 2014)"
_THICK_MM: Final = 2.5
_LEAST_MM: Final = 3.0  # mean diameter; less is no nodule that anybody follows
_KNOWN_MM: Final = 8.0  # around the place where an earlier study had a nodule
_KNOWN_SHARE: Final = (
    0.5  # of the threshold suffices there: what was there before likely still is
)


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """A bundle ready to answer: what screens, what reviews, its plan, and whom to blame.

    `identities` are those of what reviews and of what screens.
    """

    screen: Predictor
    review: Predictor
    plan: NodulePlan
    identities: tuple[Weights, ...]

    @property
    def answering(self) -> tuple[Predictor, Predictor]:
        """Networks in the order of `identities`."""
        return self.review, self.screen


@dataclass(frozen=True, slots=True, eq=False)
class LungAnalysis:
    """Find, measure and categorize nodules on the best chest CT of a study.

    `now` gives the time a result is finished (aware, UTC); `clock` counts seconds for timings.
    """

    networks: Networks
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.perf_counter

    @property
    def name(self) -> str:
        """Short name, as in ``--analysis lung``."""
        return "lung"

    def select(self, study: Study) -> Sequence[Selection]:
        """Choose the thinnest suitable axial chest CT; one run a study.

        Raises
        ------
        UnsuitableError
            If the study has none; names the reasons.
        """
        return (choose(study),)

    def analyze(self, case: Case) -> Result:
        """Answer for one chest CT.

        Raises
        ------
        UnsuitableError
            If the volume shows no lungs, is not in HU, or too coarse.
        """
        started = self.clock()
        volume = require_chest(case.images[0])
        lungs = find_lungs(volume)
        ready = self.clock()
        chest, plan = Chest.of(volume, lungs.mask), self.networks.plan
        with ThreadPoolExecutor(1) as beside:  # lobes wait for nothing but the lungs
            dividing = beside.submit(find_lobes, volume, lungs)
            seen = search(chest, self.networks.screen, self.networks.review, plan)
            lobes = dividing.result()
        inferred = self.clock()
        landmarks = landmarks_of(lungs, chest.grid)
        known = chest.grid.to_index(expected_mm(case.prior, landmarks)) if case.prior else None
        found, lost = self._describe(chest, seen, lobes, known=known)
        shown = found[:MOST]
        compared, remarked = self._compare(case, shown, landmarks, lungs)
        follows = compared.follows
        scan: dict[str, Assessment] = {"scan": scan_facts(case.selection.series[0])}
        return Result(
            provenance=self._provenance(case),
            findings=tuple(
                finding_of(each, plan, n, follow)
                for n, (each, follow) in enumerate(zip(shown, follows, strict=True), start=1)
            ),
            assessments=assessments_of(shown, compared, lungs, plan)
            | recorded(landmarks)
            | scan,
            labels=_labels(shown, volume),
            heat_maps=_heat_maps(shown[:EXPLAINED], chest, self.networks, volume.grid),
            warnings=(
                *remarks(case.selection.series[0]),
                *check_hu(volume).notices,
                *lungs.notices,
                *matched(seen.curve),
                *unmeasured(lost),
                *too_many(len(found), MOST),
                *disagreements(shown, follows, plan),
                *remarked,
            ),
            timings_s={
                "prepare": ready - started,
                "infer": inferred - ready,
                "post": self.clock() - inferred,
            },
        )

    def _compare(
        self, case: Case, found: Sequence[Described], here: Landmarks, lungs: Lungs
    ) -> tuple[Comparison, tuple[Notice, ...]]:
        """Compare with the earlier study of the case, if there is one that can be."""
        nodules = [each.nodule() for each in found]
        if case.prior is None:
            return baseline(nodules), case.prior_notices
        sized = [
            Sized(nodule.size.mean_mm, each.measured.size.volume_mm3, nodule)
            for each, nodule in zip(found, nodules, strict=True)
        ]
        centers = np.array([each.center_lps_mm for each in found], float).reshape(-1, 3)
        compared = compare(sized, centers, here, case.prior)
        if compared is None:
            return baseline(nodules), (not_aligned(),)
        scan, lungs_ml = scan_facts(case.selection.series[0]), lungs.right_ml + lungs.left_ml
        differ = unlike(case.prior, scan, self.networks.identities, lungs_ml)
        return compared, (*differ, *volume_growth(compared))

    def _describe(
        self,
        chest: Chest,
        seen: Searched,
        lobes: Lobes,
        *,
        known: Float[ndarray, "m 3"] | None,
    ) -> tuple[list[Described], int]:
        """Measure what is likely enough, the likeliest first; each nodule once.

        Half the threshold is enough at the places that are `known` ([k, j, i]). Also counts the
        places that could not be outlined.
        """
        chance = probabilities(seen.answer.logits, self.networks.plan)
        least = _thresholds(seen.spots, known, chest.grid, self.networks.plan)
        found: list[Described] = []
        lost = 0
        for n in np.argsort(-chance, kind="stable"):
            if chance[n] < least.min() or len(found) > MOST:
                break
            center = seen.spots.centers[n]
            if chance[n] < least[n] or any(each.measured.holds(center) for each in found):
                continue
            measured = measure_at(chest.hu, chest.lungs, chest.grid.spacing_mm, center)
            if measured is None:
                lost += 1
                continue
            if measured.size.mean_mm < _LEAST_MM or _repeats(measured, found):
                continue
            found.append(_described(measured, float(chance[n]), chest.grid, lobes))
        return found, lost

    def _provenance(self, case: Case) -> Provenance:
        return provenance_of(
            case,
            analysis=self.name,
            weights=tuple(map(answered, self.networks.identities, self.networks.answering)),
            finished=self.now(),
        )


def _thresholds(
    spots: Spots, known: Float[ndarray, "m 3"] | None, grid: Grid, plan: NodulePlan
) -> Float[ndarray, " n"]:
    """Return the probability that suffices at each place."""
    least = np.full(len(spots.centers), plan.threshold)
    if known is not None and len(known) and len(least):
        away = (spots.centers[:, None] - known[None]) * np.array(grid.spacing_mm)
        is_near = np.linalg.norm(away, axis=2).min(axis=1) <= _KNOWN_MM
        least[is_near] *= _KNOWN_SHARE
    return least


def _described(measured: Measured, probability: float, grid: Grid, lobes: Lobes) -> Described:
    inside = np.argwhere(measured.mask) + measured.start
    center = inside.mean(axis=0)
    world = grid.to_world(center[None])[0]
    try:
        lobe = lobes.at(world[None])[0]
    except ValueError:  # beyond the lungs: an outline that ran away
        lobe = None
    return Described(
        measured,
        (float(center[0]), float(center[1]), float(center[2])),
        (float(world[0]), float(world[1]), float(world[2])),
        round(probability, 4),
        lobe,
        at_fissure(grid.to_world(inside.astype(float)), lobes),
    )


def _repeats(measured: Measured, found: Sequence[Described]) -> bool:
    """Whether the outline is that of a nodule that was found before."""
    middle = (np.argwhere(measured.mask) + measured.start).mean(axis=0)
    return any(each.measured.holds(middle) for each in found)


def _labels(found: Sequence[Described], volume: Volume) -> LabelMap:
    labels = np.zeros(volume.grid.shape, np.uint8)
    upright = turn_of(volume.grid).upright(labels)  # a view: what is written goes to `labels`
    for n, each in reversed(list(enumerate(found, start=1))):
        part = _part(upright, each.measured)
        part[each.measured.mask] = n
    segments = {n: codes.segment_of(n) for n in range(1, len(found) + 1)}
    return LabelMap(labels, segments, volume.grid)


def _part(upright: UInt8[ndarray, "k j i"], of: Measured) -> UInt8[ndarray, "z y x"]:
    start, size = of.start, of.mask.shape
    return upright[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))]


def _heat_maps(
    found: Sequence[Described], chest: Chest, networks: Networks, grid: Grid
) -> tuple[HeatMap, ...]:
    """Map what the network that screens goes by, in a box around each nodule."""
    turn, spacing_mm = turn_of(grid), np.array(chest.grid.spacing_mm)
    maps = []
    for n, each in enumerate(found, start=1):
        center = np.array(each.center)
        cube = cubes_at(chest.hu, spacing_mm, center[None], networks.plan)[0]
        drop = hidden_parts(networks.screen, cube, networks.plan)
        share = drop / max(float(drop.max()), 1e-6)
        box = turn.patch_back(_placed(share, center, chest.grid, networks.plan))
        explained = {"finding": n}
        maps.append(HeatMap("nodules", box.array, _OCCLUSION, explained, box.low))
    return tuple(maps)


def _placed(
    share: Float[ndarray, "y x"],
    center: Float[ndarray, " 3"],
    grid: Grid,
    plan: NodulePlan,
) -> Patch:
    """Put a map of slices where they lie, `_THICK_MM` on either side; of an upright volume."""
    spacing_mm = np.array(grid.spacing_mm)
    zoom = spacing_mm[1:] / np.array(plan.spacing_mm[1:])
    half = (np.array(share.shape) - 1) / 2
    size = np.array(grid.shape)
    reach = np.array([_THICK_MM / spacing_mm[0], *(half / zoom)])
    low = np.clip(np.ceil(center - reach).astype(int), 0, size - 1)
    high = np.clip(np.floor(center + reach).astype(int) + 1, low + 1, size)
    y, x = (
        (np.arange(a, b) - c) * z + h
        for a, b, c, z, h in zip(low[1:], high[1:], center[1:], zoom, half, strict=True)
    )
    columns, rows = (part.astype(np.float32) for part in np.meshgrid(x, y))
    level = cv2.remap(share, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    flat = np.rint(255 * level).astype(np.uint8)
    whole = np.repeat(flat[None], int(high[0] - low[0]), axis=0)
    return Patch(whole, tuple(low.tolist()), grid.shape)
