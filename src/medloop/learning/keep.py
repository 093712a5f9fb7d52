"""What a training run keeps in its folder, and how: whole files, and no other run's work."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

from medloop.core.errors import InputError, ServiceError
from medloop.learning.recipes import Recipe
from medloop.learning.segmentation.task import SegmentationRecipe

# What a run may ask for differently and still go on with the networks that are there.
FREE = ("folds", "final", "ship")


def claim(
    out: Path,
    recipe: Recipe | SegmentationRecipe,
    *,
    seed: int,
    parts: Sequence[str],
    resume: bool,
) -> None:
    """Make `out` the folder of this recipe and seed, kept in ``work/recipe.json``.

    Raises
    ------
    InputError
        If `out` holds work of other settings; or, unless `resume`, one of `parts` or files that
        are no training run's.
    ServiceError
        If nothing can be written there.
    """
    path = out / "work" / "recipe.json"
    mine = {k: v for k, v in asdict(recipe).items() if k not in FREE} | {"seed": seed}
    mine = json.loads(json.dumps(mine))
    if path.is_file():
        defaults = {f.name: f.default for f in fields(recipe) if f.default is not MISSING}
        _compare(out, defaults | json.loads(path.read_text(encoding="utf-8")), mine)
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


def _compare(out: Path, there: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    """Refuse other settings; one that came later than `there` had its default."""
    for key in mine:
        if there.get(key) != mine[key]:
            raise InputError(
                f"{out} holds work with {key} {there.get(key)}, not {mine[key]}: train into"
                " another folder"
            )


def write_text(path: Path, text: str) -> None:
    """Write a whole file or none; `ServiceError` says why it cannot be."""
    beside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as why:
        raise ServiceError(f"{path} cannot be written: {why.strerror}") from why
