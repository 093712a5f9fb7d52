"""The figures of an evaluation in the card of the bundle that was evaluated."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from medloop.core.errors import ServiceError
from medloop.models.bundle import CARD, Bundle, load_bundle, seal

SECTION = "evaluated_on"


def entry_of(metrics: Mapping[str, Any], *, command: str, now: datetime) -> Mapping[str, Any]:
    """Say what metrics.json says, as a card does: data, part, figures, when and how made."""
    data = metrics["data"]
    figures = [
        {key: figure[key] for key in ("name", "value", "interval_95", "cases")}
        for figure in metrics["figures"]
        if figure["value"] is not None and None not in figure["interval_95"]
    ]
    entry = {
        "data": data.get("name", "photographs"),
        "split": data["split"] or "all",
        "cases": data["cases"],
        "date": now.date(),
        "command": command,
        "warnings": list(metrics["warnings"]),
        "figures": figures,
    }
    if point := metrics.get("operating_point"):
        entry["operating_point"] = {k: v for k, v in point.items() if v is not None}
    return entry


def stamp(bundle: Bundle, entry: Mapping[str, Any]) -> Bundle:
    """Add an entry to ``evaluated_on`` of a bundle's card and seal it anew.

    An earlier entry of the same data and part gives way. Weights and plan are not touched.

    Raises
    ------
    ServiceError
        If tomli-w is not installed, or the folder cannot be written.
    """
    try:
        import tomli_w  # noqa: PLC0415 (only for cards)
    except ModuleNotFoundError as why:
        raise ServiceError(
            "writing a card needs tomli-w: pip install 'medloop[train]'"
        ) from why
    kept = [each for each in bundle.card.get(SECTION, []) if not _same(each, entry)]
    card = {**bundle.card, SECTION: [*kept, dict(entry)]}
    _write(bundle.folder / CARD, tomli_w.dumps(card, multiline_strings=False))
    seal(bundle.folder)
    return load_bundle(bundle.folder)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other[key] for key in ("data", "split"))


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as why:
        raise ServiceError(f"{path} cannot be written: {why.strerror}") from why
