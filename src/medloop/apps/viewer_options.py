"""``medloop viewer``: the viewers that the node serves."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from medloop.apps.console import Exit, UsageError, note, say
from medloop.apps.settings import Settings

SUMMARY: Final = (
    "Install viewers beside the store: NiiVue (3-D on the reading page), OHIF (under /viewer/)."
)
EXAMPLES: Final = (
    "install",
    "install niivue",
    "install ohif --from ohif-app-3.12.10.tgz",
    "status",
)
_NAMES: Final = ("niivue", "ohif")


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=("install", "status"))
    parser.add_argument(
        "name",
        nargs="?",
        choices=_NAMES,
        help="which one; install: both, or with --from OHIF, unless you say",
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="install: a package that `npm pack` fetched elsewhere, for machines without npm",
    )


def answer(options: Namespace, settings: Settings) -> Exit:
    """Install viewers, or say which are there.

    Raises
    ------
    UsageError
        If a package is given to the command that says which are there.
    InputError
        If the package is not the expected one.
    ServiceError
        If it cannot be fetched or written.
    """
    named = (options.name,) if options.name else _NAMES
    if options.action == "status":
        if options.source is not None:
            raise UsageError("--from belongs to install")
        for name in named:
            say(_status(name, settings.home))
        return Exit.DONE
    if options.source is not None and not options.name:
        named = ("ohif",)
    for name in named:
        _install(name, settings.home, options.source)
    return Exit.DONE


def _status(name: str, home: Path) -> str:
    from medloop.apps import niivue, viewer

    missing = "is not installed: medloop viewer install"
    if name == "niivue":
        has = niivue.installed_script(home) is not None
        return f"NiiVue {niivue.NIIVUE.version}" if has else f"NiiVue {missing} niivue"
    version = viewer.installed_version(home)
    return f"OHIF {version}" if version else f"OHIF {missing} ohif"


def _install(name: str, home: Path, source: Path | None) -> None:
    from medloop.apps import niivue, viewer

    release = niivue.NIIVUE if name == "niivue" else viewer.OHIF
    size_mb = 8 if name == "niivue" else 48
    if source is None:
        note(f"fetching {release.package} {release.version}, {size_mb} MB")
    if name == "niivue":
        say(f"NiiVue {release.version}: {niivue.install(home, source=source)}")
    else:
        say(f"OHIF {release.version}: {viewer.install(home, source=source)}")


VIEWER: Final = (SUMMARY, add_options, answer, EXAMPLES)
