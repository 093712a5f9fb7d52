"""The last step of a training: calibrate, export, and write the card of a bundle."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

import medloop
from medloop.learning.base import save_network
from medloop.learning.card import card_text
from medloop.learning.keep import FREE
from medloop.learning.lora import annotate_adapters
from medloop.learning.order import (
    FINAL,
    LearningTask,
    Order,
    adapter_path,
    loaded,
    trained_folds,
)
from medloop.learning.second import Second
from medloop.learning.start import asked, begin, in_words, told
from medloop.learning.whole import appearing, write_text
from medloop.models.bundle import (
    ADAPTER,
    CARD,
    FOREST,
    INT8,
    NETWORK,
    PLAN,
    WEIGHTS,
    seal,
    shipped_bundles,
)
from medloop.models.plan import Plan

_USUAL_FOLDS = 5
# Recipes for any data: what they make is no version of one another.
_FOR_ANY: Final = frozenset({"segmentation", "classification", "medmnist", "detection"})
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def bundle_name(recipe: str, out: Path) -> str:
    """Name a bundle after its folder, if its recipe is for any data; else after the recipe.

    A folder whose name is no plain word, or that of a shipped bundle, which an installed one
    of that name would replace, names nothing.
    """
    name = out.resolve().name
    is_free = _PLAIN.fullmatch(name) is not None and name not in shipped_bundles()
    return name if recipe in _FOR_ANY and is_free else recipe


def make_bundle(order: Order, task: LearningTask, second: Second | None, cases: int) -> None:
    """Calibrate on out-of-fold predictions, export, and write the card."""
    recipe, out = order.recipe, order.out
    members = _members(order, task)
    for twin in INT8.values():  # of other weights
        (out / twin).unlink(missing_ok=True)
    done = sorted((out / "folds").glob("fold*.json"))
    predictions = [json.loads(path.read_text(encoding="utf-8")) for path in done]
    plan, figures = task.judge(predictions, np.random.default_rng(order.seed))
    with appearing(out / WEIGHTS) as beside:
        task.export(members, beside)
    if second is not None and isinstance(plan, Plan):
        plan = second.export(plan, out / FOREST)
    write_text(out / PLAN, plan.to_json())
    save_network(members[0], out / NETWORK)
    text = card_text(
        name=bundle_name(recipe.name, out),
        version=medloop.__version__,
        purpose=task.purpose,
        training=_training(order, task, cases, len(members)),
        figures=figures,
        figures_how=(
            f"out of fold on {len(done)} of {recipe.of_folds} folds by {task.unit} (copies"
            " share a fold), networks of the same recipe trained on the other folds; 95 %"
            f" intervals by bootstrap over {task.unit}s{task.caveat}"
        ),
    )
    write_text(out / CARD, text)
    if order.start.tuning.adapt == "lora" and not isinstance(plan, Plan):
        notes = {CARD: text, PLAN: plan.to_json()}
        annotate_adapters(adapter_path(order, FINAL), out / ADAPTER, notes)
    seal(out)


def _members(order: Order, task: LearningTask) -> Sequence[nn.Module]:
    final = [FINAL] if order.recipe.ship != "folds" else []
    folds = trained_folds(order) if order.recipe.ship != "final" else []
    return [network for part in (*final, *folds) for network in loaded(order, task, part)]


def _divided_by(order: Order) -> str:
    """Name the settings that decide what is learnt from, where they are unusual."""
    recipe = order.recipe
    folds = f" --set of_folds={recipe.of_folds}" if recipe.of_folds != _USUAL_FOLDS else ""
    patches = " --set patches=FILE" if getattr(recipe, "patches", "") else ""
    return folds + patches


def _shipped_by(order: Order) -> str:
    """Name the settings that decide which networks are shipped, where they are unusual."""
    if order.recipe.ship == "final":
        return ""
    folds = ",".join(part.removeprefix("fold") for part in trained_folds(order))
    final = " --set final=false" if order.recipe.ship == "folds" else ""
    return f" --set ship={order.recipe.ship} --set folds={folds}{final}"


def _stated(table: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is None, which TOML cannot say."""
    return {
        key: _stated(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }


def _training(order: Order, task: LearningTask, cases: int, members: int) -> Mapping[str, Any]:
    recipe = _stated(asdict(order.recipe))
    recipe.pop("plan")
    for wish in FREE:  # what this call asked for, not what made the weights
        recipe.pop(wish, None)
    recipe |= task.input_summary
    if "plan" in recipe:
        recipe["plan"] = list(in_words(recipe["plan"], order.start.base))
    begun = begin(task.network(), order.start, order.recipe.plan, order.seed)
    return {
        "command": (
            f"medloop train {order.recipe.name} --data DIR -o BUNDLE --seed {order.seed}"
            + (" --lesions RUN" if order.lesions else "")
            + asked(order.start)
            + _divided_by(order)
            + _shipped_by(order)
        ),
        "cases": cases,
        "networks": members,
        "seed": order.seed,
        "device": order.device,
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "recipe": recipe,
        **told(begun),
    }
