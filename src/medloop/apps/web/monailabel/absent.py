"""What MONAI Label's server does and a node does elsewhere: said in one line, not pretended."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException

from medloop.apps.web.security import Permission, Principal, require

TRAINING: Final = (
    "a node does not train: medloop labels export, then medloop train, on a machine for it"
)
_SESSIONS: Final = "images are analyzed as they come in: send them by DICOM, or to /api/uploads"
_BATCH: Final = "every study is analyzed as it comes in: /infer/ answers what is there"
_KEPT: Final = "what a reader saved is kept: save again, nothing is deleted"
_INFO: Final = "a label and who made it are kept as they are: notes belong on the reading page"
_LOGS: Final = "the log is on the machine, in logs/ of its home; who did what: /audit"

Reader = Annotated[Principal, Depends(require(Permission.READ))]
Corrector = Annotated[Principal, Depends(require(Permission.CORRECT))]
Watcher = Annotated[Principal, Depends(require(Permission.WATCH))]


def add_routes(routes: APIRouter) -> None:
    """Add routes that say what to do instead: 404 for what is not here, 406 for sessions."""
    _add_training(routes)
    _add_others(routes)


def _add_training(routes: APIRouter) -> None:
    @routes.get("/train/", include_in_schema=False)
    def status(_who: Reader) -> None:
        """Say that no training runs here."""
        raise HTTPException(404, f"no training runs; {TRAINING}")

    @routes.post("/train/", include_in_schema=False)
    @routes.post("/train/{model}", include_in_schema=False)
    def train(_who: Corrector) -> None:
        """Say how to train on what was labeled."""
        raise HTTPException(404, TRAINING)

    @routes.delete("/train/", include_in_schema=False)
    def stop(_who: Corrector) -> None:
        """Say that no training runs here."""
        raise HTTPException(404, f"no training runs; {TRAINING}")

    @routes.get("/batch/infer", include_in_schema=False)
    def batch_status(_who: Reader) -> None:
        """Say that inference needs no batch."""
        raise HTTPException(404, _BATCH)

    @routes.post("/batch/infer/{model}", include_in_schema=False)
    def batch(_who: Corrector) -> None:
        """Say that inference needs no batch."""
        raise HTTPException(404, _BATCH)

    @routes.delete("/batch/infer", include_in_schema=False)
    def batch_stop(_who: Corrector) -> None:
        """Say that inference needs no batch."""
        raise HTTPException(404, _BATCH)


def _add_others(routes: APIRouter) -> None:
    @routes.put("/session/", include_in_schema=False)
    def begin(_who: Corrector) -> None:
        """Say how an image comes in."""
        raise HTTPException(406, _SESSIONS)

    @routes.get("/session/{session_id}", include_in_schema=False)
    @routes.delete("/session/{session_id}", include_in_schema=False)
    def session(_who: Reader) -> None:
        """Say that there are no sessions."""
        raise HTTPException(404, _SESSIONS)

    @routes.delete("/datastore/", include_in_schema=False)
    @routes.delete("/datastore/image", include_in_schema=False)
    @routes.delete("/datastore/label", include_in_schema=False)
    def remove(_who: Corrector) -> None:
        """Say that nothing is deleted."""
        raise HTTPException(405, _KEPT)

    @routes.put("/datastore/image/info", include_in_schema=False)
    @routes.put("/datastore/label/info", include_in_schema=False)
    @routes.put("/datastore/updatelabelinfo", include_in_schema=False)
    def describe(_who: Corrector) -> None:
        """Say that what is known of images and labels is not changed."""
        raise HTTPException(405, _INFO)

    @routes.get("/logs/", include_in_schema=False)
    @routes.get("/logs/gpu", include_in_schema=False)
    def logs(_who: Watcher) -> None:
        """Say where the log is."""
        raise HTTPException(404, _LOGS)
