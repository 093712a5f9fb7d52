"""Write docs/models/<name>.md from the card.toml of each shipped bundle."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medloop.models.bundle import load_bundle, shipped_bundles


def page(card: Mapping[str, Any], sha256: str) -> str:
    """Return the page of one card."""
    training, evaluation = card["training"], card["evaluation"]
    figures = [
        f"| {f['name']} | {f['value']:.3f} | {_interval(f['interval_95'])} | {f['cases']} |"
        for f in evaluation["figures"]
    ]
    lines = [
        f"# {card['name']} {card['version']}",
        "",
        f"{card['title']}.",
        "",
        "Made by `make docs` from the bundle's card.toml; a test keeps it so.",
        "",
        "## Intended use",
        "",
        card["intended_use"],
        "",
        "Not for:",
        "",
        *(f"- {item}" for item in card["not_for"]),
        "",
        "## Limits",
        "",
        *(f"- {item}" for item in card["limits"]),
        "",
        "## Answers",
        "",
        *(f"- **{name}**: {meaning}" for name, meaning in card["classes"].items()),
        "",
        "## Figures",
        "",
        f"Measured: {evaluation['how']}.",
        "",
        "| figure | value | 95 % interval | cases |",
        "|---|---:|---:|---:|",
        *figures,
        "",
        "## Training",
        "",
        f"{training['data']}.",
        "",
        *_making(training),
        *_footprint(card.get("footprint")),
        f"License: {card['license']}.",
        "",
        f"SHA-256 of the weights: `{sha256}`",
    ]
    return "\n".join(lines) + "\n"


def _making(training: Mapping[str, Any]) -> list[str]:
    """Return what is known of how a network was made; weights from elsewhere have no recipe."""
    if "recipe" not in training:
        return []
    recipe = ", ".join(f"{key} {_plain(value)}" for key, value in training["recipe"].items())
    return [
        f"Made by `{training['command']}` on {training['device']} with PyTorch"
        f" {training['torch']}: {training['networks']} network(s), {training['cases']} cases.",
        "",
        f"Recipe: {recipe}.",
        "",
    ]


def _footprint(taken: Mapping[str, Any] | None) -> list[str]:
    """Return what a bundle takes on disk and in memory, where that was measured."""
    if taken is None:
        return []
    return [
        "## Footprint",
        "",
        f"{taken['disk_mb']} MB on disk; {taken['peak_memory_mb']} MB of memory at the peak of"
        f" {taken['case']} ({taken['machine']}).",
        "",
    ]


def pages() -> Mapping[str, str]:
    """Return the page of every shipped bundle, by file name."""
    bundles = [load_bundle(name) for name in shipped_bundles()]
    return {f"{bundle.name}.md": page(bundle.card, bundle.sha256) for bundle in bundles}


def _interval(ends: list[float]) -> str:
    return f"{ends[0]:.3f} to {ends[1]:.3f}"


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items()) + ")"
    if isinstance(value, list):
        between = "; " if any(isinstance(inner, str) for inner in value) else " x "
        return between.join(_plain(inner) for inner in value) or "none"
    return str(value) or "none"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
