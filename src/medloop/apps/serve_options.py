"""The options of ``medloop serve``."""

from argparse import SUPPRESS, ArgumentParser, Namespace
from typing import Final

from medloop.apps.console import Exit, UsageError
from medloop.apps.settings import Settings

SUMMARY: Final = "Be a node beside a PACS: receive, analyze, send results, answer DICOMweb."
EXAMPLES: Final = ("", "--workers 2")


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that analyze ([jobs] workers of medloop.toml, 1 unless said)",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="listen beyond this machine even without users, TLS or a list of callers",
    )
    parser.add_argument("--part", help=SUPPRESS)


def answer(options: Namespace, settings: Settings) -> Exit:
    """Run a node, or with --part one process of it.

    Raises
    ------
    UsageError
        If fewer than no processes are to analyze; and as `serve` does.
    """
    from medloop.apps.serve import serve, serve_part

    if options.workers is not None and options.workers < 0:
        raise UsageError(f"--workers {options.workers} is below 0")
    if options.part:
        return serve_part(options.part, settings, is_insecure=options.insecure)
    return serve(settings, workers=options.workers, is_insecure=options.insecure)


SERVE: Final = (SUMMARY, add_options, answer, EXAMPLES)
