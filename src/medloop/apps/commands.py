"""The verbs of ``medloop``: their options, their examples, and which function answers."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from medloop.apps import structure_options
from medloop.apps.console import Exit, UsageError
from medloop.apps.quantize import QUANTIZE
from medloop.apps.settings import LANGUAGES, PRECISIONS, Settings

EXIT_CODES = """exit codes:
  0  all done
  1  something outside failed: a full disk, a busy database, a part that is not installed
  2  the command line cannot be meant
  3  some input was bad; the rest was still done
  4  no analysis suits the input
"""


_MODEL_VERBS = ("list", "show", "install", "promote", "rollback", "import", "export", "merge")


@dataclass(frozen=True, slots=True)
class Command:
    """One verb: its line in the overview, its options, its examples, and who answers."""

    name: str
    summary: str
    options: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Settings], Exit]
    examples: tuple[str, ...]

    def parser(self) -> ArgumentParser:
        """Return the parser of what follows the verb."""
        lines = [f"  medloop {self.name} {example}".rstrip() for example in self.examples]
        parser = ArgumentParser(
            prog=f"medloop {self.name}",
            description=self.summary,
            epilog="\n".join(["examples:", *lines, "", EXIT_CODES]),
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.options(parser)
        return parser


def _inputs(parser: ArgumentParser, what: str) -> None:
    parser.add_argument("inputs", metavar="INPUT", nargs="+", type=Path, help=what)


def _out(parser: ArgumentParser, what: str, *, required: bool = True) -> None:
    parser.add_argument("-o", "--out", type=Path, required=required, help=what)


def _precision(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="arithmetic of the networks; auto takes the fastest that kept its accuracy",
    )


def _language(parser: ArgumentParser) -> None:
    parser.add_argument("--lang", choices=LANGUAGES, help="language of the reports")


def _analyze_options(parser: ArgumentParser) -> None:
    _inputs(parser, "DICOM files, folders or zips; NIfTI; PNG, JPEG, TIFF")
    _out(parser, "folder for OUT/<study>/<analysis>/ and OUT/summary.json")
    parser.add_argument(
        "--analysis",
        dest="analyses",
        metavar="NAME",
        action="append",
        default=[],
        help="only this analysis (may be repeated); without it, all that suit",
    )
    _language(parser)
    _precision(parser)
    parser.add_argument(
        "--four-class",
        action="store_const",
        const="yes",
        help="retina: add the four-class grade (ICDR 3 and 4 as one), with its class map",
    )
    parser.add_argument(
        "--prior",
        type=Path,
        metavar="RESULT",
        help="lung: compare with this result of an earlier study (its folder or result.json), "
        "instead of the latest earlier one in OUT",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def _analyze(options: Namespace, settings: Settings) -> Exit:
    from medloop.apps.analyze import analyze

    settings = _overruled(settings, options)
    return analyze(
        options.inputs,
        options.out,
        options.analyses,
        settings,
        as_json=options.json,
        prior=options.prior,
    )


def _predict_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "bundle", metavar="BUNDLE", help="a shipped or installed name, or a folder"
    )
    _inputs(parser, "DICOM files, folders or zips; PNG, JPEG, TIFF; MedMNIST .npz")
    _out(parser, "folder for predictions.csv, label maps or probabilities")
    parser.add_argument(
        "--probabilities",
        action="store_true",
        help="write OUT/<stem>.npz with an array per class instead of label maps",
    )
    _precision(parser)


def _predict(options: Namespace, settings: Settings) -> Exit:
    from medloop.apps.predict import predict

    return predict(
        options.bundle,
        options.inputs,
        options.out,
        _overruled(settings, options),
        probabilities=options.probabilities,
    )


def _train_options(parser: ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe")
    parser.add_argument("--data", type=Path, required=True, help="folder of the training data")
    _out(parser, "folder of the bundle to make")
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="overrule one field of the recipe (may be repeated)",
    )
    parser.add_argument(
        "--from",
        dest="base",
        metavar="BUNDLE",
        help="start from the weights of this bundle (a shipped or installed name, or a folder)",
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same weights (on CPU)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="also write the curves as TensorBoard events, under work/tensorboard",
    )
    parser.add_argument(
        "--ray",
        type=int,
        default=0,
        metavar="N",
        help="train in N processes of a Ray cluster (RAY_ADDRESS, or one started here)",
    )
    parser.add_argument(
        "--lesions",
        type=Path,
        metavar="RUN",
        help="folder of a retina_lesions training: its lesions give a second opinion of grades",
    )


def _train(options: Namespace, settings: Settings) -> Exit:
    from medloop.apps.learn import train

    return train(options, settings)


def _evaluate_options(parser: ArgumentParser) -> None:
    from medloop.apps.evaluate import evaluate_options

    evaluate_options(parser)


def _evaluate(options: Namespace, settings: Settings) -> Exit:
    from medloop.apps.evaluate import evaluate

    return evaluate(options, settings)


def _models_options(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=_MODEL_VERBS)
    parser.add_argument(
        "bundle",
        metavar="BUNDLE",
        nargs="?",
        help="a name or a folder; for promote NAME[@VERSION or @HASH]; for import the folder or"
        " zip of a MONAI bundle, or an nnU-Net results folder; for merge a file of adapters",
    )
    _out(parser, "import, merge: folder of the bundle to make", required=False)
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
        "--base",
        metavar="BUNDLE",
        help="merge: the bundle the adapters were made on (default: the one here that is it)",
    )
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="export: the network alone")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _models(options: Namespace, settings: Settings) -> Exit:
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
            options.bundle, settings, monai=options.monai, onnx=options.onnx
        ),
    }
    return answers[options.action]()


def _demo_options(parser: ArgumentParser) -> None:
    _out(parser, "folder for the pictures and reports (default: medloop-demo)", required=False)
    _language(parser)


def _demo(options: Namespace, settings: Settings) -> Exit:
    from medloop.apps.demo import demo

    return demo(options.out or Path("medloop-demo"), _overruled(settings, options))


def _import_options(parser: ArgumentParser) -> None:
    _inputs(parser, "DICOM files, folders or zips; NIfTI; PNG, JPEG, TIFF")


def _import(options: Namespace, settings: Settings) -> Exit:
    from medloop.apps.node import receive

    return receive(options.inputs, settings)


def _worker_options(parser: ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="stop when no job is waiting")
    _language(parser)
    _precision(parser)


def _worker(options: Namespace, settings: Settings) -> Exit:
    from medloop.apps.node import work

    return work(_overruled(settings, options), once=options.once)


def _doctor_options(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _doctor(options: Namespace, settings: Settings) -> Exit:
    from medloop.apps.doctor import doctor

    return doctor(settings, as_json=options.json)


def _overruled(settings: Settings, options: Namespace) -> Settings:
    flags = {
        "language": getattr(options, "lang", None),
        "precision": getattr(options, "precision", None),
        "four_class": getattr(options, "four_class", None),
    }
    return replace(
        settings, **{key: value for key, value in flags.items() if value is not None}
    )


COMMANDS = (
    Command(
        "analyze",
        "Answer clinical questions about studies: reports, DICOM results and a summary.",
        _analyze_options,
        _analyze,
        (
            "eye.jpg -o out",
            "studies/ export.zip -o out --analysis retina --lang zh",
            "eye.dcm -o out --json",
        ),
    ),
    Command(
        "predict",
        "Run one network over many inputs: tables, label maps or probabilities.",
        _predict_options,
        _predict,
        (
            "retina_grading photographs/ -o out",
            "retina_lesions photographs/ -o out --probabilities",
        ),
    ),
    Command(
        "train",
        "Make a bundle from labelled data by a recipe.",
        _train_options,
        _train,
        (
            "retina_lesions --data idrid -o lesions --set epochs=5 --device cpu",
            "retina_grading --data idrid -o grading --lesions lesions --seed 1",
        ),
    ),
    Command(
        "evaluate",
        "Measure a bundle on labelled data, with 95 % confidence intervals.",
        _evaluate_options,
        _evaluate,
        (
            "retina_grading --data idrid/grading -o out",
            "bundles/breast --data breastmnist.npz --split test -o out",
            "bundles/liver --data Task03_Liver --by sex --against bundles/old -o out",
        ),
    ),
    Command(*QUANTIZE),
    Command(
        "models",
        "List, show, install, promote, roll back, import, export or merge bundles.",
        _models_options,
        _models,
        (
            "list",
            "show retina_grading",
            "install bundle/",
            "promote retina_grading@0.2.0",
            "rollback retina_grading",
            "import nnUNetTrainer__nnUNetPlans__3d_fullres -o bundle",
            "export bundle/ --monai monai_bundle",
            "merge adapter.safetensors -o bundle",
        ),
    ),
    Command(
        "structures",
        structure_options.SUMMARY,
        structure_options.add_options,
        structure_options.answer,
        structure_options.EXAMPLES,
    ),
    Command(
        "demo",
        "Read a real fundus photograph, as picture and as DICOM; print where the reports are.",
        _demo_options,
        _demo,
        ("", "-o out --lang zh"),
    ),
    Command(
        "import",
        "Take studies into the store and queue what suits them.",
        _import_options,
        _import,
        ("studies/ export.zip",),
    ),
    Command(
        "worker",
        "Do the queued jobs of the store.",
        _worker_options,
        _worker,
        ("", "--once"),
    ),
    Command(
        "doctor",
        "Say what is installed, what is missing, and what each analysis needs.",
        _doctor_options,
        _doctor,
        ("", "--json"),
    ),
)
