"""Prove that medloop runs without torch: do the main job, or import every room.

Run by a Python where medloop is installed and torch is not, outside the source tree: once
without extras, once with `serve` and `deidentify`.
"""

import importlib
import json
import pkgutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

import medloop
from medloop.apps.cli import main

NEED_TORCH = ("medloop.learning", "medloop.models.nets", "medloop.models.networks")


def import_everything() -> int:
    """Import every module but those that make weights; measuring them needs no torch."""
    names = [
        module.name
        for module in pkgutil.walk_packages(medloop.__path__, "medloop.", onerror=_refuse)
        if not module.name.startswith(NEED_TORCH) and ".migrations" not in module.name
    ]
    for name in (*names, "medloop.learning.evaluate"):
        importlib.import_module(name)
    return len(names) + 1


def _refuse(name: str) -> None:
    if not name.startswith(NEED_TORCH):
        raise ImportError(name)


def draw_fundus() -> np.ndarray:
    """Draw a plain right eye: a red disc with an optic disc, a fovea and two vessel arcades."""
    image = np.zeros((900, 900, 3), np.uint8)
    cv2.circle(image, (450, 450), 420, (40, 85, 170), -1)  # blue, green, red
    cv2.circle(image, (330, 460), 60, (34, 70, 120), -1)
    image = cv2.GaussianBlur(image, (0, 0), 12)
    for up in (-1, 1):
        for turn in (-1, 1):
            t = np.linspace(0, 1, 60)
            x, y = 640 + turn * 380 * t**1.4, 440 + up * 260 * np.sqrt(t) * (1.2 - 0.35 * t)
            arcade = np.stack([x, y], axis=1).round().astype(np.int32)
            cv2.polylines(image, [arcade], isClosed=False, color=(25, 45, 110), thickness=7)
    cv2.circle(image, (640, 440), 55, (130, 195, 245), -1)
    image = cv2.GaussianBlur(image, (0, 0), 1.2)
    y, x = np.mgrid[:900, :900]
    image[np.hypot(x - 450, y - 450) > 420] = 0
    return image


def analyze_a_fundus() -> str:
    """Analyze the drawn photograph by the command line; return the grade."""
    with tempfile.TemporaryDirectory() as folder:
        picture, out = Path(folder) / "eye.png", Path(folder) / "out"
        picture.write_bytes(cv2.imencode(".png", draw_fundus())[1].tobytes())
        code = main(["analyze", str(picture), "-o", str(out)])
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
        if code != 0:
            raise SystemExit(f"analyze exits {code}: {summary}")
        folder_of_result = out / summary["results"][0]["path"]
        result = json.loads((folder_of_result / "result.json").read_text(encoding="utf-8"))
        for name in ("report.html", "report.pdf", "sr.dcm", "heatmap.png"):
            if not (folder_of_result / name).is_file():
                raise SystemExit(f"{name} was not written")
        return f"ICDR {result['assessments']['ICDR']}"


if __name__ == "__main__":
    if find_spec("torch") is not None:
        sys.exit("torch is installed here, so this would prove nothing")
    if find_spec("fastapi") is None:  # installed without extras: what a node needs is not there
        print(f"without extras: a photograph graded {analyze_a_fundus()}")
    else:
        print(f"without torch: {import_everything()} modules imported")
