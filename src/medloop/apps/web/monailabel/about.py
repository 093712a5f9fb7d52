"""What there is to label, and what should be labeled next."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Body, Depends, HTTPException, Response

import medloop
from medloop.annotation.queue import Strategy
from medloop.apps.web.monailabel.clicks import MODEL, model_of_clicks
from medloop.apps.web.monailabel.shelf import KEPT, Shelf
from medloop.apps.web.security import Permission, Principal, Way, require
from medloop.store.labeled import Labeled
from medloop.store.reading import Purpose, ReadingState
from medloop.workflow.labeling import next_job

Reader = Annotated[Principal, Depends(require(Permission.READ))]
ORIGINAL: Final = "original"  # the analysis' labels
FINAL: Final = "final"  # a person's
XSRF: Final = "XSRF-TOKEN"  # the cookie that axios sends back as X-XSRF-TOKEN
Pair = dict[str, str]
STRATEGIES: Final[Mapping[Strategy, str]] = {
    Strategy.FIRST: "The oldest image that you have not labeled",
    Strategy.RANDOM: "Any image that you have not labeled",
    Strategy.UNSURE: "The image of which the analysis is least sure",
    Strategy.UNLIKE: "Of the images with the least sure answers, the one unlike those labeled",
}


class Output(StrEnum):
    """How much of the datastore is told."""

    STATS = "stats"
    ALL = "all"
    TRAIN = "train"


def add_routes(routes: APIRouter, shelf: Shelf) -> None:
    """Add ``/info/``, ``/datastore/`` and ``/activelearning/``."""

    @routes.get("/info/")
    def info(who: Reader, response: Response) -> dict[str, Any]:
        """Say which analyses label images here, with which labels."""
        if who.way is Way.SESSION:  # plugins that run in a page of ours send it back
            is_secure = shelf.context.site.web.is_secure
            response.set_cookie(XSRF, who.csrf, secure=is_secure, samesite="strict")
        images = shelf.jobs.all()
        labels = shelf.labels_of(images)
        networks = shelf.networks.told()
        return {
            "name": "medloop",
            "description": "Reads, corrects and learns: a node of medloop",
            "version": medloop.__version__,
            "labels": list(dict.fromkeys(name for each in labels.values() for name in each)),
            "models": {
                **{name: _model(name, each) for name, each in sorted(labels.items())},
                **{name: _network(name, each) for name, each in networks.items()},
                KEPT: _kept(labels),
                MODEL: model_of_clicks(),
            },
            "trainers": {},
            "strategies": {k.value: {"description": told} for k, told in STRATEGIES.items()},
            "scoring": {},
            "train_stats": {},
            "datastore": _counts(shelf, images, who.name),
        }

    @routes.get("/datastore/")
    def datastore(who: Reader, output: Output = Output.STATS) -> dict[str, Any] | list[Pair]:
        """Count images and labels, or list them."""
        images = shelf.jobs.all()
        shelf.context.trail.saw(who.name, "studies", "searched")
        if output is Output.ALL:
            apart = _apart(shelf, who.name)
            objects = {str(each.job): _object(shelf, each, who.name, apart) for each in images}
            return {"name": "medloop", "description": "", "objects": objects}
        if output is Output.TRAIN:
            return [
                {"image": str(each.job), "label": str(each.job)}
                for each in images
                if each.is_labeled()
            ]
        return _counts(shelf, images, who.name)

    @routes.post("/activelearning/{strategy}", responses={404: {}})
    def next_sample(
        who: Reader,
        strategy: str,
        params: Annotated[dict[str, Any] | None, Body()] = None,
    ) -> dict[str, Any]:
        """Say which image to label next; nothing if whoever asks has labeled all."""
        if strategy not in tuple(Strategy):
            raise HTTPException(404, f"no strategy of this name; there are {_names()}")
        model = (params or {}).get("model")
        images = shelf.jobs.all()
        if model in {each.analysis for each in images} or not _is_of_any(shelf, model):
            images = tuple(each for each in images if model == each.analysis)
        left = {each.job: each for each in images if not each.is_labeled(who.name)}
        chosen = next_job(
            shelf.context.store,
            tuple(left),
            Strategy(strategy),
            rng=np.random.default_rng(),
            known=[each.job for each in images if each.is_labeled()],
        )
        if chosen is None:
            return {}
        image = left[chosen]
        shelf.context.trail.saw(who.name, image.study)
        return {"id": shelf.tickets.issue(image.job, who.name), **facts(shelf, image)}


def facts(shelf: Shelf, image: Labeled) -> dict[str, Any]:
    """Describe an image by what leads to it, without anything of the patient."""
    looked = shelf.looked(image)
    content = looked.recorded.result.provenance.input_sha256[:12]
    return {
        "name": f"medloop-{image.job}-{content}.nii",
        "analysis": image.analysis,
        "Modality": looked.modality,
        "StudyInstanceUID": str(image.study),
        "SeriesInstanceUID": str(shelf.jobs.series(image)),
    }


def label_info(shelf: Shelf, image: Labeled) -> dict[str, Any]:
    """Describe labels of an image: the numbers of their names, as plugins ask for them."""
    named = dict(shelf.named(image))
    return {
        "params": {"label_names": named},
        "label_info": [{"name": name, "idx": number} for name, number in named.items()],
    }


def _model(name: str, labels: Mapping[str, int]) -> dict[str, Any]:
    return {
        "type": "segmentation",
        "labels": dict(labels),
        "dimension": 3,
        "description": f"What analysis {name} found when the study came in",
        "config": {},
    }


def _is_of_any(shelf: Shelf, model: object) -> bool:
    """Whether a model labels images whatever analysis has read them."""
    return model in (None, "", KEPT, MODEL) or shelf.networks.has(str(model))


def _network(name: str, labels: Mapping[str, int]) -> dict[str, Any]:
    """Describe a bundle whose network is run when it is asked for."""
    return _model(name, labels) | {"description": f"The network of bundle {name}, run now"}


def _kept(labels: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Describe the model that answers what is kept, whichever analysis labeled the image."""
    union = {name: number for each in labels.values() for name, number in each.items()}
    told = {"description": "What an image's own analysis found when the study came in"}
    return _model(KEPT, union) | told


def _counts(shelf: Shelf, images: Sequence[Labeled], viewer: str) -> dict[str, Any]:
    apart = _apart(shelf, viewer)
    own = sum(_has_final(each, viewer, apart) for each in images)
    return {
        "total": len(images),
        "completed": sum(each.is_labeled() for each in images),
        "label_tags": {ORIGINAL: len(images), **({FINAL: own} if own else {})},
    }


def _apart(shelf: Shelf, viewer: str) -> frozenset[int]:
    """Name the jobs of which the viewer may not know yet what others say."""
    return frozenset(each.job for each in shelf.curtain.unfinished(viewer))


def _object(
    shelf: Shelf, image: Labeled, viewer: str, apart: Collection[int]
) -> dict[str, Any]:
    info = {
        "analysis": image.analysis,
        "name": f"{image.job}.nii",
        "StudyInstanceUID": str(image.study),
        "ts": int(datetime.timestamp(shelf.context.now())),
    }
    told = label_info(shelf, image)
    tags = [ORIGINAL, *([FINAL] if _has_final(image, viewer, apart) else [])]
    labels = {tag: {"ext": ".nii.gz", "info": told} for tag in tags}
    return {"image": {"ext": ".nii", "info": info}, "labels": labels}


def _has_final(image: Labeled, viewer: str, apart: Collection[int]) -> bool:
    """Whether there are labels of the viewer's own, or adjudicated ones they may see."""
    may_see = image.job not in apart
    return any(
        each.has_mask
        and (
            each.reader == viewer
            or (
                may_see
                and each.purpose is Purpose.ADJUDICATE
                and each.state is ReadingState.DONE
            )
        )
        for each in image.marks
    )


def _names() -> str:
    return ", ".join(STRATEGIES)
