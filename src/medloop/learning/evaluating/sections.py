"""Parts of the page that all tasks share: subgroups, comparison, worst cases, omissions."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from medloop.evaluation.bootstrap import Figure
from medloop.evaluation.comparison import Comparison
from medloop.evaluation.groups import LEAST, figures_by_group
from medloop.learning.evaluating.blocks import CaseTable, Forest, Listing, Row
from medloop.learning.evaluating.cases import Chosen
from medloop.learning.evaluating.plots import number
from medloop.learning.evaluating.words import Language, say

_WORST = 10  # cases on the page
_NAMED = 10  # cases left out that the page names
Compared = Sequence[tuple[str, str, Comparison, str]]  # key, class, result, test


def by_groups(
    statistics: Callable[[Int[ndarray, " m"]], Float[ndarray, " s"]],
    rows: Sequence[Row],
    chosen: Chosen,
    rng: np.random.Generator,
) -> tuple[tuple[Forest, ...], Mapping[str, Any]]:
    """Take statistics in each group of each column; `rows` say what each of them measures."""
    blocks, record = [], {}
    names = [f"{row.of} {row.key}".strip() for row in rows]
    for column, groups in chosen.groups.items():
        found = figures_by_group(statistics, groups, rng, names=names, clusters=chosen.clusters)
        record[column] = {
            group: {
                "cases": figures[0].cases,
                "reported": figures[0].cases >= LEAST,
                "figures": [
                    record_of(row, figure) for row, figure in zip(rows, figures, strict=True)
                ],
            }
            for group, figures in found.items()
        }
        for n, row in enumerate(rows):
            named = [_renamed(figures[n], group) for group, figures in found.items()]
            blocks.append(Forest(column, row.key, named, row.of, row.unit))
    return tuple(blocks), {"groups": record, "least_cases_of_a_group": LEAST}


def record_of(row: Row, figure: Figure) -> Mapping[str, Any]:
    """Write one figure for metrics.json; what cannot be taken is null."""
    table = figure.as_table()
    return {
        "name": figure.name,
        "key": row.key,
        "class": row.of or None,
        "unit": row.unit or None,
        "value": _json(table["value"]),
        "interval_95": [_json(end) for end in table["interval_95"]],
        "interval": row.interval,
        "cases": figure.cases,
    }


def compared(
    results: Compared, other: str, language: Language
) -> tuple[tuple[Listing, ...], Mapping[str, Any]]:
    """Lay out the comparison with another bundle."""
    lines, record = [], []
    for key, of, result, test in results:
        name = say(key, language) + (f" · {say(of, language)}" if of else "")
        gap = f"{number(result.difference)} ({number(result.low)} – {number(result.high)})"
        p = (
            "–"
            if math.isnan(result.p)
            else "< 0.001"
            if result.p < 0.001
            else f"{result.p:.3f}"
        )
        lines.append((name, number(result.one), number(result.other), gap, p, test))
        record.append(
            {
                "key": key,
                "class": of or None,
                "this": _json(round(result.one, 4)),
                "other": _json(round(result.other, 4)),
                "difference": _json(round(result.difference, 4)),
                "interval_95": [_json(round(v, 4)) for v in (result.low, result.high)],
                "p": _json(round(result.p, 6)),
                "test": test,
            }
        )
    heads = ("figure", "this_bundle", "other_bundle", "difference", "p", "test")
    listing = Listing("comparison", heads, lines, "comparison_note")
    return (listing,), {"against": {"bundle": other, "figures": record}}


def worst(table: CaseTable, heads: Mapping[str, str]) -> Listing:
    """Show the first cases of the table; `heads` are columns and what the page calls them."""
    columns = [table.heads.index(name) for name in heads]
    rows = [
        [cell if isinstance(cell := row[n], str) else number(cell) for n in columns]
        for row in table.rows[:_WORST]
    ]
    return Listing("worst_cases", tuple(heads.values()), rows, "worst_note")


def left_out(unreadable: Mapping[int, str], names: Sequence[str]) -> tuple[str, ...]:
    """Name the cases that could not be measured, each with the reason."""
    return tuple(f"{names[n]}: {why}" for n, why in unreadable.items())


def omission(lines: Sequence[str]) -> tuple[Listing, ...]:
    """Show which cases were left out."""
    if not lines:
        return ()
    rows = [line.partition(": ")[::2] for line in lines[:_NAMED]]
    more = len(lines) - _NAMED
    return (Listing("left_out", ("case", "reason"), rows, f"+ {more}" if more > 0 else ""),)


def _renamed(figure: Figure, name: str) -> Figure:
    return Figure(name, figure.value, figure.low, figure.high, figure.cases)


def _json(value: float) -> float | None:
    """JSON knows no NaN; a figure that cannot be taken is null."""
    return value if math.isfinite(value) else None
