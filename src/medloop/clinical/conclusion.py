"""The sentences of a report alone, which change as findings do."""

from dataclasses import dataclass

from medloop.clinical.report.language import Language
from medloop.clinical.report.notices import is_contradiction, told
from medloop.clinical.report.parts import Tone
from medloop.clinical.reports import body_of
from medloop.core.finding import Result
from medloop.core.study import Case


@dataclass(frozen=True, slots=True)
class Concluded:
    """The answer in one sentence, what follows it, what to do next, and what must be seen.

    `contradictions` are those of the alerts that say what a reader stated against what stands
    beside it.
    """

    headline: str
    tone: Tone
    sentences: tuple[str, ...]
    recommendation: str
    guideline: str
    alerts: tuple[str, ...]
    remarks: tuple[str, ...]
    contradictions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The generated conclusion as one text, a line a sentence."""
        return "\n".join(filter(None, (self.headline, *self.sentences, self.recommendation)))


def concluded(case: Case, result: Result, language: str) -> Concluded:
    """Generate the sentences of a result, without its pictures.

    Raises
    ------
    ValueError
        If `language` is neither ``"en"`` nor ``"zh"``.
    """
    tongue = Language(language)
    body = body_of(case, result, language=tongue, rendered={})
    against = told(filter(is_contradiction, result.warnings), tongue)
    return Concluded(
        headline=body.headline,
        tone=body.tone,
        sentences=body.sentences,
        recommendation=body.recommendation,
        guideline=body.guideline,
        alerts=body.alerts,
        remarks=body.warnings,
        contradictions=against,
    )
