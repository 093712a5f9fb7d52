"""``medloop evaluate``: thin, since learning is where the work is."""

import json
import shlex
import shutil
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from medloop.apps.bundles import find_bundle, open_second
from medloop.apps.console import Exit, UsageError, note, progress, say
from medloop.apps.output import require_folder
from medloop.apps.settings import LANGUAGES, Settings
from medloop.apps.versions import keep, use
from medloop.core.errors import InputError
from medloop.models.bundle import Bundle, load_bundle, shipped_bundles


def evaluate_options(parser: ArgumentParser) -> None:
    """Add the options of ``medloop evaluate``."""
    parser.add_argument(
        "bundle", metavar="BUNDLE", help="a shipped or installed name, or a folder"
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="labelled data: a folder, a .csv, .json or .npz",
    )
    parser.add_argument(
        "--split", metavar="NAME", help="only this part of the data, such as test or fold0"
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        required=True,
        help="folder for metrics.json, report.html and cases.csv",
    )
    parser.add_argument(
        "--by",
        metavar="COLUMN",
        action="append",
        default=[],
        help="measure the groups of this column of the data's table apart (may be repeated)",
    )
    parser.add_argument(
        "--operating",
        metavar="RULE",
        help="operating point of a classification: youden, sensitivity=0.95, specificity=0.9 or"
        " threshold=0.4",
    )
    parser.add_argument(
        "--positive", metavar="CLASS", help="the class the operating point calls"
    )
    parser.add_argument(
        "--against", metavar="BUNDLE", help="another bundle to compare on the same cases"
    )
    parser.add_argument(
        "--card", action="store_true", help="write the figures into the bundle's card as well"
    )
    parser.add_argument("--lang", choices=LANGUAGES, help="language of the report")


def evaluate(options: Namespace, settings: Settings) -> Exit:
    """Measure a bundle on labelled data and print where metrics.json is.

    Raises
    ------
    UsageError
        If the bundle or the data are not there, or an option means nothing for the bundle.
    """
    from medloop.learning.evaluate import METRICS, Wanted
    from medloop.learning.evaluate import evaluate as measure
    from medloop.learning.evaluating.decision import operating_from
    from medloop.learning.evaluating.words import Language

    if not options.data.exists():
        raise UsageError(f"{options.data}: no such folder or file of data")
    require_folder(options.out)
    bundle = find_bundle(options.bundle, settings)
    if options.card:
        _require_own(bundle)
    try:
        operating = operating_from(options.operating) if options.operating else None
    except InputError as error:
        raise UsageError(str(error)) from error
    wanted = Wanted(
        by=tuple(options.by),
        operating=operating,
        positive=options.positive or "",
        against=find_bundle(options.against, settings) if options.against else None,
        second=open_second(bundle, settings),
        language=Language(options.lang or settings.language),
    )
    with progress("cases") as report:
        measured = measure(
            bundle,
            options.data,
            options.out,
            split=options.split,
            wanted=wanted,
            report=report,
        )
    for warning in measured.warnings:
        note(f"medloop: {warning}")
    if options.card:
        _write_card(bundle, options, settings)
    say(str(options.out / METRICS))
    return Exit.BAD_INPUT if measured.left_out else Exit.DONE


def _require_own(bundle: Bundle) -> None:
    """Refuse to write into a bundle that came with the package."""
    if bundle.name in shipped_bundles() and load_bundle(bundle.name).folder == bundle.folder:
        raise UsageError(
            f"--card cannot write into {bundle.name}, which came with medloop: copy its folder"
        )


def _write_card(bundle: Bundle, options: Namespace, settings: Settings) -> None:
    """Write what was measured into the card: of a folder in place, else as a new version."""
    from medloop.learning.evaluate import METRICS
    from medloop.learning.evaluating.stamp import entry_of, stamp

    now = datetime.now(UTC)
    metrics = json.loads((options.out / METRICS).read_text(encoding="utf-8"))
    entry = entry_of(metrics, command=_command(options), now=now)
    if Path(options.bundle).is_dir():
        stamp(bundle, entry)
        return
    with TemporaryDirectory() as scratch:
        copy = Path(scratch) / bundle.name
        shutil.copytree(bundle.folder, copy)
        stamp(load_bundle(copy), entry)
        kept, key = keep(copy, settings)
    use(kept.name, key, "evaluate", settings, now=now)
    note(f"{kept.name}: the card with these figures is version {key}, now in use")


def _command(options: Namespace) -> str:
    """Write the command without the folders of this machine."""
    typed = ["medloop", "evaluate", Path(options.bundle).name, "--data", options.data.name]
    for flag in ("split", "operating", "positive"):
        if value := getattr(options, flag):
            typed += [f"--{flag}", value]
    return shlex.join(typed)
