"""What a training run keeps in its folder, and how: whole files, and no other run's work."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from medloop.core.errors import InputError
from medloop.learning.classification.recipe import ClassificationRecipe
from medloop.learning.detection.recipe import DetectionRecipe
from medloop.learning.lung.recipe import NoduleRecipe
from medloop.learning.recipes import Recipe, Tuning
from medloop.learning.segmentation.recipe import SegmentationRecipe
from medloop.learning.whole import write_text
from medloop.models.bundle import RUN

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AnyRecipe = Recipe | SegmentationRecipe | ClassificationRecipe | DetectionRecipe | NoduleRecipe

# What a run may ask for differently and still go on with the networks that are there.
FREE = ("folds", "final", "ship", "memory_gb")


def claim(
    out: Path,
    recipe: AnyRecipe,
    *,
    seed: int,
    parts: Sequence[str],
    resume: bool,
    start: Mapping[str, Any] | None = None,
) -> None:
    """Make `out` the folder of this recipe, start and seed, kept in ``work/recipe.json``.

    Raises
    ------
    InputError
        If `out` holds work of other settings; or, unless `resume`, one of `parts` or files that
        are no training run's.
    ServiceError
        If nothing can be written there.
    """
    path = out / RUN
    mine = {k: v for k, v in asdict(recipe).items() if k not in FREE} | {"seed": seed}
    usual: dict[str, Any] = {"start": "", "tuning": json.loads(json.dumps(asdict(Tuning())))}
    mine = json.loads(json.dumps(mine | dict(start or usual)))
    if path.is_file():
        saved = usual | json.loads(path.read_text(encoding="utf-8"))
        _compare(out, _completed(saved, recipe), mine)
        there = [part for part in parts if _holds(out, part)]
        if there and not resume:
            raise InputError(
                f"{out} already holds {', '.join(there)}: go on with --resume, or train into"
                " another folder"
            )
    elif out.is_dir() and any(out.iterdir()) and not resume:
        raise InputError(f"{out} is not empty: train into another folder")
    write_text(path, json.dumps(mine, indent=1) + "\n")


def _holds(out: Path, part: str) -> bool:
    work = out / "work"
    paths = (out / "folds" / f"{part}.json", work / f"{part}.pt", work / f"{part}.checkpoint")
    return any(path.exists() for path in paths)


def _completed(there: Mapping[str, Any], like: "DataclassInstance") -> dict[str, Any]:
    """Give settings that came later than `there` the defaults they had until then."""
    out = dict(there)
    for each in fields(like):
        now = getattr(like, each.name)
        if each.name not in out and each.default is not MISSING:
            default = asdict(each.default) if _is_value(each.default) else each.default
            out[each.name] = json.loads(json.dumps(default))
        elif _is_value(now) and isinstance(out.get(each.name), Mapping):
            out[each.name] = _completed(out[each.name], now)
    return out


def _is_value(thing: object) -> "TypeGuard[DataclassInstance]":
    return is_dataclass(thing) and not isinstance(thing, type)


def _compare(out: Path, there: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    for key in mine:
        if there.get(key) != mine[key]:
            raise InputError(
                f"{out} holds work with {key} {there.get(key)}, not {mine[key]}: train into"
                " another folder"
            )
