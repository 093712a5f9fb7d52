"""The label server: the REST API of MONAI Label, so that its plugins work against a node.

3D Slicer's and OHIF's plugins list images, fetch the next one to label, ask for a model's
labels and save their own. An image is a job whose result holds labels of a volume; its id is
the number of the job, and the UID of its series or study is understood, too. What is saved is
an edit in a reading of whoever saves it, like one made on the page.
"""

from fastapi import APIRouter

from medloop.apps.web.context import Context
from medloop.apps.web.monailabel import about, absent, access, images, inference, labels
from medloop.apps.web.monailabel.shelf import Shelf

__all__ = ["router"]


def router(context: Context) -> APIRouter:
    """Return the routes of the label server, all below ``/monailabel``."""
    routes = APIRouter(prefix="/monailabel", tags=["MONAI Label"])
    shelf = Shelf(context)
    access.add_routes(routes, context)
    about.add_routes(routes, shelf)
    images.add_routes(routes, shelf)
    inference.add_routes(routes, shelf)
    labels.add_routes(routes, shelf)
    absent.add_routes(routes)
    return routes
