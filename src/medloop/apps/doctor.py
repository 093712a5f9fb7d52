"""``medloop doctor``: what is installed, what is missing, and what each analysis needs."""

import ctypes
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path

import medloop
from medloop.apps.bootstrap import OFFERS
from medloop.apps.console import Exit, say
from medloop.apps.settings import Settings

REPORT_LIBRARIES = (
    ("libpango-1.0.so.0", "libpango-1.0-0"),
    ("libpangoft2-1.0.so.0", "libpangoft2-1.0-0"),
    ("libharfbuzz-subset.so.0", "libharfbuzz-subset0"),
)
CHINESE_FONTS = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")


class Health(StrEnum):
    """Whether something is there; only what is missing makes the doctor fail."""

    GOOD = "ok"
    OPTIONAL = "absent"  # only some commands or inputs need it
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's table. `advice` says what to do about it."""

    group: str
    name: str
    health: Health
    detail: str = ""
    advice: str = ""


def doctor(settings: Settings, *, as_json: bool) -> Exit:
    """Examine this machine and print what was found; fails if anything needed is missing."""
    checks = examine(settings)
    sound = all(check.health is not Health.MISSING for check in checks)
    if as_json:
        say(
            json.dumps(
                {"healthy": sound, "checks": [asdict(check) for check in checks]}, indent=2
            )
        )
    else:
        for line in _table(checks):
            say(line)
        say("everything needed is here" if sound else "something needed is missing, see above")
    return Exit.DONE if sound else Exit.TROUBLE


def examine(settings: Settings) -> tuple[Check, ...]:
    """Make every check, in the order of the table."""
    bundles = tuple(_bundles(settings))
    return (
        *_machine(settings),
        *_packages(),
        *_decoders(),
        *_reports(),
        *_engines(),
        *_measured(settings),
        *bundles,
        *_analyses(bundles),
    )


def _table(checks: tuple[Check, ...]) -> Iterator[str]:
    width = max(len(check.name) for check in checks)
    for group, members in groupby(checks, key=lambda check: check.group):
        yield group
        for check in members:
            detail = "; ".join(text for text in (check.detail, check.advice) if text)
            yield f"  {check.health:<8} {check.name:<{width}}  {detail}".rstrip()


def _machine(settings: Settings) -> Iterator[Check]:
    yield Check("machine", "medloop", Health.GOOD, medloop.__version__)
    yield Check(
        "machine", "python", Health.GOOD, f"{platform.python_version()} {sys.executable}"
    )
    yield Check(
        "machine", "system", Health.GOOD, f"{platform.platform()}, {os.cpu_count()} cores"
    )
    where = next(place for place in (settings.home, *settings.home.parents) if place.exists())
    if os.access(where, os.W_OK):
        yield Check("machine", "store", Health.GOOD, str(settings.home))
    else:
        yield Check(
            "machine",
            "store",
            Health.MISSING,
            str(settings.home),
            "not writable: set MEDLOOP_HOME",
        )


def _packages() -> Iterator[Check]:
    """Check what is required; a package that several extras want is told once if it is here."""
    here = set()
    for text in importlib.metadata.requires("medloop") or []:
        requirement, _, marker = text.partition(";")
        name = requirement.strip().split("[")[0]
        name = name[: next((at for at, c in enumerate(name) if c in "<>=!~ "), len(name))]
        extra = marker.split("extra ==")[-1].strip(" '\"") if "extra ==" in marker else ""
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if extra:
                advice = f"for {extra}: pip install 'medloop[{extra}]'"
                yield Check("packages", name, Health.OPTIONAL, "", advice)
            elif not marker:
                advice = f"pip install '{requirement.strip()}'"
                yield Check("packages", name, Health.MISSING, "", advice)
        else:
            if name not in here:
                yield Check("packages", name, Health.GOOD, version)
            here.add(name)


def _decoders() -> Iterator[Check]:
    from medloop.dicom.decoders import decodings

    known = decodings()
    for decoding in known:
        if decoding.plugins:
            detail = f"{decoding.name}: {', '.join(decoding.plugins)}"
            yield Check("decoders", decoding.uid, Health.GOOD, detail)
        elif decoding.missing:
            advice = decoding.missing[0]
            yield Check("decoders", decoding.uid, Health.OPTIONAL, decoding.name, advice)
    without = sum(not decoding.plugins and not decoding.missing for decoding in known)
    why = f"{without} transfer syntaxes (video, JPIP, JPEG 2000 part 2) have no decoder"
    yield Check("decoders", "others", Health.OPTIONAL, why)


def _reports() -> Iterator[Check]:
    for library, package in REPORT_LIBRARIES:
        try:
            ctypes.CDLL(library)
        except OSError:
            advice = f"report.pdf needs it: apt-get install {package}"
            yield Check("reports", library, Health.MISSING, "", advice)
        else:
            yield Check("reports", library, Health.GOOD)
    font = _chinese_font()
    advice = "" if font else "Chinese reports need one: apt-get install fonts-noto-cjk"
    yield Check(
        "reports", "Chinese font", Health.GOOD if font else Health.OPTIONAL, font, advice
    )


def _chinese_font() -> str:
    """Return a font with Chinese letters, or nothing."""
    if CHINESE_FONTS.is_file():
        return str(CHINESE_FONTS)
    program = shutil.which("fc-list")
    if program is None:
        return ""
    listed = subprocess.run(  # noqa: S603 (a fixed command)
        [program, ":lang=zh-cn", "file"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return listed.stdout.split(":")[0].strip()


def _engines() -> Iterator[Check]:
    from onnxruntime import get_available_providers

    providers = ", ".join(get_available_providers())
    yield Check("engines", "onnxruntime", Health.GOOD, providers)
    if importlib.util.find_spec("openvino") is None:
        yield Check(
            "engines", "openvino", Health.OPTIONAL, "", "faster on x86: pip install openvino"
        )
        return
    from openvino import Core

    yield Check("engines", "openvino", Health.GOOD, ", ".join(Core().available_devices))


def _measured(settings: Settings) -> Iterator[Check]:
    from medloop.models.engines import Machine
    from medloop.models.measured import Memory

    machine = Machine.here()
    advice = "" if machine.has_bf16 else "FP32 alone, and INT8 where a bundle has it"
    health = Health.GOOD if machine.has_bf16 else Health.OPTIONAL
    yield Check("engines", "BF16", health, machine.processor, advice)
    for each in Memory(settings.measured).all():
        yield Check("measured", each.subject.bundle, Health.GOOD, each.told())


def _bundles(settings: Settings) -> Iterator[Check]:
    from medloop.apps.bundles import list_bundles

    for listed in list_bundles(settings):
        health = Health.MISSING if listed.problem else Health.GOOD
        detail = (
            listed.problem or f"{listed.version}, {listed.kind}, sha256 {listed.sha256[:16]}"
        )
        yield Check("bundles", listed.name, health, detail)


def _analyses(bundles: tuple[Check, ...]) -> Iterator[Check]:
    sound = {check.name for check in bundles if check.health is Health.GOOD}
    for name, offer in OFFERS.items():
        lacking = [bundle for bundle in offer.bundles if bundle not in sound]
        needs = f"needs {', '.join(offer.bundles)}"
        advice = f"without {', '.join(lacking)}" if lacking else ""
        yield Check("analyses", name, Health.MISSING if lacking else Health.GOOD, needs, advice)
