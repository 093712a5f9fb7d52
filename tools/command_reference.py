"""Write docs/reference/command-line.md from the commands themselves."""

import os
import sys
from pathlib import Path

os.environ["COLUMNS"] = "88"  # argparse wraps to the terminal
from medloop.apps.cli import COMMANDS, overview

INTRODUCTION = """# Command line

Made by `make docs` from the commands themselves; a test keeps it so.
"""


def reference() -> str:
    """Return the page."""
    chapters = (
        f"## medloop {command.name}\n\n```text\n{command.parser().format_help()}```\n"
        for command in COMMANDS
    )
    return "\n".join([INTRODUCTION, f"```text\n{overview()}\n```\n", *chapters])


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(reference(), encoding="utf-8")
