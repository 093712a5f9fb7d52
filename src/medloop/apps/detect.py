"""``medloop predict`` with a network that finds objects: one table of boxes.

Of volumes OUT/detections.csv, with the columns of LUNA16; of pictures OUT/detections.json, as
COCO's results. Nodules in the lungs are found by two networks and fill such a table, too.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medloop.apps.batch import Input, Job, run_batch
from medloop.apps.bundles import open_network, open_screen
from medloop.apps.console import Exit
from medloop.apps.output import write_text
from medloop.apps.pixels import channels_of
from medloop.apps.settings import Settings
from medloop.core.geometry import Grid
from medloop.core.image import Picture
from medloop.core.study import Content
from medloop.imaging.lungs import find_lungs
from medloop.models.bundle import Bundle
from medloop.models.detect import Marks, detect, in_patient
from medloop.models.detection_plan import DetectionPlan
from medloop.models.nodule_search import Chest, search
from medloop.models.nodules import probabilities
from medloop.models.predict import end_case
from medloop.models.segmentation_plan import PICTURES

_COLUMNS = (
    *("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm", "probability", "class"),
    *("sizeX_mm", "sizeY_mm", "sizeZ_mm", "input"),
)

_UNSTATED = "1"

Row = dict[str, Any]  # JSON's and CSV's values


def tell_objects(bundle: Bundle, inputs: Sequence[Path], out: Path, settings: Settings) -> Exit:
    """Run the network over every volume, or picture, among the inputs.

    Raises
    ------
    UsageError
        If there is nothing to read.
    """
    plan = bundle.detection_plan
    predictor = open_network(bundle, settings)
    is_flat = plan.frame == PICTURES
    table = out / ("detections.json" if is_flat else "detections.csv")
    write: Callable[[list[Row]], str] = _json if is_flat else _csv
    rows: list[Row] = []

    def one(item: Input) -> None:
        array, image = channels_of(item, len(plan.channels), flat=is_flat)
        grid = None if isinstance(image, Picture) else image.grid
        marks = detect(predictor, array, grid, plan)
        end_case(predictor)
        found = _in_picture(marks, plan) if grid is None else _in_volume(marks, grid, plan)
        name = _picture_name(item) if is_flat else _name(item)
        rows.extend({**name, **row} for row in found)

    def finish() -> Path:
        return write_text(table, write(rows))

    wanted = Content.PICTURES if is_flat else Content.VOLUME
    job = Job("finding objects", one, finish)
    return run_batch(inputs, wanted, job, channels=len(plan.channels))


def tell_nodules(bundle: Bundle, inputs: Sequence[Path], out: Path, settings: Settings) -> Exit:
    """Look for pulmonary nodules on every volume; a row for each place both networks judged.

    All of them, whatever their probability, as LUNA16's evaluation wants. Diameters are those
    of blobs, coarser than what the analysis measures.

    Raises
    ------
    UsageError
        If there is nothing to read.
    """
    plan = bundle.nodule_plan
    second, screen = open_network(bundle, settings), open_screen(bundle, settings)
    rows: list[Row] = []

    def one(item: Input) -> None:
        _, volume = item.volume()
        if volume.unit == _UNSTATED:  # NIfTI says nothing; whoever asks for lungs gives CT
            volume = replace(volume, unit="HU")
        chest = Chest.of(volume, find_lungs(volume).mask)
        found = search(chest, screen, second, plan)
        for network in (screen, second):
            end_case(network)
        chance = probabilities(found.answer.logits, plan)
        for n in np.argsort(-chance, kind="stable"):
            if not np.isfinite(found.answer.logits[n]):
                break
            row = _name(item) | {"probability": round(float(chance[n]), 6), "class": "nodule"}
            center = chest.grid.to_world(found.spots.centers[n])
            row |= {
                f"coord{axis}": round(float(v), 3)
                for axis, v in zip("XYZ", center, strict=True)
            }
            row["diameter_mm"] = round(2 * float(found.spots.radii_mm[n]), 3)
            rows.append(row)

    def finish() -> Path:
        return write_text(out / "detections.csv", _csv(rows))

    return run_batch(inputs, Content.VOLUME, Job("looking for nodules", one, finish))


def _name(item: Input) -> Row:
    return {"seriesuid": item.series_uid or item.stem, "input": item.name}


def _picture_name(item: Input) -> Row:
    """Name a picture as data sets do: those of COCO by their number."""
    number = int(item.stem) if item.stem.isdecimal() else item.stem
    return {"image_id": number, "file_name": item.name}


def _in_volume(marks: Marks, grid: Grid, plan: DetectionPlan) -> list[Row]:
    """Centers in LPS mm; the diameter is that of a ball as large as the box's ellipsoid."""
    centers, sizes = in_patient(marks.edges, grid)
    diameters = np.cbrt(sizes.prod(axis=1))
    rows = []
    for n, (center, size) in enumerate(zip(centers, sizes, strict=True)):
        row: Row = {}
        for axis, at, length in zip("XYZ", center, size, strict=True):
            row[f"coord{axis}"] = round(float(at), 3)
            row[f"size{axis}_mm"] = round(float(length), 3)
        row["diameter_mm"] = round(float(diameters[n]), 3)
        row["probability"] = round(float(marks.score[n]), 6)
        row["class"] = plan.classes[marks.classes[n]]
        rows.append(row)
    return rows


def _in_picture(marks: Marks, plan: DetectionPlan) -> list[Row]:
    """Boxes as x, y, width, height in pixels whose corners, not centers, are whole numbers."""
    rows = []
    for n, (low, high) in enumerate(marks.edges):
        box = [*(low[::-1] + 0.5), *(high - low)[::-1]]
        number = int(marks.classes[n])
        rows.append(
            {
                "category_id": plan.numbers[number] if plan.numbers else number + 1,
                "category": plan.classes[number],
                "bbox": [round(float(v), 2) for v in box],
                "score": round(float(marks.score[n]), 6),
            }
        )
    return rows


def _csv(rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _json(rows: list[Row]) -> str:
    return "[" + ",\n ".join(json.dumps(row, ensure_ascii=False) for row in rows) + "]\n"
