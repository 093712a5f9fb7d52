"""The one place where parts are put together: which analyses there are, and what each needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from medloop.apps.console import UsageError
from medloop.apps.settings import Settings
from medloop.workflow.ports import Analysis


@dataclass(frozen=True, slots=True)
class Offer:
    """An analysis on offer: what it answers, its bundles, and how to build it."""

    question: str
    bundles: tuple[str, ...]
    build: Callable[[Settings], Analysis]


def _retina(settings: Settings) -> Analysis:

    raise NotImplementedError


OFFERS: Mapping[str, Offer] = {
    "retina": Offer(
        "Is there diabetic retinopathy in a fundus photograph, and how severe?",
        ("retina_grading", "retina_lesions"),
        _retina,
    ),
}


def choose_analyses(names: Sequence[str], settings: Settings) -> tuple[Analysis, ...]:
    """Build the named analyses, or all of them.

    Raises
    ------
    UsageError
        If there is no analysis of a name.
    """
    for name in names:
        if name not in OFFERS:
            raise UsageError(f"no analysis {name!r}; there are {', '.join(OFFERS)}")
    return tuple(OFFERS[name].build(settings) for name in dict.fromkeys(names or OFFERS))
