"""The page: header, body, provenance and signature, as one self-contained HTML file."""

import base64
from datetime import datetime
from functools import cache, partial
from importlib.resources import files

import jinja2
from jaxtyping import UInt8
from markupsafe import Markup
from numpy import ndarray

from medloop import __version__
from medloop.clinical.report.figures import to_jpeg, trim
from medloop.clinical.report.language import (
    FRAME,
    Language,
    age_years,
    day,
    moment,
    percent,
    person,
    say,
)
from medloop.clinical.report.parts import Figure, Report, Review
from medloop.clinical.report.plain import plain_report
from medloop.core.finding import Result
from medloop.core.study import Case

EMBEDDED_PX = 900


def render_html(
    case: Case,
    result: Result,
    *,
    language: str,
    now: datetime,
    report: Report | None = None,
    review: Review | None = None,
) -> str:
    """Lay out a report as HTML with its pictures inside; A4 when printed.

    `report` is the body; without one, findings and assessments are tabulated as coded.
    `medloop.clinical.reports.report_for` chooses the body by the analysis: call that one
    to get the report a clinic files. `review` is what a reader made of it; without one the
    report is the computer's own, and has a place to sign.

    Raises
    ------
    ValueError
        If `language` is neither ``"en"`` nor ``"zh"``.
    """
    tongue = Language(language)
    body = report or plain_report(case, result, language=tongue)
    words = {key: say(FRAME, key, tongue) for key in FRAME}
    return _template().render(
        report=body,
        review=review,
        status=review.status if review else words["preliminary"],
        words=words,
        lang="zh-CN" if tongue is Language.CHINESE else "en",
        header=_header(case, body, tongue),
        identity=_identity(case, tongue),
        provenance=_provenance(result, tongue, now),
        figures=_embedded(body.figures),
        widths=_widths(body.figures),
        embed=data_uri,
        percent=partial(percent, language=tongue),
        created=now.isoformat(),
        version=__version__,
        style=_style(),
    )


def _header(case: Case, report: Report, language: Language) -> list[tuple[str, str]]:
    """Label and value pairs; what is not known stays empty, for the page to say so."""
    study, patient = case.study, case.study.patient
    born = day(patient.birth_date)
    years = age_years(patient.birth_date, study.date)
    if years is not None:
        born += f" ({say(FRAME, 'age', language, years=years)})"
    sex_key = f"sex_{patient.sex}"
    sex = say(FRAME, sex_key, language) if sex_key in FRAME else patient.sex
    pairs = [
        ("patient", person(patient, language)),
        ("patient_id", patient.identifier),
        ("sex", sex),
        ("born", born),
        ("study_date", day(study.date)),
        ("subject", report.subject),
        ("study", study.name),
        ("accession", study.accession),
    ]
    return [(say(FRAME, key, language), value) for key, value in pairs]


def _identity(case: Case, language: Language) -> str:
    """Who and what, for the foot of every page."""
    patient = case.study.patient
    known = (person(patient, language), patient.identifier, case.study.name)
    return " · ".join(text for text in known if text)


def _provenance(result: Result, language: Language, now: datetime) -> list[tuple[str, str]]:
    made = result.provenance
    weights = "; ".join(
        f"{each.bundle} {each.version} (SHA-256 {each.sha256[:12]}…)" for each in made.weights
    )
    pairs = [
        ("analysis", f"{made.analysis} {made.version}"),
        ("weights", weights),
        ("image_uid", ", ".join(made.inputs[:2]) + (" …" if len(made.inputs) > 2 else "")),
        ("input", f"{made.input_sha256[:16]}…" if made.input_sha256 else ""),
        ("analyzed", moment(made.finished)),
        ("printed", moment(now)),
        ("software", f"medloop {__version__}"),
    ]
    return [(say(FRAME, key, language), value) for key, value in pairs if value]


def _embedded(figures: tuple[Figure, ...]) -> list[tuple[Figure, str]]:
    """Pair figures with data URIs; all cropped alike, so that places compare."""
    if not figures:
        return []
    shape, window = figures[0].image.shape, trim(figures[0].image)
    embedded = []
    for figure in figures:
        cuts = figure.image.shape == shape and not figure.is_whole
        image = figure.image[window] if cuts else figure.image
        embedded.append((figure, data_uri(image)))
    return embedded


def _widths(figures: tuple[Figure, ...]) -> list[float | None]:
    """Share of the page's width in percent; None where all are alike, as the style has it."""
    total = sum(figure.width for figure in figures)
    if len({figure.width for figure in figures}) < 2:
        return [None] * len(figures)
    return [round(100 * figure.width / total, 1) for figure in figures]


def data_uri(image: UInt8[ndarray, "y x 3"]) -> str:
    """Embed a picture as JPEG, at the size that prints well."""
    encoded = base64.b64encode(to_jpeg(image, width_px=EMBEDDED_PX)).decode("ascii")
    return f"data:image/jpeg;base64,{encoded}"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("medloop.clinical.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


@cache
def _style() -> Markup:
    sheet = files("medloop.clinical.report") / "templates" / "page.css"
    return Markup(sheet.read_text(encoding="utf-8"))  # noqa: S704 - our own file
