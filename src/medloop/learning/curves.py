"""How loss and validation went, epoch by epoch: kept, drawn, and told to TensorBoard."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.errors import ServiceError
from medloop.learning.whole import write_text

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

DRAWN = "curves.png"
_ENDING = ".curve.jsonl"


@dataclass(frozen=True, slots=True)
class Point:
    """One epoch: mean loss, share of the full rate at its end, seconds, validation measure."""

    epoch: int
    loss: float
    pace: float
    seconds: float
    validation: float | None = None


def curve_path(work: Path, part: str) -> Path:
    """Where the curve of one network is kept."""
    return work / f"{part}{_ENDING}"


def read_curve(path: Path) -> tuple[Point, ...]:
    """Read the epochs of one network, a JSON object a line; none if there is no file."""
    if not path.is_file():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(Point(**json.loads(line)) for line in lines)


class Recorder:
    """Adds each epoch to the curve of one network; epochs done anew replace the old.

    Parameters
    ----------
    path
        Of the curve.
    board
        Folder for TensorBoard's events, written anew when training goes on; None for none.
    """

    def __init__(self, path: Path, board: Path | None = None) -> None:
        self._path = path
        self._board = board
        self._writer: SummaryWriter | None = None

    def __call__(self, point: Point) -> None:
        """Write a whole file or none; `ServiceError` says why it cannot be."""
        before = [each for each in read_curve(self._path) if each.epoch < point.epoch]
        lines = [json.dumps(asdict(each)) for each in (*before, point)]
        write_text(self._path, "\n".join(lines) + "\n")
        if self._board is not None:
            self._tell(before, point)

    def close(self) -> None:
        """End TensorBoard's file."""
        if self._writer is not None:
            self._writer.close()

    def _tell(self, before: Sequence[Point], point: Point) -> None:
        if self._writer is None and self._board is not None:
            shutil.rmtree(self._board, ignore_errors=True)
            self._writer = _open_writer(self._board)
            for each in before:
                _add(self._writer, each)
        if self._writer is not None:
            _add(self._writer, point)
            self._writer.flush()


def require_board() -> None:
    """`ServiceError` if TensorBoard's events cannot be written here."""
    if find_spec("tensorboardX") is None:
        raise ServiceError(
            "--tensorboard needs tensorboardX, which is not installed: pip install tensorboardX"
        )


def draw_curves(out: Path) -> Path | None:
    """Draw the curves in ``out/work`` into ``out/curves.png``; None without matplotlib."""
    curves = {
        path.name.removesuffix(_ENDING): read_curve(path)
        for path in sorted((out / "work").glob(f"*{_ENDING}"))
    }
    if not curves or find_spec("matplotlib") is None:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 (heavy)
    from matplotlib.figure import Figure  # noqa: PLC0415 (heavy)
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 (heavy)

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="loss")
    for n, (part, points) in enumerate(curves.items()):
        ink = f"C{n}"
        epochs = [point.epoch for point in points]
        axes.plot(epochs, [point.loss for point in points], color=ink, label=part)
        seen = [(p.epoch, p.validation) for p in points if p.validation is not None]
        if seen:
            label = f"{part}, validation"
            axes.plot(*zip(*seen, strict=True), color=ink, linestyle="--", label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    beside = out / f"{DRAWN}.part"
    try:
        FigureCanvasAgg(figure).print_png(str(beside))
        return beside.replace(out / DRAWN)
    except OSError as why:
        raise ServiceError(f"{out / DRAWN} cannot be written: {why.strerror}") from why


def _open_writer(folder: Path) -> "SummaryWriter":
    require_board()
    from tensorboardX import SummaryWriter  # noqa: PLC0415 (only where asked for)

    return SummaryWriter(str(folder))


def _add(writer: "SummaryWriter", point: Point) -> None:
    shown = {"loss": point.loss, "pace": point.pace, "validation": point.validation}
    for name, value in shown.items():
        if value is not None:
            writer.add_scalar(name, value, point.epoch)
