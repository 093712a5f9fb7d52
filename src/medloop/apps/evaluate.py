"""``medloop evaluate``: thin, since learning is where the work is."""

from argparse import Namespace

from medloop.apps.bundles import find_bundle, open_second
from medloop.apps.console import Exit, UsageError, note, progress, say
from medloop.apps.output import require_folder
from medloop.apps.settings import Settings


def evaluate(options: Namespace, settings: Settings) -> Exit:
    """Measure a bundle on labelled data and print where metrics.json is.

    Raises
    ------
    UsageError
        If the bundle or the data are not there.
    """
    from medloop.learning.evaluate import evaluate as measure

    if not options.data.is_dir():
        raise UsageError(f"{options.data}: no such folder of data")
    require_folder(options.out)
    bundle = find_bundle(options.bundle, settings)
    with progress("photographs") as report:
        measured = measure(
            bundle,
            options.data,
            options.out,
            split=options.split,
            second=open_second(bundle, settings),
            report=report,
        )
    for warning in measured.warnings:
        note(f"medloop: {warning}")
    say(str(options.out / "metrics.json"))
    return Exit.DONE
