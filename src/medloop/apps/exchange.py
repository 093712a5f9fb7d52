"""``medloop models import|export``: bundles of other programs in, ours out to them."""

import importlib.util
import shutil
import uuid
from pathlib import Path

from medloop.apps.bundles import find_bundle
from medloop.apps.console import Exit, UsageError, note, say
from medloop.apps.settings import Settings
from medloop.core.errors import InputError, ServiceError
from medloop.models.bundle import Bundle
from medloop.models.monai_export import write_monai_bundle


def bring_in(source: Path, out: Path | None, *, orientation: str | None) -> Exit:
    """Turn a MONAI bundle or an nnU-Net results folder into a bundle at `out`.

    Raises
    ------
    UsageError
        If `out` is missing or taken.
    InputError
        If the source is damaged, or asks for what a plan cannot say.
    ServiceError
        If torch is not installed.
    """
    if out is None:
        raise UsageError("models import needs -o BUNDLE, the folder to make")
    if out.exists():
        raise UsageError(f"{out} is there already: import into another folder")
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    if importlib.util.find_spec("torch") is None:
        raise ServiceError("importing needs torch: pip install 'medloop[train]'")
    from medloop.learning.imports.bring import bring

    bundle = bring(source, out, orientation=orientation)
    for line in bundle.card["limits"]:
        note(str(line))
    say(str(out))
    return Exit.DONE


def hand_out(name: str, settings: Settings, *, monai: Path | None, onnx: Path | None) -> Exit:
    """Write a bundle as a MONAI bundle, its network as plain ONNX, or both.

    Raises
    ------
    UsageError
        If neither is asked for, or a target is there already.
    InputError
        If the bundle is damaged, or MONAI has no words for its plan.
    """
    targets = [target for target in (monai, onnx) if target is not None]
    if not targets:
        raise UsageError("models export needs --monai DIR or --onnx FILE")
    for target in targets:
        if target.exists():
            raise UsageError(f"{target} is there already: export to another place")
    bundle = find_bundle(name, settings)
    if monai is not None:
        write_monai_bundle(bundle, monai)
    if onnx is not None:
        _copy(bundle, onnx)
    for target in targets:
        say(str(target))
    return Exit.DONE


def _copy(bundle: Bundle, target: Path) -> None:
    part = target.with_name(f".{uuid.uuid4().hex}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(bundle.weights, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
