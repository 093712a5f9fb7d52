"""Recipes: functions that return a frozen config. Variants call one and `replace()`."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from medloop.core.errors import SettingError
from medloop.learning.augment import Ranges
from medloop.models.plan import Plan, Scale, Task

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

AnyRecipe = TypeVar("AnyRecipe", bound="DataclassInstance")

LESION_CLASSES = ("MA", "HE", "EX", "SE", "OD")
SHIPS = ("final", "folds", "both")
ADAPTS = ("full", "head", "lora")
TRUNKS = ("lite0", "lite1", "lite2")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a bundle's weights, besides the data and the seed.

    Attributes
    ----------
    size
        Rows and columns of a training input.
    folds
        Which folds of `of_folds` to cross-validate, as ``"0,1"`` or ``""`` for none; then
        `final` says whether a network is trained on all data and shipped beside theirs.
    ship
        ``"final"`` ships the network trained on all data, ``"folds"`` the mean of the folds'
        networks, ``"both"`` the mean of all of them.
    rate, head_rate
        AdamW's peak rate for the pretrained trunk and for new layers.
    healthy
        Share of the crops that show photographs without retinopathy (lesions): outlined sets
        show sick eyes only, and a network that has never seen a healthy one finds lesions in
        it.
    detail
        Photographs are also shown at down to this share of their resolution (lesions), so that
        healthy ones of a coarser set are not told by their blur.
    accumulate, patience, precision, minutes, memory_gb
        As in `segmentation.recipe.SegmentationRecipe`; photographs' plans do not follow memory.
    balance
        0 samples photographs evenly, 1 samples grades evenly (grading).
    """

    name: str
    plan: Plan
    size: tuple[int, int]
    epochs: int
    batch: int
    steps: int  # batches an epoch; 0 for as many as the photographs fill
    ranges: Ranges
    rate: float = 5e-4
    head_rate: float = 2e-3
    averaging: float = 0.99
    balance: float = 0.4
    mixing: float = 0.0
    trunk: str = "lite0"
    healthy: float = 0.0
    detail: float = 1.0
    fixed_blocks: int = 0  # the stem and this many blocks keep their ImageNet weights
    widths: tuple[int, ...] = ()
    folds: str = "0,1,2,3,4"
    of_folds: int = 5
    final: bool = True
    ship: str = "final"
    accumulate: int = 1
    patience: int = 0
    precision: str = "auto"
    minutes: float = 0.0
    memory_gb: float = 0.0


@dataclass(frozen=True, slots=True)
class Tuning:
    """What of a network moves in training, and how fast.

    Attributes
    ----------
    adapt
        ``full`` moves all, ``head`` the last layers alone, ``lora`` adapters and the last
        layers.
    freeze
        Patterns (``*``, ``?``) of the names of parameters that stay, as ``trunk.stem.*``.
    depth_decay
        Rates fall by this factor a layer from the output down; 1 for no fall.
    rank
        Of the adapters.
    """

    adapt: str = "full"
    freeze: tuple[str, ...] = ()
    depth_decay: float = 1.0
    rank: int = 4


def retina_grading() -> Recipe:
    """Grade retinopathy (ICDR) and macular edema on IDRiD, from ImageNet weights."""
    return Recipe(
        name="retina_grading",
        plan=Plan(Task.GRADING, 604, scales=(Scale("ICDR", 5), Scale("DME", 3))),
        size=(512, 608),
        epochs=30,
        batch=8,
        steps=0,
        ranges=Ranges(rotation_deg=25, scale=0.12),
        rate=5e-4,
        fixed_blocks=3,
    )


def retina_lesions() -> Recipe:
    """Outline microaneurysms, hemorrhages, exudates and the disc on IDRiD."""
    return Recipe(
        name="retina_lesions",
        plan=Plan(Task.LESIONS, 852, classes=LESION_CLASSES),
        size=(448, 448),
        epochs=40,
        batch=5,
        steps=30,
        ranges=Ranges(rotation_deg=30, scale=0.15),
        rate=8e-4,
        head_rate=3e-3,
        healthy=0.2,
        detail=0.7,
        fixed_blocks=3,
        widths=(16, 32, 48, 64, 96),
    )


RECIPES: Mapping[str, Callable[[], Recipe]] = {
    "retina_grading": retina_grading,
    "retina_lesions": retina_lesions,
}


def recipe_named(
    name: str, settings: Mapping[str, str], *, others: Sequence[str] = ()
) -> Recipe:
    """Look a recipe up and overrule some of its fields; `others` are named where it is none.

    Raises
    ------
    SettingError
        Naming the offending recipe, key or value.
    """
    if name not in RECIPES:
        raise SettingError(f"no recipe {name!r}; there are: {', '.join((*RECIPES, *others))}")
    recipe = overruled(RECIPES[name](), settings)
    if recipe.trunk not in TRUNKS:
        raise SettingError(f"setting trunk={recipe.trunk!r} is none of {', '.join(TRUNKS)}")
    return recipe


def overruled(
    recipe: AnyRecipe, settings: Mapping[str, str], *, also: Sequence[str] = ()
) -> AnyRecipe:
    """Overrule plain fields of a recipe; `also` names settings that belong elsewhere.

    A recipe that cross-validates all its folds does so with another number of them too.

    Raises
    ------
    SettingError
        Naming the offending key or value.
    """
    name = getattr(recipe, "name", "")
    settable = [
        f.name
        for f in fields(recipe)
        if f.name != "name" and isinstance(getattr(recipe, f.name), _PLAIN)
    ]
    parsed: dict[str, Any] = {}  # what `replace` takes: each field has its own type
    for key, text in settings.items():
        if key not in settable:
            raise SettingError(
                f"recipe {name} has no setting {key!r}; it has:"
                f" {', '.join((*settable, *also, *TUNING_KEYS))}"
            )
        parsed[key] = _parse(key, text, getattr(recipe, key))
        low, high = _LIMITS.get(key, (-math.inf, math.inf))
        if isinstance(parsed[key], int | float) and not low <= parsed[key] <= high:
            raise SettingError(f"setting {key}={text} outside {low} ... {high}")
    if "of_folds" in parsed and "folds" not in parsed and _is_whole(recipe):
        parsed["folds"] = _all(parsed["of_folds"])
    return replace(recipe, **parsed)


def _is_whole(recipe: object) -> bool:
    """Whether a recipe cross-validates all its folds."""
    return bool(getattr(recipe, "folds", "") == _all(getattr(recipe, "of_folds", 0)))


def _all(folds: int) -> str:
    """Name all of so many folds: ``0,1,2``."""
    return ",".join(map(str, range(folds)))


_PLAIN = (int, float, str, bool)
_LIMITS = {
    "epochs": (1, 10_000),
    "batch": (1, 4096),
    "steps": (0, 1_000_000),
    "rate": (0.0, 1.0),
    "head_rate": (0.0, 1.0),
    "averaging": (0.0, 1.0),
    "balance": (0.0, 1.0),
    "mixing": (0.0, 100.0),
    "fixed_blocks": (0, 100),
    "healthy": (0.0, 1.0),
    "detail": (0.1, 1.0),
    "of_folds": (2, 100),
    "networks": (1, 100),
    "accumulate": (1, 10_000),
    "patience": (0, 10_000),
    "minutes": (0.0, 100_000.0),
    "memory_gb": (0.0, 100_000.0),
}


def _parse(key: str, text: str, default: float | str) -> float | str:
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        return type(default)(text)
    except (ValueError, KeyError) as why:
        kind = type(default).__name__
        raise SettingError(f"setting {key}={text!r} is no {kind}") from why


def tuning_from(settings: Mapping[str, str]) -> tuple[Tuning, dict[str, str]]:
    """Read the settings of a tuning; return it, and the settings that are not of one.

    Raises
    ------
    SettingError
        Naming the offending key or value.
    """
    rest = {key: text for key, text in settings.items() if key not in TUNING_KEYS}
    read: dict[str, Any] = {}  # what `Tuning` takes: each field has its own type
    for key in TUNING_KEYS:
        if key in settings:
            try:
                read[key] = TUNING_KEYS[key](settings[key])
            except ValueError as why:
                raise SettingError(f"setting {key}={settings[key]!r} cannot be read") from why
    tuning = Tuning(**read)
    if tuning.adapt not in ADAPTS:
        raise SettingError(f"setting adapt={tuning.adapt!r} is none of {', '.join(ADAPTS)}")
    if not 0 < tuning.depth_decay <= 1:
        raise SettingError(f"setting depth_decay={tuning.depth_decay} outside 0 ... 1")
    if not 1 <= tuning.rank <= _MOST_RANK:
        raise SettingError(f"setting rank={tuning.rank} outside 1 ... {_MOST_RANK}")
    return tuning, rest


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_MOST_RANK = 1024
TUNING_KEYS: Mapping[str, Callable[[str], object]] = {
    "adapt": str,
    "freeze": _patterns,
    "depth_decay": float,
    "rank": int,
}
