"""What an evaluation says, before it is written as JSON, CSV or a page.

Titles and headings are keys of `words.BOOK`; what is no key stands on the page as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medloop.evaluation.bootstrap import Figure

BOOTSTRAP, DELONG, WILSON = "bootstrap", "DeLong", "Wilson"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure and what it is a figure of.

    `key` names the measure and `of` the class, empty where it is of all; `interval` says how
    the 95 % interval was made.
    """

    key: str
    figure: Figure
    of: str = ""
    unit: str = ""
    interval: str = BOOTSTRAP


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A square table of counts; `names` head its rows and its columns."""

    title: str
    names: tuple[str, ...]
    rows: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Named lines (x, y), both in 0..1; a diagonal where equal is right; points that matter."""

    title: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    diagonal: bool = False
    across: str = ""
    up: str = ""
    points: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    steps: Sequence[tuple[float, str]] = ()  # places across and what stands below them
    bands: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]] = field(
        default_factory=dict
    )  # x, low, high, by line


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Values of single cases, by class."""

    title: str
    values: Mapping[str, Sequence[float]]
    unit: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """Points (true, found) of single cases, by class, beside the line where both are equal."""

    title: str
    points: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    across: str
    up: str
    unit: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """One measure in each group of the cases; a group too small to report has NaN."""

    title: str  # the column that groups
    key: str
    figures: Sequence[Figure]  # named after the groups
    of: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """A table of text; the first column is left-aligned."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """PNGs with a caption each."""

    title: str
    pictures: Sequence[tuple[str, bytes]]
    note: str = ""


Block = Table | Curve | Spread | Scatter | Forest | Listing | Pictures


@dataclass(frozen=True, slots=True, eq=False)
class CaseTable:
    """One row a case, the worst first, as in cases.csv."""

    heads: tuple[str, ...] = ()
    rows: Sequence[Sequence[str | float]] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What was measured; `warnings` say why the figures may flatter or mislead.

    `headline` are the rows that the page shows first; `record` holds what else belongs into
    metrics.json, by key.
    """

    rows: tuple[Row, ...]
    blocks: tuple[Block, ...] = ()
    warnings: tuple[str, ...] = ()
    headline: tuple[Row, ...] = ()
    cases: CaseTable = field(default_factory=CaseTable)
    record: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()  # cases that could not be read, with the reason

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures alone."""
        return tuple(row.figure for row in self.rows)

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables of counts."""
        return tuple(block for block in self.blocks if isinstance(block, Table))
