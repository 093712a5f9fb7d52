"""Figures as one self-contained HTML page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite

from medloop.evaluation.bootstrap import Figure

_SIDE = 320  # pixels of a plot
_INK = ("#1b5e8c", "#b3412e", "#3f7d3a", "#8a5a9e", "#a37b12", "#555555")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto;
  padding: 0 1rem; color: #1c1c1c; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { border-bottom: 1px solid #ddd; padding: .2rem .8rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.warning { border-left: 4px solid #b3412e; padding: .3rem .8rem; background: #fbeeeb; }
svg { max-width: 100%; height: auto; }
"""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A square table of counts; `names` head its rows and its columns."""

    title: str
    names: tuple[str, ...]
    rows: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Named lines (x, y), both in 0..1; a diagonal where equal is right."""

    title: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    diagonal: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """What one evaluation says."""

    title: str
    about: Mapping[str, str]
    warnings: Sequence[str]
    figures: Sequence[Figure]
    tables: Sequence[Table]
    curves: Sequence[Curve]


def render(page: Page) -> str:
    """Write the page; every text in it is escaped."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(page.title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(page.title)}</h1>",
        _about(page.about),
        *(f'<p class="warning">{escape(text)}</p>' for text in page.warnings),
        "<h2>Figures</h2>",
        _figures(page.figures),
        *(_table(table) for table in page.tables),
        *(_curve(curve) for curve in page.curves),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _about(about: Mapping[str, str]) -> str:
    rows = "".join(
        f"<tr><td>{escape(key)}</td><td>{escape(value)}</td></tr>"
        for key, value in about.items()
    )
    return f"<table>{rows}</table>"


def _figures(figures: Sequence[Figure]) -> str:
    rows = "".join(
        f"<tr><td>{escape(f.name)}</td><td>{f.value:.3f}</td>"
        f"<td>{f.low:.3f} to {f.high:.3f}</td><td>{f.cases}</td></tr>"
        for f in figures
    )
    head = "<tr><th>figure</th><th>value</th><th>95 % interval</th><th>cases</th></tr>"
    return f"<table>{head}{rows}</table>".replace("nan to nan", "none").replace(
        "<td>nan</td>", "<td>none</td>"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.names)
    rows = "".join(
        f"<tr><th>{escape(name)}</th>" + "".join(f"<td>{v}</td>" for v in row) + "</tr>"
        for name, row in zip(table.names, table.rows, strict=True)
    )
    return f"<h2>{escape(table.title)}</h2><table><tr><th></th>{head}</tr>{rows}</table>"


def _curve(curve: Curve) -> str:
    marks = [
        f'<rect x="0" y="0" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#999"/>',
        *_ticks(),
    ]
    if curve.diagonal:
        marks.append(
            f'<line x1="0" y1="{_SIDE}" x2="{_SIDE}" y2="0" stroke="#bbb"'
            ' stroke-dasharray="4"/>'
        )
    for n, (name, (x, y)) in enumerate(curve.lines.items()):
        ink = _INK[n % len(_INK)]
        inside = [(a, b) for a, b in zip(x, y, strict=True) if isfinite(a) and isfinite(b)]
        points = " ".join(f"{a * _SIDE:.1f},{(1 - b) * _SIDE:.1f}" for a, b in inside)
        marks.append(
            f'<polyline points="{points}" fill="none" stroke="{ink}" stroke-width="2"/>'
        )
        marks.extend(
            f'<circle cx="{a * _SIDE:.1f}" cy="{(1 - b) * _SIDE:.1f}" r="3" fill="{ink}"/>'
            for a, b in inside
            if curve.diagonal
        )
        marks.append(
            f'<text x="{_SIDE + 12}" y="{20 + 20 * n}" fill="{ink}">{escape(name)}</text>'
        )
    drawn = "".join(marks)
    return (
        f'<h2>{escape(curve.title)}</h2><svg viewBox="-30 -8 {_SIDE + 150} {_SIDE + 34}"'
        f' width="{_SIDE + 150}" font-size="12" role="img">{drawn}</svg>'
    )


def _ticks() -> list[str]:
    return [
        f'<text x="{t * _SIDE:.0f}" y="{_SIDE + 16}" text-anchor="middle">{t:g}</text>'
        f'<text x="-6" y="{(1 - t) * _SIDE + 4:.0f}" text-anchor="end">{t:g}</text>'
        for t in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
