"""``medloop train``: thin, since learning is where the work is."""

import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.apps.bundles import find_bundle
from medloop.apps.console import Exit, UsageError, note, progress, say, stop_asked
from medloop.apps.output import require_folder
from medloop.apps.quantize import require_int8
from medloop.apps.settings import Settings
from medloop.core.errors import ServiceError

if TYPE_CHECKING:
    from medloop.learning.base import Base
    from medloop.learning.order import AnyPlanned
    from medloop.learning.train import Milestone, Order


def train(options: Namespace, here: Settings) -> Exit:
    """Make a bundle by a recipe and print where it is.

    Raises
    ------
    ServiceError
        If the train extra is not installed.
    UsageError
        If a setting is not ``key=value``, or the data or a bundle are not there.
    """
    _require_torch()
    if options.int8:
        require_int8()
    from medloop.learning.classification.opening import RECIPES as CLASSIFY
    from medloop.learning.detection.opening import RECIPES as DETECT
    from medloop.learning.lung.opening import RECIPES as LUNG
    from medloop.learning.recipes import recipe_named, tuning_from
    from medloop.learning.segmentation.opening import RECIPES as SEGMENT
    from medloop.learning.start import Start
    from medloop.learning.train import Order

    if not options.data.exists():
        raise UsageError(f"{options.data}: no such folder or file of data")
    require_folder(options.out)
    if options.ray:  # its processes work elsewhere
        options.data, options.out = options.data.resolve(), options.out.resolve()
    tuning, settings = tuning_from(dict(_pair(text) for text in options.overrides))
    base = _base(options.base, here)
    planned = _plan(options, settings, base)
    order = Order(
        planned.recipe
        if planned
        else recipe_named(
            options.recipe, settings, others=(*SEGMENT, *CLASSIFY, *DETECT, *LUNG)
        ),
        options.data,
        options.out,
        options.seed,
        options.device,
        options.resume,
        options.lesions,
        planned,
        Start(base, tuning),
        tensorboard=options.tensorboard,
        int8=options.int8,
    )
    made = _learnt(order, options)
    if not _is_first():
        return Exit.DONE
    if made is None:
        note(f"{options.out}: folds are kept; a bundle comes with the final network")
        return Exit.DONE
    say(str(options.out))
    return Exit.DONE


def _learnt(order: "Order", options: Namespace) -> Path | None:
    """Train here, or on Ray; one who interrupts hears how to go on."""
    from medloop.learning.cluster import train_on_ray
    from medloop.learning.train import train as learn

    try:
        if options.ray:
            return train_on_ray(order, options.ray, report=_note_epoch, tell=note)
        if not _is_first():
            return learn(order)
        with progress("training") as bar:
            return learn(order, report=_note_epoch, count=_note_read, pulse=bar, tell=note)
    except KeyboardInterrupt:
        note("stopped; the same command with --resume goes on from the last finished epoch")
        raise


def _is_first() -> bool:
    """Whether this process speaks, among those that ``torchrun`` started."""
    return os.environ.get("RANK", "0") == "0"


def _base(name: str | None, settings: Settings) -> "Base | None":
    """Read the weights of the bundle to start from; stderr says which."""
    from medloop.learning.base import open_base

    if name is None:
        return None
    base = open_base(find_bundle(name, settings))
    note(f"from bundle {base.name} {base.version}, SHA-256 {base.bundle_sha256[:12]}...")
    return base


def _plan(
    options: Namespace, settings: Mapping[str, str], base: "Base | None"
) -> "AnyPlanned | None":
    """Check the data and plan for them, where the recipe does; stderr says what was found."""
    from medloop.learning.classification import opening as classes
    from medloop.learning.classification import planning as for_classes
    from medloop.learning.detection import opening as objects
    from medloop.learning.detection import planning as for_objects
    from medloop.learning.lung import opening as lung
    from medloop.learning.opening import DataProblemsError
    from medloop.learning.segmentation import opening as voxels
    from medloop.learning.segmentation import planning as for_voxels
    from medloop.learning.start import in_words, plan_on
    from medloop.models.detection_plan import DetectionPlan

    recipe, data = options.recipe, options.data
    planned: AnyPlanned
    try:
        with progress("reading cases") as count:
            if recipe in voxels.RECIPES:
                plan = partial(voxels.plan_segmentation, recipe, data, report=count)
                planned = plan_on(plan, base, settings) if base else plan(settings)
                words = for_voxels.in_words(planned.recipe.plan)
            elif recipe in classes.RECIPES:
                learn = partial(classes.plan_classification, recipe, data, report=count)
                planned = plan_on(learn, base, settings) if base else learn(settings)
                words = for_classes.in_words(planned.recipe.plan)
            elif recipe in objects.RECIPES:
                if base and not isinstance(base.plan, DetectionPlan):
                    raise UsageError(f"--from {options.base}: no bundle that finds objects")
                find = partial(objects.plan_detection, recipe, data, report=count)
                planned = plan_on(find, base, settings) if base else find(settings)
                words = for_objects.in_words(planned.recipe.plan)
            elif recipe in lung.RECIPES:
                if base:
                    raise UsageError(
                        f"--from {options.base}: {recipe} starts from ImageNet alone"
                    )
                planned, words = lung.plan_nodules(recipe, data, settings), ()
            else:
                return None
    except DataProblemsError as wrong:
        for problem in wrong.problems:
            note(str(problem))
        raise
    if _is_first():
        _note_plan(planned, in_words(words, base))
    return planned


def _note_plan(planned: "AnyPlanned", words: Sequence[str]) -> None:
    """Say what the data are, and what was decided for them."""
    from medloop.learning.affordable import in_words as memory_in_words
    from medloop.learning.detection.recipe import DetectionRecipe
    from medloop.learning.lung.recipe import NoduleRecipe

    for problem in planned.problems:
        note(str(problem))
    note(planned.dataset.describe())
    for line in words:
        note(line)
    if not isinstance(planned.recipe, DetectionRecipe | NoduleRecipe):
        note(memory_in_words(planned.recipe))


def _note_epoch(milestone: "Milestone") -> None:
    if stop_asked.is_set():
        raise KeyboardInterrupt
    done = milestone.progress
    left = timedelta(seconds=round(milestone.left_s))
    watched = "" if done.validation is None else f" validation {done.validation:.4f}"
    note(
        f"{milestone.part} epoch {done.epoch}/{done.epochs} loss {done.loss:.4f}{watched}"
        f" {done.seconds:.1f} s, {left} left"
    )


def _note_read(done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        note(f"{done}/{total} cases read")


def _require_torch() -> None:
    if find_spec("torch") is None:
        raise ServiceError(
            "this needs PyTorch, which is not installed: pip install 'medloop[train]'"
        )


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise UsageError(f"--set takes KEY=VALUE, got {text!r}")
    return key, value
