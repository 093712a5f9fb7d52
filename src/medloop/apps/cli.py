"""The command ``medloop``.

Nothing heavy is imported until a command runs, so ``medloop --help`` answers at once.
"""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import medloop
from medloop.apps.commands import COMMANDS, EXIT_CODES
from medloop.apps.console import (
    TOLD,
    Exit,
    UsageError,
    exit_of,
    logging_to_stderr,
    note,
    say,
    stop_asked,
    told,
)
from medloop.apps.settings import load_settings
from medloop.apps.supervisor import SUPERVISED


def overview() -> str:
    """Return the text of ``medloop --help``."""
    verbs = [f"  {command.name:<11}{command.summary}" for command in COMMANDS]
    return "\n".join(
        [
            "usage: medloop COMMAND ...",
            "",
            "Closes the loop between medical imaging data, algorithms and the clinic.",
            "",
            "commands:",
            *verbs,
            "",
            "options:",
            "  -h, --help  this text; medloop COMMAND --help for one command",
            "  --version   the version of medloop",
            "",
            "examples:",
            *(
                f"  medloop {command.name} {command.examples[0]}".rstrip()
                for command in COMMANDS
            ),
            "",
            EXIT_CODES,
        ]
    ).rstrip()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    typed = list(sys.argv[1:] if argv is None else argv)
    try:
        with warnings.catch_warnings(), _terminable(), logging_to_stderr():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")  # what matters stands in results as warnings
            return int(_answer(typed))
    except SystemExit as stop:  # argparse, after --help or a usage error
        return int(stop.code or 0)
    except BrokenPipeError:  # the reader of our output left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.TROUBLE)
    except TOLD as error:
        if not (isinstance(error, KeyboardInterrupt) and SUPERVISED in os.environ):
            note(f"medloop: {told(error)}")
        return int(exit_of(error))


@contextmanager
def _terminable() -> Iterator[None]:
    """Let a polite kill unwind like Ctrl-C, so that nothing half-written stays behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stop_asked.clear()
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    caught = (signal.SIGTERM, signal.SIGINT) if usual else (signal.SIGTERM,)
    before = {number: signal.signal(number, _unwind) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _unwind(_number: int, _frame: object) -> None:
    """Interrupt; long work looks again, should a callback have swallowed the exception."""
    stop_asked.set()
    raise KeyboardInterrupt


def _answer(typed: list[str]) -> Exit:
    if not typed or typed[0] in ("-h", "--help", "help"):
        say(overview())
        return Exit.DONE if typed else Exit.USAGE
    if typed[0] == "--version":
        say(f"medloop {medloop.__version__}")
        return Exit.DONE
    for command in COMMANDS:
        if command.name == typed[0]:
            options = command.parser().parse_intermixed_args(typed[1:])
            return command.run(options, load_settings())
    known = ", ".join(command.name for command in COMMANDS)
    raise UsageError(f"no command {typed[0]!r}; there are {known}")


if __name__ == "__main__":
    sys.exit(main())
