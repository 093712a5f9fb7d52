"""The one place where parts are put together: which analyses there are, and what each needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from medloop.apps.console import UsageError
from medloop.apps.settings import Settings
from medloop.workflow.ports import Analysis

if TYPE_CHECKING:  # heavy, and wanted only once an analysis is built
    from medloop.clinical.retina.analysis import Network


@dataclass(frozen=True, slots=True)
class Offer:
    """An analysis on offer: what it answers, its bundles, and how to build it."""

    question: str
    bundles: tuple[str, ...]
    build: Callable[[Settings], Analysis]


def _retina(settings: Settings) -> Analysis:
    from medloop.clinical.retina.analysis import RetinaAnalysis

    return RetinaAnalysis(
        grading=_network("retina_grading", settings),
        lesions=_network("retina_lesions", settings),
        now=lambda: datetime.now(UTC),
        four_classes=settings.four_class == "yes",
    )


def _network(name: str, settings: Settings) -> "Network":
    from medloop.apps.bundles import find_bundle, open_network
    from medloop.clinical.retina.analysis import Network

    bundle = find_bundle(name, settings)
    return Network(open_network(bundle, settings), bundle.plan, bundle.identity)


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
        If there is no analysis of a name, a bundle it needs is not there, or INT8 is asked for
        and a bundle has none.
    InputError
        If a bundle is damaged.
    """
    for name in names:
        if name not in OFFERS:
            raise UsageError(f"no analysis {name!r}; there are {', '.join(OFFERS)}")
    return tuple(OFFERS[name].build(settings) for name in dict.fromkeys(names or OFFERS))
