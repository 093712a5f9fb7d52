"""Small plots as SVG within a page: colors come from the style sheet, so themes hold.

Nothing here sets a style: classes and plain attributes do, as the content policy wants.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

_WIDTH: Final = 480
_HEIGHT: Final = 140
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 6, 8, 22
_STRIP: Final = (180, 14)


@dataclass(frozen=True, slots=True)
class Heights:
    """One kind of column: what it is called, its class (``ok``, ``bad``, ...), its values."""

    name: str
    kind: str
    values: tuple[float, ...]


def columns(title: str, labels: Sequence[str], stacked: Sequence[Heights]) -> Markup:
    """Draw columns, those of one place on top of each other; empty labels are not drawn."""
    totals = [sum(values) for values in zip(*(each.values for each in stacked), strict=True)]
    top = max(nice(max(totals, default=0.0)), 2.0)
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    step = width / max(len(labels), 1)
    parts = [_grid(top, height, width)]
    for n, label in enumerate(labels):
        x, base = _LEFT + n * step, 0.0
        for each in stacked:
            part = each.values[n]
            if part > 0:
                y = _TOP + height * (1 - (base + part) / top)
                tall = max(height * part / top, 1.0)
                parts.append(
                    Markup(
                        '<rect class="plot-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}"'
                        ' height="{:.1f}"><title>{}</title></rect>'
                    ).format(
                        each.kind,
                        x + step * 0.12,
                        y,
                        step * 0.76,
                        tall,
                        f"{label or n} {each.name}: {part:g}",
                    )
                )
            base += part
        parts.append(_below(label, x + step / 2) if label else Markup())
    return _svg(title, (_WIDTH, _HEIGHT), "plot", parts)


def line(title: str, labels: Sequence[str], values: Sequence[float]) -> Markup:
    """Draw values one after another as a line; where one is 0 there is nothing."""
    top = nice(max(values, default=0.0))
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    step = width / max(len(labels), 1)
    parts, run = [_grid(top, height, width)], list[str]()
    for n, value in enumerate([*values, 0.0]):
        if value > 0:
            x = _LEFT + (n + 0.5) * step
            y = _TOP + height * (1 - value / top)
            run.append(f"{x:.1f},{y:.1f}")
            parts.append(
                Markup(
                    '<circle class="plot-dot" cx="{:.1f}" cy="{:.1f}" r="3">'
                    "<title>{}</title></circle>"
                ).format(x, y, f"{labels[n] or n}: {value:.3g}")
            )
        elif run:
            parts.append(
                Markup('<polyline class="plot-line" points="{}"/>').format(" ".join(run))
            )
            run = []
    for n, label in enumerate(labels):
        parts.append(_below(label, _LEFT + (n + 0.5) * step) if label else Markup())
    return _svg(title, (_WIDTH, _HEIGHT), "plot", parts)


def interval(
    value: float, low: float, high: float, *, least: float = 0.0, most: float = 1.0
) -> Markup:
    """Draw a value with what it lies between, on a scale that all rows of a table share."""
    width, height = _STRIP
    span = (most - least) or 1.0

    def place(each: float) -> float:
        return 4 + (width - 8) * min(max((each - least) / span, 0.0), 1.0)

    middle = height / 2
    parts = [
        Markup('<line class="plot-scale" x1="4" x2="{}" y1="{}" y2="{}"/>').format(
            width - 4, middle, middle
        ),
        Markup('<line class="plot-range" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>').format(
            place(low), place(high), middle, middle
        ),
        Markup('<circle class="plot-dot" cx="{:.1f}" cy="{}" r="4"/>').format(
            place(value), middle
        ),
    ]
    return _svg("", _STRIP, "strip", parts)


def filled(title: str, share: float, kind: str) -> Markup:
    """Draw how full something is, from 0 to 1."""
    width, height = 240, 14
    bar = Markup('<rect class="plot-{}" x="0" y="0" width="{:.1f}" height="{}" rx="3"/>')
    parts = [
        Markup('<rect class="plot-ground" x="0" y="0" width="{}" height="{}" rx="3"/>').format(
            width, height
        ),
        bar.format(kind, width * min(max(share, 0.0), 1.0), height),
    ]
    return _svg(title, (width, height), "strip wide", parts)


def nice(value: float) -> float:
    """Return a round number at or above a value, for the end of an axis; at least 1.

    Half of it is whole from 2 on, as counts are.
    """
    if value <= 1:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value)


def _grid(top: float, height: float, width: float) -> Markup:
    lines = []
    for share in (0.0, 0.5, 1.0):
        y = _TOP + height * (1 - share)
        lines.append(
            Markup(
                '<line class="plot-grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
                '<text class="plot-text" x="{}" y="{:.1f}" text-anchor="end">{}</text>'
            ).format(_LEFT, _LEFT + width, y, y, _LEFT - 6, y + 4, f"{top * share:g}")
        )
    return Markup().join(lines)


def _below(label: str, x: float) -> Markup:
    return Markup(
        '<text class="plot-text" x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
    ).format(x, _HEIGHT - 6, label)


def _svg(title: str, size: tuple[int, int], kind: str, parts: Sequence[Markup]) -> Markup:
    named = (
        Markup('role="img" aria-label="{}"').format(title)
        if title
        else Markup('aria-hidden="true"')
    )
    return Markup('<svg class="{}" viewBox="0 0 {} {}" {}>{}</svg>').format(
        escape(kind), *size, named, Markup().join(parts)
    )
