"""The web application: routers put together behind one gate."""

from collections.abc import Callable, Iterable
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

import medloop
from medloop.apps.web import (
    account,
    adjudicate,
    agreement,
    audit,
    destinations,
    dicomweb,
    health,
    images,
    jobs,
    links,
    login,
    mask_files,
    metrics,
    models,
    monailabel,
    new_password,
    openid_login,
    reading_page,
    readings,
    refining,
    reports,
    static_files,
    studies,
    system,
    uploads,
    users,
    viewer,
    worklist,
)
from medloop.apps.web.context import Context
from medloop.apps.web.errors import add_error_answers
from medloop.apps.web.headers import SafeHeaders
from medloop.apps.web.limits import BodyLimit
from medloop.apps.web.security import is_guarded

# Each module of this folder that has routes offers `router(context) -> APIRouter`.
ROUTERS: Final[tuple[Callable[[Context], APIRouter], ...]] = (
    health.router,
    login.router,
    new_password.router,
    openid_login.router,
    account.router,
    dicomweb.router,
    uploads.router,
    images.router,
    reading_page.router,
    readings.router,
    mask_files.router,
    refining.router,
    reports.router,
    viewer.router,
    static_files.router,
    worklist.router,
    studies.router,
    models.router,
    jobs.router,
    audit.router,
    users.router,
    destinations.router,
    system.router,
    monailabel.router,
    adjudicate.router,
    agreement.router,
    links.router,
)
# Routes that answer anybody: none has patients' data.
PUBLIC: Final = frozenset(
    {
        "/healthz",
        "/readyz",
        "/login",
        "/login/new",
        "/login/openid",
        "/login/callback",
        "/static/{path:path}",
        "/monailabel/auth/",
        "/monailabel/auth/token",
        "/monailabel/datastore/image",  # asks for a ticket, or who is there, itself
    }
)
# What is compressed already, or so large that compressing it takes longer than a network.
UNCOMPRESSED: Final = (
    *DEFAULT_EXCLUDED_CONTENT_TYPES,
    "application/dicom",
    "application/dicom+json",
    "application/octet-stream",
    "application/pdf",
    "image/*",
    "multipart/related",
)


def create_app(
    context: Context, routers: Iterable[Callable[[Context], APIRouter]] = ROUTERS
) -> FastAPI:
    """Put the routers together.

    Raises
    ------
    ValueError
        If a route neither has a `require` nor is public on purpose.
    """
    app = FastAPI(
        title="medloop",
        version=medloop.__version__,
        docs_url=None,  # the pages of FastAPI load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
    )
    app.state.context = context
    meters, took = metrics.meters_of(context)
    offered = [metrics.router(meters), *(make(context) for make in routers)]
    for router in offered:
        for route in router.routes:
            path = getattr(route, "path", "?")
            is_safe = isinstance(route, APIRoute) and is_guarded(route)
            if not is_safe and path not in PUBLIC:
                raise ValueError(f"route {path} asks nobody who they are")
            app.router.routes.append(route)
    add_error_answers(app)
    app.add_middleware(GZipMiddleware, compresslevel=5, exclude_content_types=UNCOMPRESSED)
    app.add_middleware(BodyLimit, default_bytes=context.site.web.max_body_mb << 20)
    app.add_middleware(metrics.Watched, took=took)
    app.add_middleware(SafeHeaders, is_secure=context.site.web.is_secure)
    return app
