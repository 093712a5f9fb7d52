"""The map back from pseudonyms to people: encrypted, apart from the data, appended to.

Each line is one Fernet token (AES-128-CBC with HMAC-SHA256) over a JSON object. Whoever has the
key of the job can read it; nobody else learns more than its size.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from medloop.core.errors import InputError, ServiceError
from medloop.dicom.deidentify.keys import Key

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_FIRST_LINE: Final = b"medloop-map-1\n"


def append(path: Path, key: Key, entries: Mapping[str, Mapping[str, str]]) -> None:
    """Add entries, by kind: ``{"patients": {...}, "uids": {...}, "files": {...}}``.

    Raises
    ------
    ServiceError
        If cryptography is not installed.
    """
    token = _fernet(key).encrypt(json.dumps(entries, ensure_ascii=False).encode())
    with path.open("ab") as file:
        if file.tell() == 0:
            path.chmod(0o600)
            file.write(_FIRST_LINE)
        file.write(token + b"\n")


def reveal(path: Path, key: Key) -> Mapping[str, Mapping[str, str]]:
    """Read a map: by kind, what stands in the output to what stood in the input.

    Raises
    ------
    InputError
        If it is no map, or the key is not the one it was made with.
    ServiceError
        If cryptography is not installed.
    """
    found: dict[str, dict[str, str]] = {}
    for entries in _lines(path, key):
        for kind, pairs in entries.items():
            found.setdefault(kind, {}).update(pairs)
    return found


def _lines(path: Path, key: Key) -> Iterator[Mapping[str, Mapping[str, str]]]:
    from cryptography.fernet import InvalidToken  # noqa: PLC0415

    fernet = _fernet(key)
    with path.open("rb") as file:
        if file.readline() != _FIRST_LINE:
            raise InputError("the file is no map of medloop deidentify")
        for line in file:
            if not line.endswith(b"\n"):
                return  # the last line of a run that was killed
            try:
                yield json.loads(fernet.decrypt(line.strip()))
            except InvalidToken as error:
                raise InputError("the map was made with another key, or is damaged") from error


def _fernet(key: Key) -> "Fernet":
    try:
        from cryptography.fernet import Fernet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        text = "cryptography is not installed: pip install 'medloop[deidentify]'"
        raise ServiceError(text) from error
    return Fernet(key.fernet_key())
