"""Which wording and pictures belong to which analysis."""

from collections.abc import Mapping
from datetime import datetime

from jaxtyping import UInt8
from numpy import ndarray

from medloop.clinical.brain.sentences import hippocampus_report
from medloop.clinical.lung.sentences import lung_pictures, lung_report
from medloop.clinical.radiotherapy.pictures import head_neck_pictures
from medloop.clinical.radiotherapy.sentences import head_neck_report
from medloop.clinical.report.language import Language
from medloop.clinical.report.page import render_html
from medloop.clinical.report.parts import Report, Review
from medloop.clinical.report.plain import plain_pictures, plain_report
from medloop.clinical.retina.sentences import retina_pictures, retina_report
from medloop.core.finding import Result
from medloop.core.study import Case

_WORDINGS = {
    "retina": retina_report,
    "hippocampus": hippocampus_report,
    "lung": lung_report,
    "head_neck": head_neck_report,
}


def report_for(
    case: Case,
    result: Result,
    *,
    language: str,
    now: datetime,
    rendered: Mapping[str, UInt8[ndarray, "y x 3"]] | None = None,
    review: Review | None = None,
) -> str:
    """Write the report of any analysis as self-contained HTML, in ``"en"`` or ``"zh"``.

    `rendered` are the pictures of `pictures_for`, where they have been drawn already; `review`
    what a reader made of the result. For the PDF hand the HTML to
    `medloop.clinical.report.pdf.to_pdf`.

    Raises
    ------
    ValueError
        If `language` is neither ``"en"`` nor ``"zh"``.
    """
    body = body_of(case, result, language=Language(language), rendered=rendered)
    return render_html(case, result, language=language, now=now, report=body, review=review)


def body_of(
    case: Case,
    result: Result,
    *,
    language: Language,
    rendered: Mapping[str, UInt8[ndarray, "y x 3"]] | None = None,
) -> Report:
    """Say what an analysis found; without pictures if `rendered` is empty."""
    write = _WORDINGS.get(result.provenance.analysis)
    if write is None:
        return plain_report(case, result, language=language)
    return write(case, result, language=language, rendered=rendered)


def pictures_for(case: Case, result: Result) -> Mapping[str, UInt8[ndarray, "y x 3"]]:
    """Draw what is kept beside the report: ``overlay`` and ``heatmap`` where they apply."""
    if result.provenance.analysis == "retina":
        return retina_pictures(case, result)
    if result.provenance.analysis == "lung":
        return lung_pictures(case, result)
    if result.provenance.analysis == "head_neck":
        return head_neck_pictures(case, result)
    return plain_pictures(case, result)
