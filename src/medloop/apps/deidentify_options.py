"""What ``medloop deidentify`` understands; the work is done in `deidentify`."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from medloop.apps.console import Exit, UsageError
from medloop.apps.settings import Settings

SUMMARY: Final = "Take identities out of DICOM, NIfTI and pictures (PS3.15 Basic Profile)."
EXAMPLES: Final = (
    "studies/ shared/ --key study.key",
    "studies/ shared/ --key study.key --retain longitudinal-modified --clean descriptors",
    "heads/ shared/ --key study.key --clean recognizable --clean pixels",
    "--reveal shared.map --key study.key",
)
RETAIN: Final = (
    "uids",
    "device",
    "institution",
    "patient-characteristics",
    "longitudinal-full",
    "longitudinal-modified",
    "safe-private",
)
CLEAN: Final = ("descriptors", "structured-content", "graphics", "pixels", "recognizable")


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", metavar="IN", nargs="?", type=Path, help="a file or a folder")
    parser.add_argument(
        "target", metavar="OUT", nargs="?", type=Path, help="folder for what was cleaned"
    )
    parser.add_argument(
        "--profile", choices=("basic",), default="basic", help="PS3.15 Annex E (default basic)"
    )
    parser.add_argument(
        "--retain",
        choices=RETAIN,
        action="append",
        default=[],
        help="keep this although it may identify (may be repeated)",
    )
    parser.add_argument(
        "--clean",
        choices=CLEAN,
        action="append",
        default=[],
        help="look through it and keep the rest (may be repeated); pixels: find text in every"
        " image; recognizable: remove the face from CT and MR of the head",
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="the secret all new names follow from; made where there is none. Without it, the"
        " passphrase in MEDLOOP_DEIDENTIFY_KEY, or asked for",
    )
    parser.add_argument(
        "--map",
        type=Path,
        metavar="FILE",
        help="the encrypted way back to people (default OUT.map beside OUT)",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="what was done to each file (default report.json beside OUT)",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="processes (default: one for each processor)"
    )
    parser.add_argument(
        "--reveal",
        type=Path,
        metavar="MAP",
        help="print who is who, by an earlier run's map",
    )


def answer(options: Namespace, _settings: Settings) -> Exit:
    """Check that the options belong together, and do what they ask.

    Raises
    ------
    UsageError
        If they do not.
    """
    from medloop.apps import deidentify
    from medloop.dicom.deidentify import Clean, Profile, Retain

    if options.reveal is not None:
        key = deidentify.find_key(options.key, may_make=False)
        return deidentify.reveal_map(options.reveal, key)
    if options.source is None or options.target is None:
        raise UsageError("deidentify needs IN and OUT, or --reveal MAP")
    if options.jobs is not None and options.jobs < 1:
        raise UsageError(f"--jobs {options.jobs} is below 1")
    try:
        profile = Profile(
            frozenset(map(Retain, options.retain)), frozenset(map(Clean, options.clean))
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    places = deidentify.Places.beside(
        options.source, options.target, key_map=options.map, report=options.report
    )
    deidentify.check(places, options.key)
    key = deidentify.find_key(options.key, may_make=True)
    return deidentify.deidentify(places, profile, key, jobs=options.jobs)
