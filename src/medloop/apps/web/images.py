"""Images as the reading page shows them: what was analyzed, first glance, heat maps, labels."""

import gzip
import io
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi import Path as InPath
from fastapi.responses import FileResponse, JSONResponse
from PIL import Image

from medloop.annotation import masks
from medloop.apps.sources import archive_of
from medloop.apps.web.context import Context
from medloop.apps.web.pages import language_of
from medloop.apps.web.security import Permission, Principal, require
from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import Patch
from medloop.dicom.nearest import nearest_slice
from medloop.dicom.web.frames import open_object
from medloop.dicom.web.render import View, Window, render
from medloop.files.nifti import read_nifti
from medloop.imaging.viewing import viewing_grid
from medloop.store import Store
from medloop.workflow.lightbox import Lightbox, Shown, lightbox_of
from medloop.workflow.patches import seen_heat
from medloop.workflow.ports import Archive
from medloop.workflow.scene import (
    Looked,
    first_window,
    look_up,
    main_place_mm,
    main_slice,
    prior_job,
    scene_of,
)
from medloop.workflow.stored import StoreArchive

log = logging.getLogger(__name__)

Reader = Annotated[Principal, Depends(require(Permission.READ))]
Number = Annotated[int, InPath(ge=0, le=2**31 - 1)]
PRIVATE: Final = {"Cache-Control": "private, no-store"}
# What was analyzed never changes under a job: a browser may keep it for an hour.
_KEPT: Final = {"Cache-Control": "private, max-age=3600"}
_KINDS: Final = {".jpg": "image/jpeg", ".png": "image/png", ".nii": "application/octet-stream"}
_PREVIEW_PX: Final = 1024


@dataclass(frozen=True, slots=True)
class Desk:
    """Where images lie ready; one is prepared at a time, by whoever asks for it first."""

    store: Store
    lightbox: Lightbox
    archive: Archive | None = None  # of images, if not the store
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look_up(self, job: int) -> Looked:
        """Look a job and its result up; 404 if there is none."""
        try:
            return look_up(self.store, job)
        except InputError as error:
            raise HTTPException(404, str(error)) from error

    def shown(self, looked: Looked) -> Shown:
        """Return the image of a job, prepared first if it is not there.

        Raises
        ------
        InputError
            If the pixels are gone or damaged.
        ServiceError
            If the disk is in the way.
        """
        found = self.lightbox.find(looked.study.uid, looked.selection)
        if found is not None:
            return found
        with self._lock:
            found = self.lightbox.find(looked.study.uid, looked.selection)
            if found is not None:
                return found
            archive = self.archive or StoreArchive(self.store)
            case = archive.case(looked.study, looked.selection)
            return self.lightbox.prepare(case)


def images_of(context: Context) -> Desk:
    """Make the desk of a node."""
    store = context.store
    return Desk(store, lightbox_of(store.root), archive_of(store, context.site))


def router(context: Context) -> APIRouter:
    """Offer the images of jobs."""
    routes = APIRouter(prefix="/api/jobs/{job}", tags=["images"])
    desk = images_of(context)

    def look(principal: Principal, job: int) -> Looked:
        looked = desk.look_up(job)
        context.trail.saw(principal.name, looked.study.uid)
        return looked

    _add_images(routes, desk, look)
    _add_layers(routes, desk, look)
    return routes


def _add_images(
    routes: APIRouter, desk: Desk, look: Callable[[Principal, int], Looked]
) -> None:
    @routes.get("/scene", responses={404: {}})
    def scene(request: Request, principal: Reader, job: Number) -> Response:
        """Describe the image, its windows, where findings are, and the earlier study."""
        looked = look(principal, job)
        shown = desk.shown(looked)
        heat = _heat(desk.store, looked, shown.grid) if shown.grid else {}
        told = scene_of(looked, shown, language_of(request), heat=heat)
        told["prior"] = prior_job(desk.store, looked)
        return JSONResponse(told, headers=PRIVATE)

    @routes.get("/volume.nii", responses={404: {}})
    def volume(principal: Reader, job: Number) -> Response:
        """Give the analyzed volume as int16 NIfTI, axes toward right, front and head."""
        shown = desk.shown(look(principal, job))
        if shown.grid is None:
            raise HTTPException(404, "the job is about a photograph: ask for its picture")
        return FileResponse(shown.file, media_type=_KINDS[".nii"], headers=_KEPT)

    @routes.get("/picture", responses={404: {}})
    def picture(principal: Reader, job: Number) -> Response:
        """Give the analyzed photograph, upright, as JPEG or PNG."""
        shown = desk.shown(look(principal, job))
        if shown.grid is not None:
            raise HTTPException(404, "the job is about a volume: ask for volume.nii")
        return FileResponse(shown.file, media_type=_KINDS[shown.file.suffix], headers=_KEPT)

    @routes.get("/preview.jpg", responses={404: {}})
    def preview(principal: Reader, job: Number) -> Response:
        """Give one picture at once: the slice of the main finding, or the photograph."""
        looked = look(principal, job)
        shown = desk.lightbox.find(looked.study.uid, looked.selection)
        data = _prepared(looked, shown) if shown else _of_one_object(desk, looked)
        return Response(data, media_type="image/jpeg", headers=_KEPT)


def _add_layers(
    routes: APIRouter, desk: Desk, look: Callable[[Principal, int], Looked]
) -> None:
    @routes.get("/heat/{name}", responses={404: {}})
    def heat(principal: Reader, job: Number, name: str) -> Response:
        """Give a heat map, drawn over the photograph."""
        file = _product(desk.store, look(principal, job), f"{name}.png")
        if file is None or name != "heatmap":
            raise HTTPException(404, "the result has no such heat map")
        return FileResponse(file, media_type="image/png", headers=_KEPT)

    @routes.get("/heat.gz", responses={404: {}})
    def heat_of_volume(principal: Reader, job: Number) -> Response:
        """Give the heat of findings of a volume: bytes of the scene's boxes, x fastest."""
        looked = look(principal, job)
        grid = desk.shown(looked).grid
        heat = _heat(desk.store, looked, grid) if grid else {}
        if not heat:
            raise HTTPException(404, "the result has no heat map of a volume")
        data = b"".join(each.array.tobytes() for _, each in sorted(heat.items()))
        packed = gzip.compress(data, 6, mtime=0)
        return Response(packed, media_type="application/gzip", headers=_KEPT)

    @routes.get("/labels.nii.gz", responses={404: {}})
    def labels(principal: Reader, job: Number) -> Response:
        """Give what the analysis labeled, on the voxels of volume.nii."""
        looked = look(principal, job)
        file = _product(desk.store, looked, "labels.nii.gz")
        grid = desk.shown(looked).grid
        if file is None or grid is None:
            raise HTTPException(404, "the result labels no voxels")
        return Response(_labels(file, grid), media_type="application/gzip", headers=_KEPT)


def _product(store: Store, looked: Looked, name: str) -> Path | None:
    """Return a file of the result, if it has one of that name."""
    if name not in looked.kept.products:
        return None
    file = store.results_folder / looked.kept.folder / name
    return file if file.is_file() else None


def _heat(store: Store, looked: Looked, grid: Grid) -> Mapping[int, Patch]:
    """Return the heat of findings; a damaged file leaves the image without that layer."""
    try:
        return seen_heat(store.results_folder / looked.kept.folder, grid)
    except InputError as damage:
        log.error("heat of job %s is left out: %s", looked.job.id, damage)  # noqa: TRY400
        return {}


def _labels(file: Path, grid: Grid) -> bytes:
    read = read_nifti(file)
    if read.array.shape != grid.shape:
        raise InputError(f"labels are {read.array.shape}, the volume {grid.shape}")
    return masks.encode(read.array, grid)


def _prepared(looked: Looked, shown: Shown) -> bytes:
    return _photograph(shown.file) if shown.grid is None else _slice(looked, shown)


def _slice(looked: Looked, shown: Shown) -> bytes:
    """Draw the main finding's slice as radiologists look at it: front up, right at left."""
    assert shown.grid is not None, "asked of a volume"  # noqa: S101
    plane = shown.stored[main_slice(looked, shown.grid)][::-1, ::-1]
    center, width = first_window(looked, shown) or (0.0, 1.0)
    values = plane * np.float32(shown.slope) + np.float32(shown.intercept)
    gray = np.clip((values - (center - width / 2)) * (255 / width), 0, 255).astype(np.uint8)
    image = Image.fromarray(gray)
    row_mm, column_mm = viewing_grid(shown.grid).spacing_mm[1:]
    tall = max(round(image.height * row_mm / column_mm), 1)  # square pixels
    return _jpeg(image.resize((image.width, tall)) if tall != image.height else image)


def _of_one_object(desk: Desk, looked: Looked) -> bytes:
    """Draw one object of a series that is not prepared: reading all of them takes seconds."""
    instances = looked.selection.series[0].instances
    chosen = instances[0]
    if not chosen.sop_class or chosen.frames > 1:
        return _prepared(looked, desk.shown(looked))
    if len(instances) > 1:
        place = main_place_mm(looked)
        chosen = instances[nearest_slice([each.path for each in instances], place)]
    opened = open_object(desk.store.archive.checked(chosen.sha256))
    usual = first_window(looked)
    window = Window(*usual) if usual else None
    return render(opened, 0, View(window=window, size=(_PREVIEW_PX, _PREVIEW_PX)))


def _photograph(file: Path) -> bytes:
    with Image.open(file) as image:
        image.draft("RGB", (_PREVIEW_PX, _PREVIEW_PX))  # decoded small where JPEG can
        image.thumbnail((_PREVIEW_PX, _PREVIEW_PX))
        return _jpeg(image.convert("RGB"))


def _jpeg(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=90)
    return target.getvalue()
