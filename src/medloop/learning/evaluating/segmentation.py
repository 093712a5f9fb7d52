"""A network that segments, measured on the images' own grids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from medloop.core.errors import InputError
from medloop.evaluation.bootstrap import Figure, intervals_95
from medloop.evaluation.comparison import Comparison, paired_bootstraps
from medloop.evaluation.overlap import overlaps
from medloop.evaluation.surface import surface_figures_by_label
from medloop.learning.data.description import CaseSource, Dataset, Kind
from medloop.learning.data.labels import read_mask
from medloop.learning.data.pixels import Image, read_image
from medloop.learning.evaluating.blocks import BOOTSTRAP, CaseTable, Row
from medloop.learning.evaluating.cases import Chosen, Count, fitted
from medloop.learning.segmentation.fingerprint import class_labels, drawn_in
from medloop.models.predict import Predictor
from medloop.models.segment import segment
from medloop.models.segmentation_plan import SegmentationPlan

_DRAWS = 1000
MEAN = "mean_of_classes"
# What is measured of each class in each case, by key; MEASURES are averaged over cases.
MEASURES = (
    "dice", "hd95", "mean_surface_distance", "surface_dice_1", "surface_dice_2",
    "surface_dice_3", "volume_difference", "volume_error", "volume_error_share", "missed",
    "invented",
)  # fmt: skip
_RATES = ("missed", "invented")
_VOLUMES = ("true_volume", "found_volume")
_SHARES = ("dice", "surface_dice_1", "surface_dice_2", "surface_dice_3")
COMPARED = ("dice", "hd95", "surface_dice_1", "surface_dice_2")


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """What was measured of each case and class, by key; NaN where there is nothing to measure.

    `unreadable` are the numbers of cases that could not be measured, with the reason.
    """

    classes: tuple[str, ...]
    values: Mapping[str, Float[ndarray, "n c"]]
    is_flat: bool
    unreadable: Mapping[int, str]

    def of(self, key: str) -> Float[ndarray, "n m"]:
        """Values of the classes; of several classes their mean is added."""
        values = self.values[key]
        if values.shape[1] == 1:
            return values
        return np.concatenate([values, _mean(values, 1)[:, None]], axis=1)

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, and their mean where there are several."""
        return (*self.classes, MEAN) if len(self.classes) > 1 else self.classes


def run(
    plan: SegmentationPlan,
    predictor: Predictor,
    chosen: Chosen,
    numbers: Sequence[int],
    report: Count,
) -> Segmented:
    """Label every case and measure it; `numbers` says which label each class of the data is."""
    rows: list[Mapping[str, list[float]]] = []
    unreadable = {}
    for n, case in enumerate(chosen.cases):
        try:
            truth, found, image = labelled(plan, predictor, chosen.dataset, case, numbers)
            spacing = image.grid.spacing_mm if image.grid else (1.0, 1.0)
            row = measure(truth, found, spacing, len(numbers))
            drawn = drawn_in(chosen.dataset, truth)
            rows.append({k: _where(drawn, values) for k, values in row.items()})
        except InputError as why:
            unreadable[n] = str(why)
        report(n + 1, len(chosen.cases))
    if not rows:
        first = next(iter(unreadable.values()))
        name = chosen.names[next(iter(unreadable))]
        raise InputError(f"no case of {chosen.dataset.name} can be measured; {name}: {first}")
    return Segmented(
        tuple(plan.classes[number] for number in numbers),
        {key: np.array([row[key] for row in rows], float) for key in rows[0]},
        chosen.dataset.kind is Kind.FLAT,
        unreadable,
    )


def labelled(
    plan: SegmentationPlan,
    predictor: Predictor,
    dataset: Dataset,
    case: CaseSource,
    numbers: Sequence[int],
) -> tuple[Int[ndarray, "*s"], Int[ndarray, "*s"], Image]:
    """Return true labels, labels found, and the image; both in the order of the data's classes.

    Voxels that nobody labelled are background in both.

    Raises
    ------
    InputError
        If image or mask cannot be read, or is not what the network reads.
    """
    image = read_image(case)
    truth = class_labels(dataset, read_mask(case, image))
    answer = segment(predictor, fitted(image.array, len(plan.channels)), image.grid, plan)
    place = np.zeros(len(plan.classes) + 1, np.int16)
    place[np.array(numbers) + 1] = np.arange(1, len(numbers) + 1)
    found = np.where(truth < 0, 0, place[answer])
    return np.maximum(truth, 0), found, image


def measure(
    truth: Int[ndarray, "*s"],
    found: Int[ndarray, "*s"],
    spacing_mm: tuple[float, ...],
    classes: int,
) -> Mapping[str, list[float]]:
    """Measure each class of one case, by key.

    Distances are NaN where one of the two has none of the class, for there is none between
    them: `missed` and `invented` count these cases.
    """
    labels = range(1, classes + 1)
    common = overlaps(truth, found, labels=labels, spacing_mm=spacing_mm)
    surfaces = surface_figures_by_label(truth, found, labels=labels, spacing_mm=spacing_mm)
    rows = [surfaces[label] for label in labels]
    return {
        "dice": [each.dice for each in common],
        "hd95": [_finite(each.hausdorff_95_mm) for each in rows],
        "mean_surface_distance": [_finite(each.mean_mm) for each in rows],
        "surface_dice_1": [each.dice[1.0] for each in rows],
        "surface_dice_2": [each.dice[2.0] for each in rows],
        "surface_dice_3": [each.dice[3.0] for each in rows],
        "volume_difference": [each.difference_mm3 for each in common],
        "volume_error": [abs(each.difference_mm3) for each in common],
        "volume_error_share": [abs(each.difference_share) for each in common],
        "missed": [_rate(each.predicted_voxels == 0, each.truth_voxels > 0) for each in common],
        "invented": [
            _rate(each.predicted_voxels > 0, each.truth_voxels == 0) for each in common
        ],
        "true_volume": [each.truth_mm3 for each in common],
        "found_volume": [each.predicted_mm3 for each in common],
    }


def figures(
    found: Segmented, chosen: Chosen, rng: np.random.Generator
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Average each measure over the cases that have it; all rows, and those to show first."""
    rows = []
    for key in MEASURES:
        values = found.of(key)
        taken = intervals_95(
            lambda n, values=values: _mean(values[n], 0),  # type: ignore[misc] # bound now
            cases=len(values),
            rng=rng,
            draws=_DRAWS,
            clusters=chosen.clusters,
        )
        counts = np.isfinite(values).sum(axis=0)
        if key in _RATES and not counts.any():
            continue  # such as inventions where no case is without the class
        for name, count, value, low, high in zip(found.names, counts, *taken, strict=True):
            figure = Figure(f"{name} {key}", float(value), float(low), float(high), int(count))
            rows.append(Row(key, figure, name, unit_of(key, is_flat=found.is_flat)))
    dice = [row for row in rows if row.key == "dice"]
    return tuple(rows), tuple(sorted(dice, key=lambda row: row.of != MEAN))[:4]


def mean_of(values: Float[ndarray, "n m"]) -> Float[ndarray, " m"]:
    """Mean over the cases of what is there; NaN of nothing."""
    return _mean(values, 0)


def compare(
    one: Segmented, other: Segmented, chosen: Chosen, rng: np.random.Generator
) -> tuple[tuple[str, str, Comparison, str], ...]:
    """Compare means of both bundles over the cases that both have: key, class, result, test."""
    out = []
    for key in COMPARED:
        pair = one.of(key), other.of(key)
        both = np.isfinite(pair[0]) & np.isfinite(pair[1])
        a, b = (np.where(both, values, np.nan) for values in pair)
        results = paired_bootstraps(
            lambda n, a=a: _mean(a[n], 0),  # type: ignore[misc] # bound now
            lambda n, b=b: _mean(b[n], 0),  # type: ignore[misc] # bound now
            cases=len(a),
            rng=rng,
            draws=_DRAWS,
            clusters=chosen.clusters,
        )
        for name, result in zip(one.names, results, strict=True):
            out.append((key, name, result, BOOTSTRAP))
    return tuple(out)


def case_table(found: Segmented, chosen: Chosen) -> CaseTable:
    """Lay out each case's measures, the lowest mean Dice first."""
    keys = (*MEASURES, *_VOLUMES)
    heads = ["case", *chosen.groups, "mean_dice"]
    heads += [f"{key}_{name}" for name in found.classes for key in keys]
    mean = _mean(found.values["dice"], 1)
    rows: list[list[str | float]] = []
    for n in worst_first(found):
        groups = [of[n] for of in chosen.groups.values()]
        values = [
            float(found.values[key][n, c]) for c in range(len(found.classes)) for key in keys
        ]
        rows.append([chosen.names[n], *groups, float(mean[n]), *values])
    return CaseTable(tuple(heads), rows)


def worst_first(found: Segmented) -> list[int]:
    """Order the cases by mean Dice; those with nothing to measure are last."""
    mean = _mean(found.values["dice"], 1)
    return [
        int(n) for n in np.argsort(np.where(np.isfinite(mean), mean, np.inf), kind="stable")
    ]


def unit_of(key: str, *, is_flat: bool) -> str:
    """Return the unit of a measure: of pictures pixels, of volumes mm."""
    if key in ("hd95", "mean_surface_distance"):
        return "px" if is_flat else "mm"
    if key in ("volume_difference", "volume_error", *_VOLUMES):
        return "px2" if is_flat else "mm3"
    return ""


def _mean(values: Float[ndarray, "n m"], axis: int) -> Float[ndarray, " m"]:
    """Mean of what is there; NaN of nothing."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=axis)
    count = known.sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _where(drawn: Sequence[bool], values: Sequence[float]) -> list[float]:
    """Leave out classes that nobody drew in a case."""
    return [v if is_drawn else np.nan for is_drawn, v in zip(drawn, values, strict=True)]


def _finite(value: float) -> float:
    return value if np.isfinite(value) else float("nan")


def _rate(happened: bool, could: bool) -> float:  # noqa: FBT001 (two facts of one case)
    return float(happened) if could else float("nan")
