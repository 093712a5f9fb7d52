"""A model's labels of an image: kept by its analysis, made by a network, or from clicks."""

import json
import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, File, Form, HTTPException, Query, Response, UploadFile

from medloop.annotation.masks import encode
from medloop.apps.web.monailabel.clicks import MODEL, clicked
from medloop.apps.web.monailabel.shelf import KEPT, Shelf, numbers
from medloop.apps.web.security import Permission, Principal, require
from medloop.core.errors import InputError
from medloop.core.image import LabelMap
from medloop.dicom.web.multipart import Part, join_parts
from medloop.files.nrrd import to_nrrd
from medloop.workflow.scene import Looked

Reader = Annotated[Principal, Depends(require(Permission.READ))]
_Id = Annotated[str, Query(max_length=200)]
_Params = Annotated[str, Form(max_length=100_000)]
_Files = Annotated[UploadFile | None, File()]
_ASIDE: Final = (
    "a node labels what came in and was analyzed: send images by DICOM, or to /api/uploads"
)


class Output(StrEnum):
    """In what form the answer is given."""

    ALL = "all"
    IMAGE = "image"
    JSON = "json"
    DICOM_SEG = "dicom_seg"


def add_routes(routes: APIRouter, shelf: Shelf) -> None:
    """Add ``/infer/``."""

    @routes.post("/infer/{model}", responses={404: {}, 406: {}})
    def infer(  # noqa: PLR0913, PLR0917 - what the protocol has
        who: Reader,
        model: str,
        image: _Id = "",
        session_id: _Id = "",
        output: Output = Output.ALL,
        params: _Params = "{}",
        file: _Files = None,
    ) -> Response:
        """Give labels of an image, kept or made now, and what they are called."""
        asked = read_params(params)
        if session_id or file is not None or not image:
            raise HTTPException(406, _ASIDE)
        is_network = model not in (MODEL, KEPT) and shelf.networks.has(model)
        if is_network and not who.may(Permission.CORRECT):
            raise HTTPException(403, f"your role does not run networks; model {KEPT} answers")
        is_any = is_network or model in (MODEL, KEPT)
        labeled = shelf.get(image, "" if is_any else model)
        looked = shelf.looked(labeled)
        shelf.context.trail.saw(who.name, labeled.study)
        if output is Output.DICOM_SEG and model != MODEL:
            if is_network:
                raise HTTPException(422, "labels of a network come as NIfTI or NRRD")
            return _seg(shelf, looked.kept.folder, looked.kept.products)
        if is_network:
            details = {"job": str(labeled.job), "bundle": model}
            shelf.context.trail.did(who.name, "ran a network on", labeled.study, details)
            labels = _of_network(shelf, looked, model)
        else:
            labels = _labels(shelf, looked, image, asked if model == MODEL else None)
        told = _told(labels, model)
        if output is Output.JSON:
            return Response(json.dumps(told), media_type="application/json")
        name, data = as_file(labels, asked)
        if output is Output.IMAGE:
            headers = {"Content-Disposition": f'attachment; filename="{name}"'}
            return Response(data, media_type="application/octet-stream", headers=headers)
        return _form(told, name, data)


def _labels(
    shelf: Shelf, looked: Looked, image: str, clicks: Mapping[str, Any] | None
) -> LabelMap:
    if clicks is None:
        return shelf.proposed(looked)
    try:
        return clicked(shelf, looked, image, clicks)
    except InputError as error:
        raise HTTPException(422, str(error)) from error


def _of_network(shelf: Shelf, looked: Looked, bundle: str) -> LabelMap:
    """Run a bundle's network on the volume that was analyzed."""
    return shelf.networks.label(bundle, lambda: shelf.volume(looked), looked.modality)


def read_params(text: str) -> Mapping[str, Any]:
    """Read the parameters of a request, or refuse them with 422."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, "params is not JSON") from error
    if not isinstance(found, dict):
        raise HTTPException(422, "params is not a JSON object")
    return found


def as_file(labels: LabelMap, asked: Mapping[str, Any]) -> tuple[str, bytes]:
    """Write labels as plugins ask: NRRD on the voxels as they came, or NIfTI as images are.

    OHIF takes the voxels as they lie in the file, in the order of the series' slices; others
    heed where the file says they are.
    """
    assert labels.grid is not None, "labels of a volume"  # noqa: S101
    array = labels.array.astype(np.uint8 if labels.array.max(initial=0) < 256 else np.uint16)
    if str(asked.get("result_extension", "")).lower().endswith(".nrrd"):
        is_compressed = asked.get("result_compress") is not False
        return "labels.nrrd", to_nrrd(array, labels.grid, is_compressed=is_compressed)
    return "labels.nii.gz", encode(array, labels.grid)


def _told(labels: LabelMap, analysis: str) -> dict[str, Any]:
    """Name the labels that are there: 3D Slicer counts them in the order of their numbers."""
    there = {int(n) for n in np.unique(labels.array)}
    named = {name: n for name, n in numbers(labels.segments).items() if n in there}
    return {"label_names": named, "model": analysis}


def _form(told: Mapping[str, Any], name: str, data: bytes) -> Response:
    """Answer with a form, as MONAI Label does: `params` and the file."""
    boundary = f"medloop{secrets.token_hex(16)}"
    facts = {
        "Content-Disposition": 'form-data; name="params"',
        "Content-Type": "application/json",
    }
    whole = {
        "Content-Disposition": f'form-data; name="image"; filename="{name}"',
        "Content-Type": "application/octet-stream",
    }
    parts = [Part(facts, [json.dumps(told).encode()]), Part(whole, [data])]
    kind = f"multipart/form-data; boundary={boundary}"
    return Response(b"".join(join_parts(parts, boundary)), media_type=kind)


def _seg(shelf: Shelf, folder: str, products: tuple[str, ...]) -> Response:
    if "seg.dcm" not in products:
        raise HTTPException(404, "the result has no DICOM segmentation")
    path = shelf.context.store.results_folder / folder / "seg.dcm"
    return Response(path.read_bytes(), media_type="application/dicom")
