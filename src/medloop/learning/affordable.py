"""A budget of memory: fewer inputs a step, then smaller ones, until a step fits."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Protocol, TypeVar

from medloop.core.errors import InputError
from medloop.learning.memory import machine_gb, step_gb
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.segmentation_plan import SegmentationPlan

_FEWEST: Final = 2  # inputs a step, for batch norm
_SHRINK: Final = 0.8


class Stepping(Protocol):
    """A recipe, as far as it decides what a step takes."""

    @property
    def plan(self) -> SegmentationPlan | ClassificationPlan:
        """What an input is, and the network."""

    @property
    def batch(self) -> int:
        """Inputs a step."""

    @property
    def memory_gb(self) -> float:
        """What a step may take; 0 for what there is."""


AnyRecipe = TypeVar("AnyRecipe", bound=Stepping)


def affordable(
    recipe: AnyRecipe, smaller: Callable[[int], SegmentationPlan] | None = None
) -> AnyRecipe:
    """Lower the batch, then the patch, until a step takes no more than ``memory_gb``.

    `smaller` plans anew for at most so many voxels. A recipe that fits is returned as it is.

    Raises
    ------
    InputError
        If the smallest step takes more.
    """
    limit = recipe.memory_gb or machine_gb()
    while needed(recipe) > limit:
        one = needed(_of(recipe, batch=1))
        each = max(needed(_of(recipe, batch=2)) - one, 1e-9)
        fitting = int((limit - one) / each) + 1
        if recipe.batch > _FEWEST:
            recipe = _of(recipe, batch=max(_FEWEST, min(fitting, recipe.batch - 1)))
            continue
        sides = sides_of(recipe)
        plan = smaller(int(math.prod(sides) * _SHRINK)) if smaller else None
        if plan is None or math.prod(plan.patch) >= math.prod(sides):
            raise InputError(
                f"a step of {recipe.batch} inputs of {' x '.join(map(str, sides))} takes about"
                f" {needed(recipe):.2f} GB, of {limit:.2f} GB: set a smaller patch or size, or"
                " width"
            )
        recipe = _of(recipe, plan=plan)
    return recipe


def _of(recipe: AnyRecipe, **changes: object) -> AnyRecipe:
    frozen: Any = recipe  # every recipe is a dataclass, which a Protocol cannot say
    changed: AnyRecipe = replace(frozen, **changes)
    return changed


def needed(recipe: Stepping) -> float:
    """Return what a step takes at its height, in GB."""
    return step_gb(recipe.plan.architecture, sides_of(recipe), recipe.batch)


def sides_of(recipe: Stepping) -> tuple[int, ...]:
    """Return the shape of an input, without channels."""
    plan = recipe.plan
    return plan.patch if isinstance(plan, SegmentationPlan) else plan.size


def in_words(recipe: Stepping) -> str:
    """Say what a step takes, of what there is."""
    limit = recipe.memory_gb or machine_gb()
    sides = " x ".join(map(str, sides_of(recipe)))
    return (
        f"memory: a step of {recipe.batch} inputs of {sides} takes about"
        f" {needed(recipe):.2f} GB of {limit:.2f} GB"
    )
