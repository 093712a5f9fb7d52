"""Tables of a settings file as frozen dataclasses: a field is a key, its type its kind."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import TypeVar, Union, get_args, get_origin, get_type_hints

from medloop.apps.console import UsageError

T = TypeVar("T")
_PORTS = range(65536)
_NAMES: Mapping[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a path",
}


def read_section(kind: type[T], table: object, where: str, base: Path) -> T:
    """Build a dataclass of a TOML table; `where` names the table in messages.

    Known types: text, numbers, bool, `Path` (relative ones start at `base`), `StrEnum`, tuples
    of these, tables of any of them, other dataclasses, and each of them or None.

    Raises
    ------
    UsageError
        If a key is unknown or missing, or a value is not of its type.
    """
    if not isinstance(table, dict):
        raise UsageError(f"{where} must be a table")
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # is one
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: unknown key {key!r}; known are {', '.join(known)}")
    for name, field in known.items():
        is_needed = field.default is MISSING and field.default_factory is MISSING
        if is_needed and name not in table:
            raise UsageError(f"{where} needs {name}")
    values = {
        key: read_value(hints[key], value, f"{where}: {key}", base)
        for key, value in table.items()
    }
    try:
        return kind(**values)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def read_value(kind: object, value: object, where: str, base: Path) -> object:
    """Check one value against the type of its field; raises as `read_section` does."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        options = [option for option in get_args(kind) if option is not NoneType]
        return read_value(options[0], value, where, base)
    if origin is tuple:
        return _tuple(get_args(kind)[0], value, where, base)
    if origin is Mapping:
        return _mapping(get_args(kind)[1], value, where, base)
    if not isinstance(kind, type):
        raise TypeError(f"{where}: no field may be of type {kind}")
    if is_dataclass(kind):
        return read_section(kind, value, where, base)
    if issubclass(kind, StrEnum):
        return _choice(kind, value, where)
    return _plain(kind, value, where, base)


def _plain(kind: type, value: object, where: str, base: Path) -> object:
    if kind is Path and isinstance(value, str) and value:
        return base / Path(value).expanduser()
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise UsageError(f"{where} must be {_NAMES[kind]}, got {type(value).__name__}")
    return value


def _tuple(kind: object, value: object, where: str, base: Path) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise UsageError(f"{where} must be a list, got {type(value).__name__}")
    return tuple(read_value(kind, each, where, base) for each in value)


def _mapping(kind: object, value: object, where: str, base: Path) -> dict[str, object]:
    if not isinstance(value, dict):
        raise UsageError(f"{where} must be a table, got {type(value).__name__}")
    return {key: read_value(kind, each, f"{where}.{key}", base) for key, each in value.items()}


def _choice(kind: type[StrEnum], value: object, where: str) -> StrEnum:
    known = [each.value for each in kind]
    if value not in known:
        raise UsageError(f"{where} must be one of {', '.join(known)}, got {value!r}")
    return kind(str(value))


def require_port(port: int) -> None:
    """Raise `UsageError` unless it is a port; 0 takes any that is free."""
    if port not in _PORTS:
        raise UsageError(f"port {port} is not between 0 and 65535")


def require_positive(**values: float) -> None:
    """Raise `UsageError` unless all are above 0."""
    for key, value in values.items():
        if not value > 0:
            raise UsageError(f"{key} {value:g} is not above 0")


def require_pair(certificate: Path | None, key: Path | None) -> None:
    """Raise `UsageError` if only one of the two files is named."""
    if (certificate is None) is not (key is None):
        raise UsageError("a TLS certificate and its key belong together")
