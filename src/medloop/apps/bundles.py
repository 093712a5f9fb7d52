"""``medloop models``: which bundles are here, what they say, and how another one gets in."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from medloop.apps.console import Exit, UsageError, say
from medloop.apps.settings import Settings
from medloop.core.errors import InputError
from medloop.models.bundle import Bundle, load_bundle, shipped_bundles
from medloop.models.evidence import SecondReader, open_forest
from medloop.models.measured import Memory
from medloop.models.plan import Plan
from medloop.models.predict import Predictor, open_predictor


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of ``medloop models list``; `problem` says why a bundle cannot be used."""

    name: str
    version: str
    kind: str  # shipped or installed
    sha256: str
    problem: str = ""


def find_bundle(name: str, settings: Settings) -> Bundle:
    """Load a folder, an installed bundle or a shipped one, in this order.

    Raises
    ------
    UsageError
        If there is none.
    InputError
        If its files are not what they were when it was made.
    """
    installed = settings.bundles / name
    if Path(name).is_dir():
        return load_bundle(Path(name))
    if installed.is_dir():
        return load_bundle(installed.resolve())  # the version in use now, and no other later
    if name in shipped_bundles():
        return load_bundle(name)
    known = ", ".join(listed.name for listed in list_bundles(settings)) or "none"
    raise UsageError(f"no bundle {name!r}: not a folder, and the names here are: {known}")


def open_network(bundle: Bundle, settings: Settings) -> Predictor:
    """Open a bundle at the precision asked for; its engine starts with the first picture.

    Raises
    ------
    UsageError
        If INT8 is asked for and the bundle has none, or BF16 and the processor has none.
    """
    return _open(bundle, settings)


def open_screen(bundle: Bundle, settings: Settings) -> Predictor:
    """Open the first of two networks that look for nodules.

    Raises
    ------
    UsageError
        If INT8 is asked for and it has no twin, or BF16 and the processor has none.
    """
    return _open(bundle, settings, bundle.screen)


def _open(bundle: Bundle, settings: Settings, weights: Path | None = None) -> Predictor:
    memory = Memory(settings.measured)
    try:
        return open_predictor(
            bundle, precision=settings.precision, memory=memory, weights=weights
        )
    except InputError as error:  # that the bundle or machine lacks a precision
        raise UsageError(str(error)) from error


def open_second(bundle: Bundle, settings: Settings) -> SecondReader | None:
    """Open the reader of lesions that a bundle asks for a second opinion, if it asks one.

    Raises
    ------
    UsageError
        If the bundle it reads is not here.
    InputError
        If that bundle has other weights than those it was trained with.
    """
    reads = bundle.plan.reads if isinstance(bundle.plan, Plan) else ""
    if not reads:
        return None
    lesions = find_bundle(reads, settings)
    forest = open_forest(bundle, lesions)
    return SecondReader(forest, open_network(lesions, settings), lesions.photograph_plan)


def list_bundles(settings: Settings) -> tuple[Listed, ...]:
    """Check the hashes of every installed and shipped bundle."""
    folders = sorted(settings.bundles.iterdir()) if settings.bundles.is_dir() else []
    installed = [
        _listed(folder, folder.name, "installed") for folder in folders if folder.is_dir()
    ]
    hidden = {listed.name for listed in installed}
    shipped = [
        _listed(name, name, "shipped") for name in shipped_bundles() if name not in hidden
    ]
    return (*shipped, *installed)


def show_card(name: str, settings: Settings, *, as_json: bool) -> Exit:
    """Print the card of one bundle: intended use, training data, figures."""
    bundle = find_bundle(name, settings)
    text = (bundle.folder / "card.toml").read_text(encoding="utf-8")
    told = measured_of(bundle.name, settings)
    if as_json:
        card = tomllib.loads(text) | ({"measured_here": list(told)} if told else {})
        say(json.dumps(card, indent=2, default=str))
        return Exit.DONE
    say(text.rstrip())
    for line in told:
        say(f"# measured here: {line}")
    return Exit.DONE


def measured_of(name: str, settings: Settings) -> tuple[str, ...]:
    """Say what was measured of a bundle's networks, a line each."""
    known = Memory(settings.measured).all()
    return tuple(each.told() for each in known if each.subject.bundle == name)


def _listed(place: Path | str, name: str, kind: str) -> Listed:
    try:
        bundle = load_bundle(place)
    except InputError as error:
        return Listed(name, "", kind, "", problem=str(error))
    return Listed(bundle.name, bundle.version, kind, bundle.sha256)
