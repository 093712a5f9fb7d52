"""The installed viewer, file by file; images it asks for under /dicom-web, as the same user."""

import mimetypes
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.responses import FileResponse

from medloop.apps.viewer import PLACE
from medloop.apps.web.context import Context
from medloop.apps.web.security import Permission, Principal, require

# Beside what every page may: WebAssembly (decoders) and functions compiled in the page (its
# reader of segmentations), styles that React writes into elements,
# workers and pictures made in the page. Nothing from elsewhere, and no script in the page.
CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' blob:",
        "object-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_KINDS: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
}
_DAY_S: Final = 86_400


def viewer_link(study_uid: str) -> str:
    """Return the address that opens a study."""
    return f"{PLACE}viewer?{urlencode({'StudyInstanceUIDs': study_uid})}"


def router(context: Context) -> APIRouter:
    """Serve the files of the viewer; any other address below is a page of it."""
    routes = APIRouter(tags=["viewer"])
    home = context.store.root / "viewer"

    @routes.get(PLACE + "{path:path}")
    def view(
        _principal: Annotated[Principal, Depends(require(Permission.READ))], path: str
    ) -> Response:
        """Open the viewer."""
        return _file(home, path)

    return routes


def _file(home: Path, path: str) -> Response:
    if not (home / "index.html").is_file():
        raise HTTPException(404, "no viewer is installed here: medloop viewer install")
    name = path if "." in path.rpartition("/")[2] else "index.html"
    found = _inside(home, name)
    if found is None:
        raise HTTPException(404, "the viewer has no such file")
    kind = _KINDS.get(found.suffix) or mimetypes.guess_type(found.name)[0]
    is_stable = ".bundle." in found.name or found.suffix in (".wasm", ".woff2", ".png", ".svg")
    kept = f"private, max-age={_DAY_S}" if is_stable else "private, no-cache"
    headers = {"Content-Security-Policy": CONTENT_POLICY, "Cache-Control": kept}
    return FileResponse(found, media_type=kind or "application/octet-stream", headers=headers)


def _inside(home: Path, name: str) -> Path | None:
    """Return a plain file below the folder, whatever the name tries."""
    try:
        root = home.resolve()
        found = (root / name).resolve()
        inside = found.is_relative_to(root) and found.is_file()
    except (OSError, ValueError):
        return None
    return found if inside else None
