"""``medloop models import|export|merge``: other programs' bundles, and adapters."""

import importlib.util
import shutil
import uuid
from pathlib import Path

from medloop.apps.bundles import find_bundle, list_bundles
from medloop.apps.console import Exit, UsageError, note, say
from medloop.apps.output import require_folder
from medloop.apps.settings import Settings
from medloop.core.errors import InputError, ServiceError
from medloop.models.bundle import ADAPTER, Bundle
from medloop.models.monai_export import write_monai_bundle
from medloop.models.triton import write_triton_models


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


def merge_adapters(
    source: Path, out: Path | None, settings: Settings, *, base: str | None
) -> Exit:
    """Make an ordinary bundle of adapters and the bundle they were made on.

    Without `base` it is looked for among the bundles here, by its SHA-256.

    Raises
    ------
    UsageError
        If `out` is missing or taken, or `source` is no file.
    InputError
        If the file holds no adapters, or the weights they were made on are not here.
    ServiceError
        If torch is not installed.
    """
    if out is None:
        raise UsageError("models merge needs -o BUNDLE, the folder to make")
    if out.exists():
        raise UsageError(f"{out} is there already: merge into another folder")
    if not source.is_file():
        raise UsageError(f"{source}: no such file of adapters")
    if importlib.util.find_spec("torch") is None:
        raise ServiceError("merging needs torch: pip install 'medloop[train]'")
    from medloop.learning.base import identity_of, open_base
    from medloop.learning.lora import read_adapters
    from medloop.learning.merge import is_made_on_imagenet, merged_bundle

    path = source / ADAPTER if source.is_dir() else source
    adapters = read_adapters(path)
    if base is not None:
        merged_bundle(path, open_base(find_bundle(base, settings)), out)
    elif is_made_on_imagenet(adapters):
        merged_bundle(path, None, out)
    else:
        here = (find_bundle(each.name, settings) for each in list_bundles(settings))
        made_on = [each for each in here if identity_of(each) == adapters.base_sha256]
        if not made_on:
            raise InputError(
                f"{path} was made on weights {adapters.base_sha256[:12]}..., which no bundle"
                " here has: name the bundle with --base"
            )
        merged_bundle(path, open_base(made_on[0]), out)
    say(str(out))
    return Exit.DONE


def hand_out(
    name: str,
    settings: Settings,
    *,
    monai: Path | None = None,
    onnx: Path | None = None,
    triton: Path | None = None,
) -> Exit:
    """Write a bundle as a MONAI bundle, its network as plain ONNX, its models for Triton.

    Raises
    ------
    UsageError
        If none of these is asked for, or a target is there already.
    InputError
        If the bundle is damaged, MONAI has no words for its plan, or the model repository for
        Triton holds a model of its name.
    """
    targets = [target for target in (monai, onnx) if target is not None]
    if not targets and triton is None:
        raise UsageError("models export needs --monai DIR, --onnx FILE or --triton DIR")
    for target in targets:
        if target.exists():
            raise UsageError(f"{target} is there already: export to another place")
    bundle = find_bundle(name, settings)
    if triton is not None:
        require_folder(triton)
        targets += write_triton_models(bundle, triton)
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
