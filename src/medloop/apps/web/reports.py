"""Reports over HTTP: their sentences, a preview, the signature, and what was signed."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi import Path as InPath
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from pydantic import BaseModel, Field

from medloop.apps.web.context import Context
from medloop.apps.web.images import PRIVATE
from medloop.apps.web.login import require_password_rate
from medloop.apps.web.pages import language_of
from medloop.apps.web.passwords import LONGEST
from medloop.apps.web.reading_access import seen_reading
from medloop.apps.web.reporting import LINKED, Asked, Counter, counter_of
from medloop.apps.web.security import Permission, Principal, require
from medloop.clinical.report.language import Language
from medloop.core.attestation import Meaning
from medloop.workflow.basis import PARTS

_MOST: Final = 2**31 - 1
# A report has styles of its own inside and nothing that runs; only our pages may frame it.
_SHEET: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'; sandbox allow-same-origin"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    **PRIVATE,
}
_KINDS: Final = {
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "dcm": "application/dicom",
    "json": "application/json",
}

Reader = Annotated[Principal, Depends(require(Permission.READ))]
Signer = Annotated[Principal, Depends(require(Permission.SIGN))]
Number = Annotated[int, InPath(ge=1, le=_MOST)]
_Short = Annotated[str, Field(max_length=64)]
Seen = Annotated[dict[_Short, _Short], Field(max_length=len(PARTS))]


class Signature(BaseModel):
    """What is signed: `text` is what an addendum says, `expected` the last edit one saw.

    `seen` is the `basis` of the report as one looked at it; what is left out is not compared.
    """

    password: Annotated[str, Field(max_length=4 * LONGEST)]
    meaning: Meaning
    language: Language = Language.ENGLISH
    text: Annotated[str, Field(max_length=20_000)] = ""
    expected: Annotated[int, Field(ge=0, le=_MOST)]
    seen: Seen = Field(default_factory=dict)


def router(context: Context) -> APIRouter:
    """Offer reports."""
    routes = APIRouter(prefix="/api/readings/{number}", tags=["reports"])
    counter = counter_of(context)
    _add_looks(routes, counter)
    _add_signing(routes, counter)
    return routes


def _add_looks(routes: APIRouter, counter: Counter) -> None:
    @routes.get("/report", responses={403: {}, 404: {}})
    def report(request: Request, who: Reader, number: Number) -> Response:
        """Tell the sentences of a reading, its conclusion, and its signed versions."""
        told = counter.told(who, number, language_of(request))
        return JSONResponse(told, headers=PRIVATE)

    @routes.get("/preview", responses={403: {}, 404: {}})
    def preview(request: Request, who: Reader, number: Number) -> Response:
        """Show the report as it would be signed now; it says that nobody has."""
        language = language_of(request)
        page = counter.preview(who, number, language)
        return HTMLResponse(page, headers={**_SHEET, "Content-Language": language.value})

    @routes.get("/versions/{version}/{name}", responses={403: {}, 404: {}})
    def product(who: Reader, number: Number, version: Number, name: str) -> Response:
        """Give a document of what was signed."""
        context = counter.context
        reading = seen_reading(context, who, number)
        found = context.store.readings.versions(number)
        signed = next((each for each in found if each.number == version), None)
        if signed is None or name not in LINKED or name not in signed.products:
            raise HTTPException(404, "there is no such document of this reading")
        file = context.store.results_folder / signed.folder / name
        if not file.is_file():
            raise HTTPException(404, "the document is gone")
        context.trail.saw(who.name, reading.study)
        kind = _KINDS[name.rpartition(".")[2]]
        headers = _SHEET if name.endswith(".html") else PRIVATE
        return FileResponse(file, media_type=kind, headers=headers)


def _add_signing(routes: APIRouter, counter: Counter) -> None:
    @routes.post("/sign", responses={403: {}, 404: {}, 409: {}, 422: {}, 429: {}})
    def sign(request: Request, who: Signer, number: Number, wanted: Signature) -> Response:
        """Sign one's reading with one's password; its documents follow within seconds."""
        require_password_rate(counter.context, who)
        asked = Asked(
            meaning=wanted.meaning,
            language=wanted.language,
            told=language_of(request),
            addendum=wanted.text,
            expected=wanted.expected,
            seen=wanted.seen,
        )
        counter.sign(who, number, asked, password=wanted.password)
        told = counter.told(who, number, language_of(request))
        return JSONResponse(told, headers=PRIVATE)

    @routes.post("/versions/{version}/again", responses={403: {}, 404: {}, 409: {}})
    def again(request: Request, who: Signer, number: Number, version: Number) -> Response:
        """Let documents that could not be made be made again."""
        counter.again(who, number, version)
        told = counter.told(who, number, language_of(request))
        return JSONResponse(told, headers=PRIVATE)
