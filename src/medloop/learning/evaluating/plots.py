"""Plots as SVG, drawn from numbers alone: no library, no script, no font of their own."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeVar

import numpy as np

from medloop.evaluation.bootstrap import Figure
from medloop.learning.evaluating.blocks import Curve, Forest, Scatter, Spread
from medloop.learning.evaluating.words import Language, say

INK = ("#1b5e8c", "#c05a2b", "#3f7d3a", "#8a5a9e", "#a37b12", "#3a8f95", "#a33a5c", "#5a6872")
_GRAY, _LINE = "#5a6872", "#d8dfe3"
_GOLDEN = 0.6180339887498949  # spreads neighbors' dots apart
_T = TypeVar("_T")
_MOST_DOTS = 400  # dots of one class; more are thinned evenly


@dataclass(frozen=True, slots=True)
class _Frame:
    """A plotting area in pixels and the values at its edges."""

    width: float
    height: float
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)

    def across(self, value: float) -> float:
        low, high = self.x
        return self.width * (value - low) / (high - low)

    def down(self, value: float) -> float:
        low, high = self.y
        return self.height * (1 - (value - low) / (high - low))


def curve(plot: Curve, language: Language) -> str:
    """Draw lines over the unit square."""
    frame = _Frame(300, 300)
    quarters = (0, 0.25, 0.5, 0.75, 1)
    marks = [_grid(frame, () if plot.steps else quarters, quarters)]
    marks += [_upright_line(frame, x, label) for x, label in plot.steps]
    if plot.diagonal:
        marks.append(_diagonal(frame))
    marks += [_band(frame, *band, ink(n)) for n, band in enumerate(plot.bands.values())]
    for n, (x, y) in enumerate(plot.lines.values()):
        inside = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(a + b)]
        marks.append(_path(frame, inside, ink(n)))
        if plot.diagonal:
            marks.extend(_dot(frame, a, b, ink(n), 3) for a, b in inside if len(inside) <= 25)
    for n, point in enumerate(plot.points.values()):
        marks.append(_ring(frame, *point, "#1d2a33" if n == 0 else _GRAY))
    marks.append(_axis_names(frame, plot.across, plot.up, language))
    return _svg(frame, marks, left=48, bottom=44)


def spread(plot: Spread, language: Language) -> str:
    """Draw each case as a dot, with quartiles and median, a line a class."""
    known = {k: _thinned([v for v in vs if math.isfinite(v)]) for k, vs in plot.values.items()}
    everything = [v for values in known.values() for v in values] or [0.0, 1.0]
    steps = ticks(min(everything), max(everything))
    frame = _Frame(420, 46 * max(1, len(known)), (steps[0], steps[-1]), (0, len(known) or 1))
    marks = [_grid(frame, steps, ())]
    for n, (name, values) in enumerate(known.items()):
        middle = 46 * n + 23
        marks.append(_label(-10, middle + 4, name, "end"))
        for i, value in enumerate(values):
            aside = middle + 13 * (2 * ((i * _GOLDEN) % 1) - 1)
            x = frame.across(value)
            marks.append(
                f'<circle cx="{x:.1f}" cy="{aside:.1f}" r="2.2" fill="{ink(n)}" opacity=".4"/>'
            )
        if values:
            marks.append(_box(frame, np.percentile(values, (25, 50, 75)).tolist(), middle))
    marks.append(_axis_names(frame, plot.unit, "", language))
    return _svg(frame, marks, left=_room(known), bottom=40 if plot.unit else 24, right=28)


def scatter(plot: Scatter, language: Language) -> str:
    """Draw found against true values."""
    values = [v for xs, ys in plot.points.values() for v in (*xs, *ys) if math.isfinite(v)]
    steps = ticks(0.0, max(values, default=1.0) or 1.0)
    frame = _Frame(300, 300, (steps[0], steps[-1]), (steps[0], steps[-1]))
    marks = [_grid(frame, steps, steps), _diagonal(frame)]
    for n, (xs, ys) in enumerate(plot.points.values()):
        pairs = _thinned(list(zip(xs, ys, strict=True)))
        marks.extend(_dot(frame, x, y, ink(n), 3, opacity=0.55) for x, y in pairs)
    unit = f" ({plot.unit})" if plot.unit else ""
    names = (say(plot.across, language) + unit, say(plot.up, language) + unit)
    marks.append(_axis_names(frame, *names, language, aside=56))
    return _svg(frame, marks, left=72, bottom=44)


def forest(plot: Forest, language: Language) -> str:
    """Draw each group's figure with its interval; groups too small are named only."""
    shown = [f for f in plot.figures if math.isfinite(f.value)]
    ends = [v for f in shown for v in (f.value, f.low, f.high) if math.isfinite(v)]
    steps = ticks(min(ends, default=0.0), max(ends, default=1.0))
    names = [f"{say(f.name, language)} (n = {f.cases})" for f in plot.figures]
    frame = _Frame(300, 26 * max(1, len(names)), (steps[0], steps[-1]), (0, 1))
    marks = [_grid(frame, steps, ())]
    for n, (name, figure) in enumerate(zip(names, plot.figures, strict=True)):
        middle = 26 * n + 13
        marks.append(_label(-10, middle + 4, name, "end"))
        marks.append(_interval(frame, figure, middle, language))
    return _svg(frame, marks, left=_room(names), bottom=24, right=150)


def legend(names: Iterable[str]) -> str:
    """Name the colors of a plot, as HTML."""
    items = "".join(
        f'<span class="key"><i style="background:{ink(n)}"></i>{escape(name)}</span>'
        for n, name in enumerate(names)
    )
    return f'<p class="keys">{items}</p>'


def ink(n: int) -> str:
    """Color of the n-th line."""
    return INK[n % len(INK)]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values, evenly spaced, that enclose a range."""
    reach = high - low if high > low else abs(high) or 1.0
    raw = reach / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 12) for n in range(first, max(last, first + 1) + 1)]


def short(value: float, step: float = 0.01) -> str:
    """Write a number as an axis does: no more decimals than its steps need."""
    decimals = max(0, math.ceil(-math.log10(step) - 1e-9)) if step > 0 else 2
    if decimals and abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
        decimals += 1  # steps of 0.025
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _thinned(values: Sequence[_T]) -> Sequence[_T]:
    if len(values) <= _MOST_DOTS:
        return values
    return [values[n] for n in np.linspace(0, len(values) - 1, _MOST_DOTS).astype(int)]


def _grid(frame: _Frame, across: Sequence[float], up: Sequence[float]) -> str:
    w, h = frame.width, frame.height
    parts = []
    wide, tall = _step(across), _step(up)
    for value in across:
        x = frame.across(value)
        parts.append(f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{h}" stroke="{_LINE}"/>')
        parts.append(_label(x, h + 16, short(value, wide), "middle"))
    for value in up:
        y = frame.down(value)
        parts.append(f'<line x1="0" y1="{y:.1f}" x2="{w}" y2="{y:.1f}" stroke="{_LINE}"/>')
        parts.append(_label(-7, y + 4, short(value, tall), "end"))
    edge = f'<rect x="0" y="0" width="{w}" height="{h}" fill="none" stroke="#aab4bb"/>'
    return "".join(parts) + edge


def _step(values: Sequence[float]) -> float:
    return abs(values[1] - values[0]) if len(values) > 1 else 0.01


def _upright_line(frame: _Frame, value: float, label: str) -> str:
    x, h = frame.across(value), frame.height
    line = f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{h}" stroke="{_LINE}"/>'
    return line + _label(x, h + 16, label, "middle")


def _band(
    frame: _Frame, x: Sequence[float], low: Sequence[float], high: Sequence[float], color: str
) -> str:
    edge = [*zip(x, low, strict=True), *reversed([*zip(x, high, strict=True)])]
    drawn = " ".join(f"{frame.across(a):.1f},{frame.down(b):.1f}" for a, b in edge)
    return f'<polygon points="{drawn}" fill="{color}" opacity=".14"/>'


def _diagonal(frame: _Frame) -> str:
    return (
        f'<line x1="0" y1="{frame.height}" x2="{frame.width}" y2="0" stroke="#8d99a1"'
        ' stroke-dasharray="4"/>'
    )


def _path(frame: _Frame, points: Sequence[tuple[float, float]], color: str) -> str:
    drawn = " ".join(f"{frame.across(a):.1f},{frame.down(b):.1f}" for a, b in points)
    return f'<polyline points="{drawn}" fill="none" stroke="{color}" stroke-width="2"/>'


def _dot(
    frame: _Frame, x: float, y: float, color: str, radius: float, *, opacity: float = 1
) -> str:
    return (
        f'<circle cx="{frame.across(x):.1f}" cy="{frame.down(y):.1f}" r="{radius}"'
        f' fill="{color}" opacity="{opacity:g}"/>'
    )


def _ring(frame: _Frame, x: float, y: float, color: str) -> str:
    return (
        f'<circle cx="{frame.across(x):.1f}" cy="{frame.down(y):.1f}" r="6" fill="#fff"'
        f' fill-opacity=".6" stroke="{color}" stroke-width="2.5"/>'
    )


def _box(frame: _Frame, quartiles: Sequence[float], middle: float) -> str:
    low, median, high = (frame.across(v) for v in quartiles)
    return (
        f'<rect x="{low:.1f}" y="{middle - 9}" width="{max(high - low, 0.5):.1f}" height="18"'
        f' fill="none" stroke="#1d2a33" stroke-width="1.2"/><line x1="{median:.1f}"'
        f' y1="{middle - 9}" x2="{median:.1f}" y2="{middle + 9}" stroke="#1d2a33"'
        ' stroke-width="2.5"/>'
    )


def _interval(frame: _Frame, figure: Figure, middle: float, language: Language) -> str:
    beside = frame.width + 12
    if not math.isfinite(figure.value):
        return _label(beside, middle + 4, say("not_reported", language), "start")
    x = frame.across(figure.value)
    text = number(figure.value)
    parts = []
    if math.isfinite(figure.low + figure.high):
        ends = frame.across(figure.low), frame.across(figure.high)
        parts.append(
            f'<line x1="{ends[0]:.1f}" y1="{middle}" x2="{ends[1]:.1f}" y2="{middle}"'
            f' stroke="{INK[0]}" stroke-width="2"/>'
        )
        text += f" ({number(figure.low)}–{number(figure.high)})"
    parts.append(f'<circle cx="{x:.1f}" cy="{middle}" r="4" fill="{INK[0]}"/>')
    return "".join(parts) + _label(beside, middle + 4, text, "start")


def number(value: float) -> str:
    """Write a figure: three decimals, fewer where it is large; a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    return f"{value:.0f}" if size >= 1000 else f"{value:.1f}" if size >= 10 else f"{value:.3f}"


def _axis_names(
    frame: _Frame, across: str, up: str, language: Language, *, aside: int = 36
) -> str:
    parts = []
    if across:
        text = say(across, language)
        parts.append(_label(frame.width / 2, frame.height + 36, text, "middle"))
    if up:
        middle = frame.height / 2
        parts.append(
            f'<g transform="translate({-aside} {middle}) rotate(-90)">'
            f"{_label(0, 0, say(up, language), 'middle')}</g>"
        )
    return "".join(parts)


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_GRAY}">'
        f"{escape(text)}</text>"
    )


def _room(names: Iterable[str]) -> int:
    """Pixels that labels at the left need; letters of Chinese are twice as wide."""
    widths = [sum(7 if ord(c) < 0x2E80 else 13 for c in name) for name in names]
    return 24 + max(widths, default=0)


def _svg(
    frame: _Frame, marks: Sequence[str], *, left: int, bottom: int, right: int = 14
) -> str:
    width, height = frame.width + left + right, frame.height + bottom + 10
    return (
        f'<svg viewBox="{-left} -10 {width} {height}" width="{width}" font-size="12"'
        f' role="img">{"".join(marks)}</svg>'
    )
