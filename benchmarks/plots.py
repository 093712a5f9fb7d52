"""Plots of what was measured, where matplotlib is installed."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.runs import note


def bars(path: Path, values: Mapping[str, Mapping[str, float | None]], title: str) -> None:
    """Draw groups of horizontal bars, `values` by series and group; a line marks 1."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 (optional)
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError:
        note(f"no {path.name}: matplotlib is not installed")
        return
    groups = list(dict.fromkeys(group for series in values.values() for group in series))
    figure = Figure(figsize=(7, 1 + 0.3 * len(groups) * len(values)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    height = 0.8 / max(len(values), 1)
    colors = mpl.colormaps["tab10"].colors
    for n, (name, series) in enumerate(values.items()):
        at = [g + n * height for g in range(len(groups))]
        wide = [series.get(group) or 0.0 for group in groups]
        drawn = axes.barh(at, wide, height, label=name, color=colors[n % len(colors)])
        axes.bar_label(drawn, [f"{value:.3g}" if value else "" for value in wide], padding=2)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks([g + 0.4 - height / 2 for g in range(len(groups))], groups)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(title)
    if len(values) > 1:
        axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
