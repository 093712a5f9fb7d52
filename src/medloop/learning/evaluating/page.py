"""An evaluation as one self-contained HTML page."""

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from medloop.evaluation.bootstrap import Figure
from medloop.learning.evaluating import plots
from medloop.learning.evaluating.blocks import (
    BOOTSTRAP,
    Block,
    Curve,
    Forest,
    Listing,
    Pictures,
    Row,
    Scatter,
    Spread,
    Table,
)
from medloop.learning.evaluating.words import Language, say

_STYLE = """
:root { --ink: #1d2a33; --soft: #5a6872; --line: #d8dfe3; --wash: #f3f6f8; --accent: #1f5a7a; }
* { box-sizing: border-box; }
body { font: 15px/1.5 "Noto Sans", system-ui, "Helvetica Neue", Arial, "Noto Sans CJK SC",
  "PingFang SC", "Microsoft YaHei", sans-serif; max-width: 66rem; margin: 0 auto;
  padding: 2rem 1.5rem 4rem; color: var(--ink); }
h1 { font-size: 1.6rem; line-height: 1.25; color: var(--accent); margin: 0 0 .8rem;
  padding-bottom: .6rem; border-bottom: 3px solid var(--accent); }
h2 { font-size: 1.05rem; color: var(--accent); margin: 0 0 .4rem; }
section { margin: 2rem 0 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { white-space: nowrap; border-bottom: 1px solid var(--line);
  padding: .28rem .9rem .28rem 0;
  text-align: right; vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
th:first-child, td:first-child { text-align: left; }
.about { font-size: .9rem; }
.about td { white-space: normal; text-align: left; border: 0; padding: .05rem 1.2rem .05rem 0;
  overflow-wrap: anywhere; }
.about td:first-child { color: var(--soft); white-space: nowrap; }
.soft, .note { color: var(--soft); font-size: .87rem; }
.soft { white-space: nowrap; }
.note { margin: .3rem 0 0; }
.warning { border-left: 4px solid #b7791f; padding: .45rem .9rem; background: #fdf8ee;
  margin: .6rem 0; }
.heads { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0 0; }
.head { background: var(--wash); border-left: 4px solid var(--accent);
  padding: .6rem 1.1rem .7rem; min-width: 11.5rem; }
.head b { display: block; font-size: 1.75rem; line-height: 1.2; }
.head span { display: block; }
.pair { display: flex; flex-wrap: wrap; gap: 0 2.5rem; }
.keys { margin: 0 0 .3rem; font-size: .87rem; }
.key { margin-right: 1rem; white-space: nowrap; }
.key i { display: inline-block; width: .75rem; height: .75rem; border-radius: 2px;
  margin-right: .35rem; }
.counts td, .counts th { padding: .3rem .7rem; text-align: center; border: 1px solid #fff; }
.counts th:first-child { text-align: right; }
.wide { overflow-x: auto; }
svg { max-width: 100%; height: auto; font-family: inherit; }
figure { margin: 0; max-width: 18rem; }
figure img { width: 100%; image-rendering: auto; background: #000; display: block; }
figcaption { font-size: .87rem; color: var(--soft); margin-top: .2rem;
  overflow-wrap: anywhere; }
@media print { section { break-inside: avoid; } body { padding: 0; } }
"""


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """What one evaluation says."""

    title: str
    about: Mapping[str, str]
    warnings: Sequence[str]
    rows: Sequence[Row]
    blocks: Sequence[Block]
    headline: Sequence[Row] = ()
    language: Language = Language.ENGLISH


def render(page: Page) -> str:
    """Write the page; every text in it is escaped."""
    title, language = escape(page.title), page.language
    parts = [
        "<!doctype html>",
        f'<html lang="{language}"><head><meta charset="utf-8">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        _about(page.about, language),
        *(f'<p class="warning">{escape(text)}</p>' for text in page.warnings),
        _heads(page.headline, language),
        _figures(page.rows, language),
        *_sections(page.blocks, language),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _about(about: Mapping[str, str], language: Language) -> str:
    rows = "".join(
        f"<tr><td>{escape(say(key, language))}</td><td>{escape(say(value, language))}</td></tr>"
        for key, value in about.items()
    )
    return f'<table class="about">{rows}</table>'


def _heads(rows: Sequence[Row], language: Language) -> str:
    tiles = "".join(
        f'<div class="head"><span>{_name(row, language)}</span><b>{_value(row.figure)}</b>'
        f'<span class="soft">{_interval(row.figure, language)}, n = {row.figure.cases}</span>'
        "</div>"
        for row in rows
    )
    return f'<div class="heads">{tiles}</div>' if tiles else ""


def _name(row: Row, language: Language) -> str:
    of = f" · {say(row.of, language)}" if row.of else ""
    return escape(say(row.key, language) + of)


def _value(figure: Figure) -> str:
    return plots.number(figure.value) if math.isfinite(figure.value) else "–"


def _interval(figure: Figure, language: Language) -> str:
    if not math.isfinite(figure.low + figure.high):
        return escape(say("no_interval", language))
    to = " 至 " if language is Language.CHINESE else " to "
    return f"{plots.number(figure.low)}{to}{plots.number(figure.high)}"


def _figures(rows: Sequence[Row], language: Language) -> str:
    """One line a figure; where every measure is taken of several classes, a column a class."""
    classes = tuple(dict.fromkeys(row.of for row in rows))
    keys = tuple(dict.fromkeys((row.key, row.unit) for row in rows))
    is_dense = len(classes) > 1 and len(rows) > 0.6 * len(classes) * len(keys)
    table = _by_class(rows, classes, keys, language) if is_dense else _lines(rows, language)
    title = escape(say("figures", language))
    return f'<section><h2>{title}</h2><div class="wide">{table}</div></section>'


def _lines(rows: Sequence[Row], language: Language) -> str:
    heads = ("figure", "value", "interval_95", "cases")
    head = "".join(f"<th>{escape(say(key, language))}</th>" for key in heads)
    lines = []
    for row in rows:
        unit = f" ({escape(row.unit)})" if row.unit else ""
        how = "" if row.interval == BOOTSTRAP else f" <span>({escape(row.interval)})</span>"
        lines.append(
            f"<tr><td>{_name(row, language)}{unit}</td><td>{_value(row.figure)}</td>"
            f"<td>{_interval(row.figure, language)}{how}</td><td>{row.figure.cases}</td></tr>"
        )
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _by_class(
    rows: Sequence[Row],
    classes: Sequence[str],
    keys: Sequence[tuple[str, str]],
    language: Language,
) -> str:
    found = {(row.key, row.of): row for row in rows}
    names = (escape(say(of or "of_all", language)) for of in classes)
    head = "<th></th>" + "".join(f"<th>{name}</th>" for name in names)
    lines = []
    for key, unit in keys:
        name = escape(say(key, language) + (f" ({unit})" if unit else ""))
        cells = "".join(_cell(found.get((key, of)), language) for of in classes)
        lines.append(f"<tr><td>{name}</td>{cells}</tr>")
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _cell(row: Row | None, language: Language) -> str:
    if row is None:
        return "<td></td>"
    how = "" if row.interval == BOOTSTRAP else f", {escape(row.interval)}"
    return (
        f'<td>{_value(row.figure)}<br><span class="soft">{_interval(row.figure, language)}'
        f", n = {row.figure.cases}{how}</span></td>"
    )


def _sections(blocks: Sequence[Block], language: Language) -> list[str]:
    """Write each block; neighboring plots stand side by side."""
    parts: list[str] = []
    beside: list[str] = []
    for block in blocks:
        if isinstance(block, Curve | Scatter | Spread | Forest):
            beside.append(_block(block, language))
            continue
        if beside:
            parts.append(f'<div class="pair">{"".join(beside)}</div>')
            beside = []
        parts.append(_block(block, language))
    if beside:
        parts.append(f'<div class="pair">{"".join(beside)}</div>')
    return parts


def _block(block: Block, language: Language) -> str:
    title, body = say(block.title, language), ""
    match block:
        case Table():
            body = _counts(block)
        case Curve():
            names = [*block.lines]
            body = (plots.legend(names) if len(names) > 1 or names[0] else "") + plots.curve(
                block, language
            )
            body += _points(block, language)
        case Scatter():
            body = plots.legend(block.points) + plots.scatter(block, language)
        case Spread():
            body = plots.spread(block, language)
        case Forest():
            of = f" · {say(block.of, language)}" if block.of else ""
            unit = f" ({block.unit})" if block.unit else ""
            grouped = say("by_group", language, column=say(block.title, language))
            title = f"{grouped}: {say(block.key, language)}{of}{unit}"
            body = plots.forest(block, language)
        case Listing():
            body = _listing(block, language)
        case Pictures():
            body = _pictures(block, language)
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _points(block: Curve, language: Language) -> str:
    texts = [
        f"◯ {escape(say(name, language))}: {x:.3f}, {y:.3f}"
        for name, (x, y) in block.points.items()
    ]
    return f'<p class="note">{"<br>".join(texts)}</p>' if texts else ""


def _counts(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.names)
    lines = []
    for name, row in zip(table.names, table.rows, strict=True):
        whole = max(sum(row), 1)
        cells = "".join(_count(count, count / whole) for count in row)
        lines.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f'<table class="counts"><tr><th></th>{head}</tr>{"".join(lines)}</table>'


def _count(count: int, share: float) -> str:
    ink = "#fff" if share > 0.55 else "#1d2a33"
    return (
        f'<td style="background:rgba(27,94,140,{0.05 + 0.9 * share:.2f});color:{ink}">'
        f"{count}</td>"
    )


def _listing(listing: Listing, language: Language) -> str:
    head = "".join(f"<th>{escape(say(name, language))}</th>" for name in listing.heads)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(say(cell, language))}</td>" for cell in row) + "</tr>"
        for row in listing.rows
    )
    table = f'<div class="wide"><table><tr>{head}</tr>{lines}</table></div>'
    return table + _note(listing.note, language)


def _pictures(block: Pictures, language: Language) -> str:
    shown = "".join(
        f'<figure><img alt="" src="data:image/png;base64,{b64encode(png).decode()}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, png in block.pictures
    )
    return f'<div class="pair">{shown}</div>' + _note(block.note, language)


def _note(note: str, language: Language) -> str:
    return f'<p class="note">{escape(say(note, language))}</p>' if note else ""
