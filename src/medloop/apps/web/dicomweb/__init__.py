"""DICOMweb (PS3.18) over what is stored here: search, retrieve, render, store."""

from fastapi import APIRouter

from medloop.apps.web.context import Context
from medloop.apps.web.dicomweb import qido, rendered, stow, wado
from medloop.apps.web.dicomweb.shelf import Shelf


def router(context: Context) -> APIRouter:
    """Offer all of it; objects that were opened last are shared."""
    shelf = Shelf(context)
    routes = APIRouter()
    for module in (qido, wado, rendered, stow):
        routes.routes.extend(module.router(shelf).routes)
    return routes
