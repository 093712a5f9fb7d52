"""The verbs of ``medloop``: their options, their examples, and which function answers."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from medloop.apps import (
    audit_options,
    backup_options,
    deidentify_options,
    jobs_options,
    labels_options,
    pull_options,
    serve_options,
    structure_options,
    users_options,
    viewer_options,
)
from medloop.apps.console import Exit
from medloop.apps.model_options import MODELS
from medloop.apps.quantize import QUANTIZE
from medloop.apps.settings import LANGUAGES, PRECISIONS, Settings

EXIT_CODES = """exit codes:
  0  all done
  1  something outside failed: a full disk, a busy database, a part that is not installed
  2  the command line cannot be meant
  3  some input was bad; the rest was still done
  4  no analysis suits the input
"""


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
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="spread the studies over a Ray cluster: auto, or ray://HOST:PORT",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def _analyze(options: Namespace, settings: Settings) -> Exit:
    from medloop.apps.analyze import analyze

    settings = _overruled(settings, options)
    if options.cluster:
        from medloop.apps.cluster import answer

        return answer(options, settings)
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
    from medloop.apps.learn_options import train_options

    train_options(parser)


def _train(options: Namespace, settings: Settings) -> Exit:
    from medloop.apps.learn import train

    return train(options, settings)


def _evaluate_options(parser: ArgumentParser) -> None:
    from medloop.apps.evaluate import evaluate_options

    evaluate_options(parser)


def _evaluate(options: Namespace, settings: Settings) -> Exit:
    from medloop.apps.evaluate import evaluate

    return evaluate(options, settings)


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
    jobs_options.add_worker_options(parser)
    _language(parser)
    _precision(parser)


def _worker(options: Namespace, settings: Settings) -> Exit:
    return jobs_options.start_workers(options, _overruled(settings, options))


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
            "archive/ -o out --cluster auto",
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
    Command(*MODELS),
    Command(
        "structures",
        structure_options.SUMMARY,
        structure_options.add_options,
        structure_options.answer,
        structure_options.EXAMPLES,
    ),
    Command(
        "labels",
        labels_options.SUMMARY,
        labels_options.add_options,
        labels_options.answer,
        labels_options.EXAMPLES,
    ),
    Command(
        "deidentify",
        deidentify_options.SUMMARY,
        deidentify_options.add_options,
        deidentify_options.answer,
        deidentify_options.EXAMPLES,
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
    Command("pull", *pull_options.PULL),
    Command(
        "worker",
        "Do the queued jobs of the store.",
        _worker_options,
        _worker,
        ("", "--processes 2", "--once"),
    ),
    Command(*jobs_options.JOBS),
    Command(*backup_options.BACKUP),
    Command(*backup_options.RESTORE),
    Command(*backup_options.VERIFY),
    Command(*backup_options.PRUNE),
    Command("serve", *serve_options.SERVE),
    Command("viewer", *viewer_options.VIEWER),
    Command("users", *users_options.USERS),
    Command("audit", *audit_options.AUDIT),
    Command(
        "doctor",
        "Say what is installed, what is missing, and what each analysis needs.",
        _doctor_options,
        _doctor,
        ("", "--json"),
    ),
)
