"""Which rules a report is by: tables, words and arithmetic of the clinical questions."""

import functools
import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable


@functools.cache
def rules_sha256() -> str:
    """Name the rules that run, by the content of this package.

    Any change of a table, a limit or a sentence gives another name.
    """
    found = hashlib.sha256()
    for name, data in sorted(_parts(files("medloop.clinical"), "")):
        found.update(f"{name} {len(data)}\n".encode())
        found.update(data)
    return found.hexdigest()


def _parts(folder: Traversable, place: str) -> list[tuple[str, bytes]]:
    parts = []
    for each in folder.iterdir():
        name = f"{place}/{each.name}"
        if each.is_dir():
            parts += _parts(each, name)
        elif each.name.endswith((".py", ".json")):
            parts.append((name, each.read_bytes()))
    return parts
