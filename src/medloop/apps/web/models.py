"""The pages of models: what each is for, how good it is, which version is used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from markupsafe import Markup
from starlette.responses import Response

from medloop.apps.bootstrap import OFFERS
from medloop.apps.bundles import measured_of
from medloop.apps.console import UsageError
from medloop.apps.promotion import Switched, promoted, rolled_back
from medloop.apps.settings import Settings
from medloop.apps.versions import Version, before, history, names, versions_of
from medloop.apps.web.administration import Manager, Reader, back, show
from medloop.apps.web.cards import Told, figure_name, told
from medloop.apps.web.context import Context
from medloop.apps.web.pages import language_of
from medloop.apps.web.plots import interval
from medloop.apps.web.remembered import Remembered
from medloop.core.errors import InputError
from medloop.models.bundle import Bundle, load_bundle
from medloop.models.classification_plan import ClassificationPlan
from medloop.models.detection_plan import DetectionPlan
from medloop.models.nodule_plan import NodulePlan
from medloop.models.plan import Plan

KEPT_S = 300.0  # looking means hashing all weights
_LINES = 20  # of the log of a bundle


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a card, its 95 % interval, and both drawn from 0 to 1."""

    name: str
    value: float
    low: float
    high: float
    cases: str
    int8: str
    drawn: Markup


@dataclass(frozen=True, slots=True)
class Model:
    """A bundle: its versions, the one in use, and what the page says of it."""

    name: str
    versions: tuple[Version, ...]
    bundle: Bundle | None
    uses: tuple[str, ...]
    figures: tuple[Figure, ...]

    @property
    def current(self) -> Version | None:
        """The version in use."""
        return next((each for each in self.versions if each.is_current), None)

    @property
    def main(self) -> Figure | None:
        """The figure that decides about an INT8 twin, or the first."""
        card = self.bundle.card if self.bundle else {}
        name = card.get("int8", {}).get("figure")
        return next(
            (each for each in self.figures if each.name == name), (*self.figures, None)[0]
        )

    @property
    def has_twin(self) -> bool:
        """Whether INT8 weights stand beside those in FP32."""
        return self.bundle is not None and self.bundle.twin(self.bundle.weights) is not None


def router(context: Context) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter(include_in_schema=False)
    known = Remembered(lambda: models_of(context.settings), KEPT_S)
    _add_pages(routes, context, known)
    _add_deeds(routes, context, known)
    return routes


def models_of(settings: Settings) -> tuple[Model, ...]:
    """Look at every bundle and check its hashes."""
    return tuple(_model(name, settings) for name in names(settings))


def _add_pages(
    routes: APIRouter, context: Context, known: Callable[[], tuple[Model, ...]]
) -> None:
    settings = context.settings

    @routes.get("/models")
    def models(request: Request, _who: Reader) -> Response:
        """List the models and the version of each that is in use."""
        return show(
            request,
            "models",
            models=known(),
            precision=settings.precision,
            words=_words(request),
        )

    @routes.get("/models/{name}")
    def model(request: Request, _who: Reader, name: str) -> Response:
        """Show the card of a model, its versions, and who chose them."""
        found = _find(known(), name)
        bundle = found.bundle
        return show(
            request,
            "model",
            about="models",
            model=found,
            card=bundle.card if bundle else {},
            words=_words(request),
            points=operating_points(bundle) if bundle else (),
            measured=measured_of(name, settings),
            precision=settings.precision,
            log=list(history(name, settings))[: -_LINES - 1 : -1],
            can_go_back=bool(before(name, settings)),
        )


def _add_deeds(
    routes: APIRouter, context: Context, known: Remembered[tuple[Model, ...]]
) -> None:
    def switch(who: str, deed: str, act: Callable[[], Switched]) -> Response:
        try:
            version = act().version
        except UsageError as error:
            raise InputError(str(error)) from error
        details = {"version": version.version, "id": version.id}
        context.trail.did(who, f"model {deed}", version.name, details)
        known.forget()
        return back(f"/models/{version.name}", deed)

    @routes.post("/models/{name}/promote")
    def promote(
        who: Manager,
        name: str,
        id: Annotated[str, Form(max_length=64)] = "",  # noqa: A002
    ) -> Response:
        """Use another version."""
        _find(known(), name)
        wanted = f"{name}@{id}" if id else name
        return switch(
            who.name, "promoted", lambda: promoted(wanted, context.settings, who=who.name)
        )

    @routes.post("/models/{name}/rollback")
    def rollback(who: Manager, name: str) -> Response:
        """Use the version before the present one again."""
        _find(known(), name)
        return switch(
            who.name, "rolled_back", lambda: rolled_back(name, context.settings, who=who.name)
        )


def operating_points(bundle: Bundle) -> tuple[tuple[str, float], ...]:
    """Say from which probability on a class counts as found; empty where the largest wins."""
    plan = bundle.plan
    if isinstance(plan, NodulePlan | DetectionPlan):
        return (("", plan.threshold),)
    if isinstance(plan, Plan):
        return tuple(zip(plan.classes, plan.thresholds, strict=False))
    if isinstance(plan, ClassificationPlan):
        return ()
    return ()


@dataclass(frozen=True, slots=True)
class Words:
    """How a page says cards, in its language."""

    told: Callable[[Mapping[str, Any]], Told]
    figure: Callable[[str], str]


def _words(request: Request) -> Words:
    language = language_of(request)
    return Words(partial(told, language=language), partial(figure_name, language=language))


def _find(known: Sequence[Model], name: str) -> Model:
    for each in known:
        if each.name == name:
            return each
    raise HTTPException(404, "there is no model of this name")


def _model(name: str, settings: Settings) -> Model:
    versions = versions_of(name, settings)
    bundle = None
    current = next((each for each in versions if each.is_current and not each.problem), None)
    if current is not None:
        place = name if current.kind == "shipped" else settings.bundles / name
        bundle = load_bundle(place)
    uses = tuple(key for key, offer in OFFERS.items() if name in offer.bundles)
    return Model(name, versions, bundle, uses, _figures(bundle.card) if bundle else ())


def _figures(card: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Read the figures of a card; cards of people may lack any of it."""
    evaluation, twin = card.get("evaluation", {}), card.get("int8", {})
    int8 = {each.get("name"): each.get("int8") for each in twin.get("figures", ())}
    return tuple(
        _figure(each, int8.get(each["name"]))
        for each in evaluation.get("figures", ())
        if isinstance(each.get("value"), int | float) and "name" in each
    )


def _figure(said: Mapping[str, Any], int8: object) -> Figure:
    value = float(said["value"])
    ends = said.get("interval_95") or (value, value)
    low, high = float(ends[0]), float(ends[1])
    is_share = 0.0 <= low <= high <= 1.0
    return Figure(
        name=str(said["name"]),
        value=value,
        low=low,
        high=high,
        cases=str(said.get("cases", "")),
        int8=f"{int8:.3f}" if isinstance(int8, int | float) else "",
        drawn=interval(value, low, high) if is_share else Markup(),
    )
