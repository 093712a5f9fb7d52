"""What a client is told when something is wrong: what it is, and what to do; never a trace.

Programs get JSON, browsers a small page, or the page to sign in.
"""

import logging
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medloop.apps.web.pages import language_of, page
from medloop.apps.web.refusals import in_words_of
from medloop.apps.web.texts import book, text
from medloop.clinical.report.language import Language
from medloop.core.errors import InputError, MedloopError, ServiceError, UnsuitableError

log = logging.getLogger(__name__)
_ADVICE: Final = {
    400: "Correct the request and send it again.",
    401: "Sign in, or send a token: Authorization: Bearer TOKEN.",
    403: "Ask an administrator if your role should be another.",
    404: "Check the address; the worklist shows what is there.",
    405: "Use another method for this address.",
    406: "Ask for one of the media types that are offered.",
    409: "Load the page again: somebody else was faster.",
    413: "Send less at once.",
    415: "Send one of the media types that are understood.",
    422: "Correct the values that are named and send the request again.",
    429: "Wait as long as Retry-After says, then try again.",
    500: "Tell an administrator the number of this incident; the log has more.",
    503: "Try again in a minute; if it lasts, tell an administrator.",
}


def add_error_answers(app: FastAPI) -> None:
    """Let the app answer errors as this module says; call it before other middleware."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(MedloopError, _ours)
    app.add_middleware(Caught)


@dataclass(frozen=True, slots=True)
class Caught:
    """Answers bugs inside of all other middleware, so that the answer has safe headers too."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = has_begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception as error:  # the boundary of a request
            if scope["type"] != "http" or has_begun:
                raise
            await _bug(Request(scope), error)(scope, receive, send)


def answer_error(
    request: Request, status: int, said: str, headers: dict[str, str] | None = None
) -> Response:
    """Build the answer to a request that failed."""
    advice, language = _ADVICE.get(status, ""), language_of(request)
    said = in_words_of(language, said, status)
    if not _is_browser(request):
        told = {"error": said, "status": status, "advice": advice}
        return JSONResponse(told, status, headers=headers)
    if status == 401 and request.method == "GET":
        target = quote(
            f"{request.url.path}{'?' if request.url.query else ''}{request.url.query}"
        )
        return RedirectResponse(f"/login?next={target}", 303)
    name = str(status) if status in _ADVICE else "other"
    title = _of_book("title", name, language)
    advice = _of_book("advice", name, language)
    answer = page(
        request, "error", status, status=status, title=title, said=said, advice=advice
    )
    answer.headers.update(headers or {})
    return answer


def _of_book(part: str, name: str, language: Language) -> str:
    key = f"error.{part}.{name}"
    return text(key if key in book() else f"error.{part}.other", language)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    return answer_error(
        request, error.status_code, str(error.detail), dict(error.headers or {})
    )


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    # Where and what is wrong, but not the value: it may be a patient's name.
    wrong = [
        f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
        for each in error.errors()[:10]
    ]
    return answer_error(request, 422, "; ".join(wrong))


def _ours(request: Request, error: Exception) -> Response:
    if isinstance(error, InputError):
        return answer_error(request, 400, str(error))
    if isinstance(error, UnsuitableError):
        return answer_error(request, 422, str(error))
    if isinstance(error, ServiceError):
        log.warning("%s", error)
        return answer_error(request, 503, str(error), {"Retry-After": "30"})
    return _bug(request, error)


def _bug(request: Request, error: Exception) -> Response:
    incident = secrets.token_hex(4)
    log.error("incident %s in %s", incident, _route(request), exc_info=error)
    return answer_error(request, 500, f"something went wrong here (incident {incident})")


def _route(request: Request) -> str:
    """Name the route by its pattern: an address may hold identifiers."""
    return f"{request.method} {getattr(request.scope.get('route'), 'path', '?')}"


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
