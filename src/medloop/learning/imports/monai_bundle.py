"""MONAI bundles: what their configuration says, as a plan, without running any of it.

Only plain values and references to them are read; an expression (``$...``) where a value is
needed is refused (MONAI bundle specification).
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medloop.core.errors import InputError, ServiceError
from medloop.learning.imports.frame import Frame, frame_of
from medloop.learning.imports.monai_network import Loaded, load_network
from medloop.learning.imports.source import FREE, Foreign, read_json
from medloop.models.architecture import Architecture, Kind
from medloop.models.bundle import sha256_of
from medloop.models.segmentation_plan import Intensity, SegmentationPlan

_CONFIGS = ("inference.json", "inference.yaml", "inference.yml")
_CHAINS = ("preprocessing", "preprocessing_transforms", "pre_transforms")
_REFERENCE = re.compile(r"\$?@([A-Za-z0-9_:#]+)")
_NO_CHANGE = ("LoadImage", "EnsureChannelFirst", "EnsureType", "ToTensor", "CastToType")


@dataclass(frozen=True, slots=True)
class Config:
    """An inference configuration, its references followed on demand."""

    raw: Mapping[str, Any]
    path: Path

    def plain(self, value: Any, *, depth: int = 0) -> Any:  # noqa: ANN401 (an open document)
        """Follow references in a value; `InputError` names an expression."""
        if depth > 20:
            raise InputError(f"{self.path} refers to itself")
        if isinstance(value, str):
            if match := _REFERENCE.fullmatch(value):
                return self.plain(self.at(match.group(1)), depth=depth + 1)
            if value.startswith(("$", "%", "@")):
                raise InputError(f"{self.path} has the expression {value!r}, which is not run")
            return value
        if isinstance(value, Mapping):
            return {key: self.plain(part, depth=depth + 1) for key, part in value.items()}
        if isinstance(value, list):
            return [self.plain(part, depth=depth + 1) for part in value]
        return value

    def at(self, name: str) -> Any:  # noqa: ANN401 (an open document)
        """Look up ``a::b`` or ``a#b``."""
        found: Any = self.raw
        for key in re.split(r"::|#", name):
            try:
                found = found[int(key)] if isinstance(found, list) else found[key]
            except (KeyError, IndexError, TypeError, ValueError) as why:
                raise InputError(f"{self.path} refers to {name!r}, which is not there") from why
        return found


@dataclass(slots=True)
class _Steps:
    """What preprocessing does, gathered step by step."""

    letters: str = ""
    spacing_mm: tuple[float, ...] = ()
    low: float = -FREE
    high: float = FREE
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    is_own: bool = False
    done: set[str] = field(default_factory=set)


def read_monai_bundle(folder: Path, *, orientation: str | None = None) -> Foreign:
    """Read a bundle that segments volumes.

    `orientation` is where the axes of stored images run, if nothing in it turns them.

    Raises
    ------
    InputError
        If a file is damaged, or something is asked for that a plan cannot say.
    ServiceError
        If MONAI, or PyYAML for a YAML configuration, is not installed.
    """
    metadata, config = read_json(folder / "configs" / "metadata.json"), _config(folder)
    try:
        channels, classes = _channels(metadata, config)
        steps = _steps(config, len(channels))
        if steps.letters and orientation:
            raise InputError(f"{config.path} turns images to {steps.letters} itself")
        letters = steps.letters or orientation
        if not letters:
            raise InputError(f"{config.path} has no Orientationd: say --orientation")
        frame = frame_of(letters)
        patch, overlap = _window(config)
        loaded = load_network(folder, config.plain, config.raw)
        plan = _plan(channels, classes, steps, patch=patch, overlap=overlap, frame=frame)
    except (KeyError, TypeError, AttributeError, ValueError) as why:
        raise InputError(f"{folder} is no MONAI bundle: {type(why).__name__} {why}") from why
    return _foreign(folder, metadata, loaded, plan, frame)


def _foreign(
    folder: Path,
    metadata: Mapping[str, Any],
    loaded: Loaded,
    plan: SegmentationPlan,
    frame: Frame,
) -> Foreign:
    name = str(metadata.get("name") or folder.resolve().name)
    version = str(metadata.get("version", "0"))
    limits = ["nothing was measured here: measure it on data of your own"]
    if any(each.own for each in plan.intensities):
        limits.append(
            "volumes over a quarter of which is 0 are scaled by their other voxels, before they"
            " are resampled; MONAI takes all voxels, after"
        )
    return Foreign(
        networks=(loaded.network,),
        plan=plan,
        frame=frame,
        title=str(metadata.get("description") or name),
        version=version,
        license=str(metadata.get("license") or metadata.get("copyright") or "not known here"),
        origin=f"MONAI bundle {name} {version}",
        limits=tuple(limits),
        files={loaded.path.name: sha256_of(loaded.path)},
        is_script=loaded.is_script,
    )


def _config(folder: Path) -> Config:
    for name in _CONFIGS:
        path = folder / "configs" / name
        if not path.is_file():
            continue
        if path.suffix == ".json":
            return Config(read_json(path), path)
        return Config(_yaml(path), path)
    raise InputError(f"{folder / 'configs'} has none of {', '.join(_CONFIGS)}")


def _yaml(path: Path) -> Mapping[str, Any]:
    try:
        import yaml  # type: ignore[import-untyped] # noqa: PLC0415 (only some bundles need it)
    except ImportError as why:
        raise ServiceError(f"{path} needs PyYAML: pip install pyyaml") from why
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as why:
        raise InputError(f"{path} is not YAML: {type(why).__name__}") from why
    if not isinstance(raw, dict):
        raise InputError(f"{path} holds no mapping")
    return raw


def _channels(metadata: Mapping[str, Any], config: Config) -> tuple[list[str], list[str]]:
    """Names of the input's channels and of the classes, and that classes exclude each other."""
    data = metadata["network_data_format"]
    image, answer = (next(iter(data[key].values())) for key in ("inputs", "outputs"))
    channels, classes = (_names(each) for each in (image, answer))
    if len(classes) < 2:
        raise InputError("one output channel: known are background and one channel a class")
    for step in _chain(config, ("postprocessing", "postprocessing_transforms")):
        name = _kind(step)
        if name == "Activations" and step.get("sigmoid"):
            raise InputError("sigmoid: its classes overlap, which no plan can say")
    return channels, classes[1:]


def _names(described: Mapping[str, Any]) -> list[str]:
    count = int(described["num_channels"])
    told = described.get("channel_def") or {}
    return [str(told.get(str(n)) or f"channel {n}") for n in range(count)]


def _chain(config: Config, keys: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the steps of the first of these keys that is there, as they are written."""
    found: Any = next((config.raw[key] for key in keys if key in config.raw), [])
    while isinstance(found, str) and (match := _REFERENCE.fullmatch(found)):
        found = config.at(match.group(1))
    steps = found.get("transforms", []) if isinstance(found, Mapping) else found
    while isinstance(steps, str) and (match := _REFERENCE.fullmatch(steps)):
        steps = config.at(match.group(1))
    if not isinstance(steps, list):
        raise InputError(f"{config.path} has {steps!r} for {keys[0]}, which is not run")
    for step in steps:
        if not isinstance(step, Mapping) or not isinstance(step.get("_target_"), str):
            raise InputError(f"{config.path} has a step {step!r} that names no transform")
        if step.get("_disabled_") is not True:
            yield step


def _kind(step: Mapping[str, Any]) -> str:
    """Name a transform without its path and the D of those for dictionaries."""
    return re.sub(r"(d|D|Dict)$", "", str(step["_target_"]).rpartition(".")[2])


def _steps(config: Config, channels: int) -> _Steps:
    out = _Steps()
    readers = {
        "Orientation": _orientation,
        "Spacing": _spacing,
        "ScaleIntensityRange": _range,
        "NormalizeIntensity": _normalize,
    }
    for step in _chain(config, _CHAINS):
        name = _kind(step)
        if name in _NO_CHANGE:
            continue
        if name not in readers:
            raise InputError(f"{config.path} preprocesses by {name}, which no plan can say")
        is_late = name == "ScaleIntensityRange" and "NormalizeIntensity" in out.done
        if name in out.done or is_late:
            raise InputError(f"{config.path} has {name} twice, or after NormalizeIntensity")
        told = config.plain({key: value for key, value in step.items() if key[0] != "_"})
        readers[name](out, told, channels)
        out.done.add(name)
    if not out.spacing_mm:
        raise InputError(f"{config.path} has no Spacingd: the network's spacing is not known")
    return out


def _orientation(out: _Steps, told: Mapping[str, Any], _channels: int) -> None:
    if told.get("as_closest_canonical"):
        out.letters = "RAS"
    elif "labels" in told and told["labels"] is not None:
        raise InputError("Orientationd with labels of its own")
    else:
        out.letters = str(told["axcodes"])


def _spacing(out: _Steps, told: Mapping[str, Any], _channels: int) -> None:
    pixdim = told["pixdim"]
    steps = (
        [float(pixdim)] * 3 if isinstance(pixdim, int | float) else [float(p) for p in pixdim]
    )
    if len(steps) != 3 or not all(math.isfinite(step) and step > 0 for step in steps):
        raise InputError(f"Spacingd to {pixdim}: known are three lengths")
    mode = told.get("mode", "bilinear")
    modes = [mode] if isinstance(mode, str | int) else list(mode)
    if modes[0] not in ("bilinear", "trilinear", "linear", 1):
        raise InputError(f"Spacingd by {modes[0]}, known: bilinear")
    out.spacing_mm = tuple(steps)


def _range(out: _Steps, told: Mapping[str, Any], channels: int) -> None:
    low, high = float(told["a_min"]), float(told["a_max"])
    if told.get("b_min") is None or told.get("b_max") is None or not high > low:
        raise InputError(f"ScaleIntensityRanged from {low} ... {high} to nothing")
    first, last = float(told["b_min"]), float(told["b_max"])
    if not last > first:
        raise InputError(f"ScaleIntensityRanged to {first} ... {last}")
    deviation = (high - low) / (last - first)
    out.mean = (low - first * deviation,) * channels
    out.deviation = (deviation,) * channels
    if told.get("clip"):
        out.low, out.high = low, high


def _normalize(out: _Steps, told: Mapping[str, Any], channels: int) -> None:
    if told.get("nonzero"):
        raise InputError(
            "NormalizeIntensityd with nonzero leaves 0 as 0, which no plan can say"
        )
    less, over = told.get("subtrahend"), told.get("divisor")
    if less is None and over is None:
        if channels > 1 and not told.get("channel_wise"):
            raise InputError("NormalizeIntensityd over all channels together")
        out.is_own = True
        return
    if less is None or over is None or out.mean:
        raise InputError(
            "NormalizeIntensityd by one of subtrahend and divisor, or after a range"
        )
    out.mean, out.deviation = _by_channel(less, channels), _by_channel(over, channels)


def _by_channel(told: float | Sequence[float], channels: int) -> tuple[float, ...]:
    values = [told] * channels if isinstance(told, int | float) else list(told)
    if len(values) != channels:
        raise InputError(
            f"NormalizeIntensityd has {len(values)} values for {channels} channels"
        )
    return tuple(float(value) for value in values)


def _window(config: Config) -> tuple[tuple[int, ...], float]:
    inferer = config.raw.get("inferer")
    if not isinstance(inferer, Mapping) or "roi_size" not in inferer:
        raise InputError(f"{config.path} has no inferer with roi_size")
    told = config.plain(
        {key: inferer[key] for key in ("roi_size", "overlap") if key in inferer}
    )
    size = told["roi_size"]
    patch = (int(size),) * 3 if isinstance(size, int) else tuple(int(side) for side in size)
    overlap = float(told.get("overlap", 0.25))
    if len(patch) != 3 or min(patch) < 1 or not 0 <= overlap < 1:
        raise InputError(f"windows of {size} that overlap by {overlap}: known are three sides")
    return patch, overlap


def _plan(
    channels: Sequence[str],
    classes: Sequence[str],
    steps: _Steps,
    *,
    patch: tuple[int, ...],
    overlap: float,
    frame: Frame,
) -> SegmentationPlan:
    count = len(channels)
    means, deviations = steps.mean or (0.0,) * count, steps.deviation or (1.0,) * count
    own = steps.is_own
    return SegmentationPlan(
        channels=tuple(channels),
        classes=tuple(classes),
        spacing_mm=frame.ours(steps.spacing_mm),
        patch=frame.ours(patch),
        intensities=tuple(
            Intensity(steps.low, steps.high, 0.0 if own else m, 1.0 if own else d, own=own)
            for m, d in zip(means, deviations, strict=True)
        ),
        architecture=Architecture(Kind.FOREIGN, 3, count, len(classes) + 1),
        overlap=overlap,
        spread=False,  # MONAI's windows keep their step, and the last one ends at the border
    )
