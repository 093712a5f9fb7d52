"""A small analysis that needs no network, so that the command line can be tested quickly."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from medloop.apps.bootstrap import Offer
from medloop.core.code import Code
from medloop.core.errors import UnsuitableError
from medloop.core.finding import Finding, Provenance, Result, Weights
from medloop.core.image import HeatMap, Picture
from medloop.core.study import Case, Content, Selection, Study

DARKEST = 10


@dataclass(frozen=True)
class Redness:
    """Says how red a color picture is; every photograph of a study is a run of its own."""

    name: str = "redness"

    def select(self, study: Study) -> tuple[Selection, ...]:
        pictures = [series for series in study.series if series.content is Content.PICTURES]
        if not pictures:
            raise UnsuitableError("there is no photograph in the study")
        return tuple(
            Selection((replace(series, instances=(instance,)),))
            for series in pictures
            for instance in series.instances
        )

    def analyze(self, case: Case) -> Result:
        picture = case.images[0]
        if not isinstance(picture, Picture) or not picture.is_color:
            raise UnsuitableError("not a color photograph")
        red = float(picture.array[..., 0].mean())
        if red < DARKEST:
            raise UnsuitableError(f"too dark: mean red {red:.0f}, needed {DARKEST}")
        instances = [i for series in case.selection.series for i in series.instances]
        return Result(
            provenance=Provenance(
                analysis=self.name,
                version="1",
                weights=(Weights("none", "1", "0" * 64),),
                inputs=tuple(instance.uid for instance in instances),
                input_sha256=instances[0].sha256,
                finished=datetime(2026, 1, 1, tzinfo=UTC),
            ),
            findings=(Finding(Code("SCT", "386713009", "Red color"), probability=0.5),),
            assessments={"redness": round(red)},
            heat_maps=(HeatMap("redness", np.zeros(picture.size, np.uint8), "none"),),
        )


OFFERS = {"redness": Offer("How red is a picture?", (), lambda _settings: Redness())}
