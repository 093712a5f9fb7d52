"""Measure what each bundle takes, on disk and in memory, and write it into its card.

``python -m tools.footprints [FOLDER...]``: folders of bundles, or all shipped ones. Each
analysis that asks the bundle runs once, as a whole ``medloop analyze`` in a fresh process, on a
case of the data sets in MEDLOOP_DATA or a drawn one. The card gets a table ``[footprint]`` and
the bundle is sealed anew; weights and plan are not touched. Then ``make docs``.
"""

import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import tomli_w
from tools.child import NO_LIMITS, Limits, Ran, run
from tools.trial_cases import TrialCase, case_of

from medloop.apps.bootstrap import OFFERS
from medloop.models.bundle import CARD, Bundle, load_bundle, seal, shipped_bundles
from medloop.models.engines import Machine

SECTION = "footprint"


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a bundle takes: its files, and the whole analysis at its peak, in 10^6 bytes."""

    disk_mb: float
    peak_memory_mb: int
    case: str
    machine: str


def measure(bundles: Sequence[Bundle], data: Path | None) -> Mapping[str, Footprint]:
    """Run each analysis that asks one of the bundles; footprints by the bundles' names.

    Raises
    ------
    RuntimeError
        If an analysis does not end well, or none asks a bundle.
    """
    out = {}
    for name, offer in OFFERS.items():
        asked = [bundle for bundle in bundles if bundle.name in offer.bundles]
        if not asked:
            continue
        with tempfile.TemporaryDirectory(prefix="medloop-") as scratch:
            case = case_of(name, Path(scratch) / "case", data)
            ran = analyze(name, case, Path(scratch), bundles=asked)
        if ran.code:
            raise RuntimeError(f"{name}: medloop analyze exits {ran.code}: {ran.errors}")
        for bundle in asked:
            told = f"medloop analyze of one {case.words}"
            disk_mb = round(_bytes(bundle.folder) / 1e6, 1)
            out[bundle.name] = Footprint(disk_mb, round(ran.peak_mb), told, machine())
    left = [bundle.name for bundle in bundles if bundle.name not in out]
    if left:
        raise RuntimeError(f"no analysis asks {', '.join(left)}")
    return out


def analyze(
    name: str,
    case: TrialCase,
    scratch: Path,
    *,
    bundles: Sequence[Bundle] = (),
    python: str = sys.executable,
    limits: Limits = NO_LIMITS,
) -> Ran:
    """Run ``medloop analyze`` at a site where `bundles` are installed; results: scratch/out."""
    home = scratch / "home"
    (home / "bundles").mkdir(parents=True, exist_ok=True)
    for bundle in bundles:
        (home / "bundles" / bundle.name).symlink_to(bundle.folder.resolve())
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MEDLOOP_")}
    site = {"MEDLOOP_HOME": str(home), "XDG_CONFIG_HOME": str(scratch / "config")}
    inputs = [str(case.path), "-o", str(scratch / "out"), "--analysis", name]
    return run([python, "-m", "medloop", "analyze", *inputs], kept | site, limits)


def machine() -> str:
    """Name what memory depends on besides bundle and case."""
    here = Machine.here()
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {here.cores} cores, {here.engine}, Python {platform.python_version()}"


def stamp(bundle: Bundle, footprint: Footprint) -> Bundle:
    """Write a footprint into a bundle's card and seal it; an earlier one gives way.

    Raises
    ------
    RuntimeError
        If the weights are no longer those that were measured.
    """
    now = load_bundle(bundle.folder)
    if now.sha256 != bundle.sha256:
        raise RuntimeError(f"{bundle.name}: the weights changed meanwhile")
    card = {**now.card, SECTION: asdict(footprint)}
    part = bundle.folder / f".{CARD}"
    part.write_text(tomli_w.dumps(card, multiline_strings=False), encoding="utf-8")
    part.replace(bundle.folder / CARD)
    seal(bundle.folder)
    return load_bundle(bundle.folder)


def main(folders: Sequence[str]) -> None:
    """Measure, write, and say what was written."""
    place = os.environ.get("MEDLOOP_DATA")
    data = None if place is None else Path(place)
    bundles = [load_bundle(each) for each in folders or shipped_bundles()]
    for name, footprint in measure(bundles, data).items():
        stamp(next(bundle for bundle in bundles if bundle.name == name), footprint)
        print(
            f"{name}: {footprint.disk_mb} MB on disk, {footprint.peak_memory_mb} MB at the"
            f" peak ({footprint.case}; {footprint.machine})"
        )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main(sys.argv[1:])
