"""``medloop quantize``: an INT8 twin beside FP32, kept only if the accuracy holds."""

from argparse import ArgumentParser, Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from medloop.apps.console import Exit, UsageError, note, progress, say
from medloop.apps.settings import Settings
from medloop.core.errors import ServiceError


def quantize_options(parser: ArgumentParser) -> None:
    """Add the options of ``medloop quantize``."""
    parser.add_argument(
        "bundle", metavar="BUNDLE", help="a shipped or installed name, or a folder"
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="labelled data to calibrate and measure on: a folder, a .csv, .json or .npz",
    )
    parser.add_argument(
        "--split",
        metavar="NAME",
        help="measure on this part of the data, such as val or fold0, and calibrate on the rest"
        " (default: on every second patient)",
    )
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="folder of the bundle to make"
    )


def quantize(options: Namespace, settings: Settings) -> Exit:
    """Copy a bundle, with an INT8 twin if its figure holds; print the folder.

    Raises
    ------
    UsageError
        If the bundle or the data are not there, or there is something at the new place.
    ServiceError
        If a part of the quantize extra is not installed.
    """
    from medloop.apps.bundles import find_bundle

    out: Path = options.out
    if not options.data.exists():
        raise UsageError(f"{options.data}: no such folder or file of data")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: is there already")
    bundle = find_bundle(options.bundle, settings)
    require_int8()
    from medloop.learning.quantize import quantize as make

    with progress("cases") as report:
        gate = make(bundle, options.data, out, split=options.split, report=report)
    verdict = "INT8 twin kept" if gate.passed else "no INT8 twin"
    note(f"{bundle.name}: {verdict}: {gate.reason}")
    say(str(out))
    return Exit.DONE


def require_int8() -> None:
    """Refuse in one line what cannot be quantized here; `ServiceError`."""
    for part in ("onnx", "nncf"):
        if find_spec(part) is None:
            raise ServiceError(f"quantizing needs {part}: pip install 'medloop[quantize]'")


QUANTIZE: Final = (
    "quantize",
    "Give a bundle a twin in INT8, if its figure holds.",
    quantize_options,
    quantize,
    (
        "hippocampus --data Task04_Hippocampus --split fold0 -o hippocampus_int8",
        "bundles/breast --data breastmnist.npz --split val -o breast_int8",
    ),
)
