"""What ``medloop models`` understands; `bundles`, `exchange` and `promotion` do the work."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Final

from medloop.apps.console import Exit, UsageError
from medloop.apps.settings import Settings

_VERBS: Final = (
    "list",
    "show",
    "install",
    "promote",
    "rollback",
    "import",
    "export",
    "merge",
)


def model_options(parser: ArgumentParser) -> None:
    """Add the options of ``medloop models``."""
    parser.add_argument("action", choices=_VERBS)
    parser.add_argument(
        "bundle",
        metavar="BUNDLE",
        nargs="?",
        help="a name or a folder; for promote NAME[@VERSION or @HASH]; for import the folder or"
        " zip of a MONAI bundle, or an nnU-Net results folder; for merge a file of adapters",
    )
    parser.add_argument(
        "-o", "--out", type=Path, help="import, merge: folder of the bundle to make"
    )
    parser.add_argument(
        "--orientation",
        metavar="LETTERS",
        help="import: where the columns, rows and slices of the training images ran, as LPS or"
        " RAS, where the source does not say",
    )
    parser.add_argument(
        "--monai", type=Path, metavar="DIR", help="export: folder of the MONAI bundle to make"
    )
    parser.add_argument(
        "--triton",
        type=Path,
        metavar="DIR",
        help="export: model repository of an NVIDIA Triton server, new or there already",
    )
    parser.add_argument(
        "--base",
        metavar="BUNDLE",
        help="merge: the bundle the adapters were made on (default: the one here that is it)",
    )
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="export: the network alone")
    parser.add_argument("--json", action="store_true", help="print JSON")


def models(options: Namespace, settings: Settings) -> Exit:
    """Do what was asked.

    Raises
    ------
    UsageError
        If a bundle is needed and none is named; and as each verb says.
    """
    from medloop.apps import bundles, exchange, promotion

    if options.action == "list":
        return promotion.show_versions(settings, as_json=options.json)
    if options.bundle is None:
        raise UsageError(f"models {options.action} needs a BUNDLE")
    answers: dict[str, Callable[[], Exit]] = {
        "show": lambda: bundles.show_card(options.bundle, settings, as_json=options.json),
        "install": lambda: promotion.install(Path(options.bundle), settings),
        "promote": lambda: promotion.promote(options.bundle, settings),
        "rollback": lambda: promotion.rollback(options.bundle, settings),
        "import": lambda: exchange.bring_in(
            Path(options.bundle), options.out, orientation=options.orientation
        ),
        "merge": lambda: exchange.merge_adapters(
            Path(options.bundle), options.out, settings, base=options.base
        ),
        "export": lambda: exchange.hand_out(
            options.bundle,
            settings,
            monai=options.monai,
            onnx=options.onnx,
            triton=options.triton,
        ),
    }
    return answers[options.action]()


MODELS: Final = (
    "models",
    "List, show, install, promote, roll back, import, export or merge bundles.",
    model_options,
    models,
    (
        "list",
        "show retina_grading",
        "install bundle/",
        "promote retina_grading@0.2.0",
        "rollback retina_grading",
        "import nnUNetTrainer__nnUNetPlans__3d_fullres -o bundle",
        "export bundle/ --monai monai_bundle",
        "export retina_grading --triton model_repository",
        "merge adapter.safetensors -o bundle",
    ),
)
