"""Our own style sheets, scripts and pictures, at addresses that change with their contents.

The version stands in the path, ``/static/v-0123456789ab/read/main.js``, so that a module's
relative imports keep it: browsers ask for a file once and never again until a file changes.
"""

import hashlib
import posixpath
import re
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse

from medloop.apps.web.context import Context

FOLDER: Final = Path(__file__).parent / "static"
PLACE: Final = "/static/"
KINDS: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
_IMPORTED: Final = re.compile(
    r"""^(?:import|export)\b[^;'"]*?["'](\.{1,2}/[^"']+)["']""", re.MULTILINE
)
_FOR_EVER: Final = "public, max-age=31536000, immutable"


def router(_context: Context) -> APIRouter:
    """Serve the files; none has patients' data, so anybody may."""
    routes = APIRouter(include_in_schema=False)

    @routes.get(PLACE + "{path:path}")
    def file(request: Request, path: str) -> Response:
        """Answer with one file; for ever under its version, until tomorrow without."""
        first, _, rest = path.partition("/")
        is_versioned = first == f"v-{version()}"
        name = rest if first.startswith("v-") else path
        found = _files().get(name)
        if found is None:
            raise HTTPException(404, "no such file")
        kept = _FOR_EVER if is_versioned else "no-cache"
        tag = f'"{version()}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag, "Cache-Control": kept})
        headers = {"Cache-Control": kept, "ETag": tag}
        return FileResponse(found, media_type=KINDS[found.suffix], headers=headers)

    return routes


def static_address(path: str) -> str:
    """Return where a page finds a file of the folder.

    Raises
    ------
    ValueError
        If there is no such file.
    """
    if path not in _files():
        raise ValueError(f"no static file {path}")
    return f"{PLACE}v-{version()}/{path}"


@cache
def module_addresses(*paths: str) -> tuple[str, ...]:
    """Return where modules are, with all that they import: a page asks for all at once.

    Asked for one after the other, each depth of imports takes a round trip.

    Raises
    ------
    ValueError
        If there is no such file.
    """
    found: dict[str, None] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        found[path] = None
        source = _files().get(path)
        if source is None:
            raise ValueError(f"no static file {path}")
        folder = posixpath.dirname(path)
        waiting += [
            posixpath.normpath(posixpath.join(folder, named))
            for named in _IMPORTED.findall(source.read_text(encoding="utf-8"))
        ]
    return tuple(static_address(path) for path in found)


@cache
def version() -> str:
    """Return a name for what all files hold."""
    whole = hashlib.sha256()
    for name, path in sorted(_files().items()):
        whole.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:12]


@cache
def _files() -> dict[str, Path]:
    """List the files by the names pages know; nothing else is ever answered."""
    return {
        path.relative_to(FOLDER).as_posix(): path
        for path in FOLDER.rglob("*")
        if path.suffix in KINDS and path.is_file()
    }
