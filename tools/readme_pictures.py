"""Draw docs/pictures from what `medloop demo` makes of the photograph in scikit-image.

    .venv/bin/python tools/readme_pictures.py

Needs the demo extra, the shipped bundles and pdftoppm (Debian: poppler-utils). The photograph
is `skimage.data.retina()`, in the public domain.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

FOLDER = Path(__file__).parent.parent / "docs/pictures"
LIMIT_BYTES = 1_500_000
REPORT_DPI = 88
SIDE_PX = 560
GAP_PX = 12
LANGUAGES = ("en", "zh")


def main() -> int:
    """Draw every picture; fails if they are more than a repository should carry."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="medloop-") as scratch:
        for language in LANGUAGES:
            result = demonstrate(Path(scratch) / language, language)
            draw_report(result / "report.pdf", FOLDER / f"report.{language}.png")
        draw_eye(result, FOLDER / "eye.png")
    total = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    print(f"{total / 1e6:.2f} MB in {FOLDER}")
    if total > LIMIT_BYTES:
        print(f"more than {LIMIT_BYTES / 1e6:.1f} MB", file=sys.stderr)
        return 1
    return 0


def demonstrate(out: Path, language: str) -> Path:
    """Run the demonstration and return the result folder of the photograph."""
    program = "import sys; from medloop.apps.cli import main; sys.exit(main())"
    medloop = [sys.executable, "-c", program]
    subprocess.run([*medloop, "demo", "-o", str(out), "--lang", language], check=True)
    return out / "retina/retina"


def draw_report(pdf: Path, picture: Path) -> None:
    """Draw the first page, in few enough colors to stay small."""
    page = ["-png", "-r", str(REPORT_DPI), "-f", "1", "-l", "1", "-singlefile"]
    subprocess.run(["pdftoppm", *page, str(pdf), str(picture.with_suffix(""))], check=True)
    write(picture, cv2.imread(str(picture)))


def draw_eye(result: Path, picture: Path) -> None:
    """Put the lesion overlay and the heat map side by side."""
    sides = [shrunk(result / f"{name}.png") for name in ("overlay", "heatmap")]
    gap = np.full((sides[0].shape[0], GAP_PX, 3), 255, np.uint8)
    write(picture, np.hstack([sides[0], gap, sides[1]]))


def shrunk(path: Path) -> np.ndarray:
    """Read a picture at the width it is shown."""
    image = cv2.imread(str(path))
    height = round(image.shape[0] * SIDE_PX / image.shape[1])
    return cv2.resize(image, (SIDE_PX, height), interpolation=cv2.INTER_AREA)


def write(path: Path, image: np.ndarray) -> None:
    """Compress as far as PNG goes."""
    cv2.imwrite(str(path), image, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    sys.exit(main())
