"""The one place where parts are put together: which analyses there are, and what each needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

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
    from medloop.apps.bundles import find_bundle, open_network
    from medloop.clinical.retina.analysis import Network, RetinaAnalysis
    from medloop.models.evidence import open_forest

    grading = find_bundle("retina_grading", settings)
    lesions = find_bundle("retina_lesions", settings)
    plan, outlines = grading.photograph_plan, lesions.photograph_plan
    forest = open_forest(grading, lesions) if plan.reads else None
    graded = open_network(grading, settings), plan, grading.identity
    return RetinaAnalysis(
        grading=Network(*graded, forest),
        lesions=Network(open_network(lesions, settings), outlines, lesions.identity),
        now=lambda: datetime.now(UTC),
        four_classes=settings.four_class == "yes",
    )


def _hippocampus(settings: Settings) -> Analysis:
    from medloop.clinical.brain.analysis import build

    return _segmenting("hippocampus", build, settings)


def _head_neck(settings: Settings) -> Analysis:
    from medloop.clinical.radiotherapy.analysis import build

    return _segmenting("head_neck_oars", build, settings)


def _segmenting(name: str, build: Callable[..., Analysis], settings: Settings) -> Analysis:
    """Build an analysis of one network that segments."""
    from medloop.apps.bundles import find_bundle, open_network

    bundle = find_bundle(name, settings)
    predictor = open_network(bundle, settings)
    plan = bundle.segmentation_plan
    return build(predictor, plan, bundle.identity, now=lambda: datetime.now(UTC))


def _lung(settings: Settings) -> Analysis:
    from medloop.apps.bundles import find_bundle, open_network, open_screen
    from medloop.clinical.lung.analysis import LungAnalysis, Networks

    bundle = find_bundle("lung_nodules", settings)
    second = open_network(bundle, settings)
    screen = open_screen(bundle, settings)
    return LungAnalysis(
        Networks(screen, second, bundle.nodule_plan, bundle.both_identities),
        now=lambda: datetime.now(UTC),
    )


OFFERS: Mapping[str, Offer] = {
    "retina": Offer(
        "Is there diabetic retinopathy in a fundus photograph, and how severe?",
        ("retina_grading", "retina_lesions"),
        _retina,
    ),
    "hippocampus": Offer(
        "How large are a hippocampus and its parts, in the region around it on T1-weighted MR?",
        ("hippocampus",),
        _hippocampus,
    ),
    "lung": Offer(
        "Are there nodules on chest CT, where, how large, and of which Lung-RADS category?",
        ("lung_nodules",),
        _lung,
    ),
    "head_neck": Offer(
        "Where are seven organs at risk on planning CT of the head and neck, and how large?",
        ("head_neck_oars",),
        _head_neck,
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
