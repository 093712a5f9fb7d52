"""Settings of one site: a TOML file, overruled by MEDLOOP_* variables; read nowhere else."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from medloop.apps.console import UsageError

LANGUAGES = ("en", "zh")
PRECISIONS = ("auto", "fp32", "bf16", "int8")
SWITCH = ("no", "yes")
# Tables of the same file that tell the node about its site; `site` reads them.
SECTIONS = (
    "dicom",
    "web",
    "receive",
    "users",
    "archive",
    "jobs",
    "audit",
    "reading",
    "organization",
    "destination",
    "source",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are kept and how analyses run unless a flag says otherwise.

    `home` holds the store and installed bundles. An empty `database` means SQLite in `home`.
    `four_class` adds the four-class grade to `retina`.
    """

    home: Path
    database: str = ""
    language: str = "en"
    precision: str = "auto"
    four_class: str = "no"

    def __post_init__(self) -> None:
        _one_of("language", self.language, LANGUAGES)
        _one_of("precision", self.precision, PRECISIONS)
        _one_of("four_class", self.four_class, SWITCH)

    @property
    def bundles(self) -> Path:
        """Folder of installed bundles, one folder each."""
        return self.home / "bundles"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that give another process the same settings."""
        return {
            f"MEDLOOP_{each.name.upper()}": str(getattr(self, each.name))
            for each in fields(self)
        }

    @property
    def measured(self) -> Path:
        """File of what was measured on this machine: which precision is fastest."""
        return self.home / "measured.json"


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file, then MEDLOOP_<KEY> for each setting.

    The file is MEDLOOP_CONFIG, or ``medloop/medloop.toml`` in the user's configuration folder;
    only a file named by MEDLOOP_CONFIG must exist.

    Raises
    ------
    UsageError
        If the file cannot be read, or holds a key or value that means nothing.
    """
    variables = os.environ if environment is None else environment
    settings = Settings(
        home=_user_folder(variables, "XDG_DATA_HOME", ".local/share") / "medloop"
    )
    file, values = read_settings_file(variables)
    keys = [field.name for field in fields(Settings)]
    values = {key: value for key, value in values.items() if key not in SECTIONS}
    for key, value in values.items():
        if key not in keys:
            known = ", ".join((*keys, *(f"[{name}]" for name in SECTIONS)))
            raise UsageError(f"{file}: unknown setting {key!r}; known are {known}")
        if not isinstance(value, str):
            raise UsageError(f"{file}: {key} must be text, got {value!r}")
    chosen = {key: str(value) for key, value in values.items()}
    chosen |= {
        key: variables[name] for key in keys if (name := f"MEDLOOP_{key.upper()}") in variables
    }
    home = Path(chosen.pop("home", settings.home)).expanduser()
    return replace(settings, home=home, **chosen)


def read_settings_file(variables: Mapping[str, str]) -> tuple[Path, dict[str, object]]:
    """Find the settings file and parse it; nothing stands in one that is not there.

    Raises
    ------
    UsageError
        If it cannot be read, or MEDLOOP_CONFIG names none.
    """
    named = variables.get("MEDLOOP_CONFIG")
    file = (
        Path(named)
        if named
        else _user_folder(variables, "XDG_CONFIG_HOME", ".config") / "medloop/medloop.toml"
    )
    return file, _read(file) if named or file.is_file() else {}


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from error


def _user_folder(variables: Mapping[str, str], name: str, otherwise: str) -> Path:
    return Path(variables[name]) if variables.get(name) else Path.home() / otherwise


def _one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{key} must be one of {', '.join(known)}, got {value!r}")
