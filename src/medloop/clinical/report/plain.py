"""The report of an analysis that has no wording of its own: its findings, as coded."""

from collections.abc import Mapping

from jaxtyping import UInt8
from numpy import ndarray

from medloop.clinical.report.figures import heat, heat_ramp, overlay, shrink
from medloop.clinical.report.language import FRAME, Language, percent, say
from medloop.clinical.report.notices import told
from medloop.clinical.report.parts import Figure, Key, Ramp, Report, Table, Tone
from medloop.clinical.report.views import PLANES, columns_of, views
from medloop.core.finding import Assessment, Finding, Measurement, Result
from medloop.core.image import Picture, Volume
from medloop.core.study import Case


def plain_report(case: Case, result: Result, *, language: Language) -> Report:
    """Tabulate findings and assessments; pictures of a photograph or a labelled volume."""
    count = len(result.findings)
    headline = (
        say(FRAME, "plain_headline", language, count=count)
        if count
        else say(FRAME, "plain_none", language)
    )
    series = case.selection.series[0]
    subject = " ".join(
        word for word in (series.modality, series.body_part, series.laterality) if word
    )
    return Report(
        title=say(FRAME, "plain_title", language, analysis=result.provenance.analysis),
        subject=subject,
        headline=headline,
        tone=Tone.UNSURE,
        figures=_figures(case, result, language),
        tables=_tables(result, language),
        warnings=told((*case.warnings, *result.warnings), language),
    )


def plain_pictures(case: Case, result: Result) -> Mapping[str, UInt8[ndarray, "y x 3"]]:
    """Draw ``overlay`` and ``heatmap``, where there is something to show.

    Of a volume that is labelled: ``overlay``, by `medloop.clinical.report.views.views`.
    """
    picture = case.images[0]
    pictures: dict[str, UInt8[ndarray, "y x 3"]] = {}
    if isinstance(picture, Volume):
        labels = result.labels
        if labels is not None and labels.array.any():
            pictures["overlay"] = views(picture, labels)
        return pictures
    if result.labels is not None or any(each.center_px for each in result.findings):
        pictures["overlay"] = overlay(picture, result.labels, result.findings)
    if result.heat_maps:
        pictures["heatmap"] = heat(picture, result.heat_maps[0])
    return pictures


def plane_figures(
    overlay_of: UInt8[ndarray, "y x 3"], keys: tuple[Key, ...], *, language: Language
) -> tuple[Figure, ...]:
    """Make a figure of each plane that `plain_pictures` drew; the first has the keys."""
    return tuple(
        Figure(say(FRAME, plane, language), image, keys if n == 0 else (), is_whole=True)
        for n, (plane, image) in enumerate(zip(PLANES, columns_of(overlay_of), strict=True))
    )


def _figures(case: Case, result: Result, language: Language) -> tuple[Figure, ...]:
    picture = case.images[0]
    drawn = plain_pictures(case, result)
    if not isinstance(picture, Picture):
        return (
            plane_figures(drawn["overlay"], _keys(result), language=language) if drawn else ()
        )
    figures = [Figure(say(FRAME, "image", language), shrink(picture))]
    if "overlay" in drawn:
        title = say(FRAME, "overlay", language)
        figures.append(Figure(title, drawn["overlay"], keys=_keys(result)))
    if "heatmap" in drawn:
        ramp = Ramp(heat_ramp(), say(FRAME, "low", language), say(FRAME, "high", language))
        figures.append(Figure(say(FRAME, "heat_map", language), drawn["heatmap"], ramp=ramp))
    return tuple(figures)


def _keys(result: Result) -> tuple[Key, ...]:
    segments = result.labels.segments.values() if result.labels is not None else ()
    return tuple(Key(f"#{bytes(each.color).hex()}", each.name) for each in segments)


def _tables(result: Result, language: Language) -> tuple[Table, ...]:
    tables = []
    if result.findings:
        head = tuple(
            say(FRAME, key, language) for key in ("finding", "site", "measured", "probability")
        )
        rows = tuple(_row(finding, language) for finding in result.findings)
        tables.append(Table(say(FRAME, "findings", language), head, rows))
    if result.assessments:
        title, value = say(FRAME, "assessments", language), say(FRAME, "value", language)
        rows = tuple((key, _show(held, language)) for key, held in result.assessments.items())
        tables.append(Table(title, (title, value), rows))
    return tuple(tables)


def _row(finding: Finding, language: Language) -> tuple[str, ...]:
    return (
        finding.concept.meaning,
        finding.site.meaning if finding.site else "",
        ", ".join(_measured(each) for each in finding.measurements),
        "" if finding.probability is None else percent(finding.probability, language),
    )


def _measured(measurement: Measurement) -> str:
    unit = "" if measurement.unit == "1" else f" {measurement.unit}"
    return f"{measurement.concept.meaning} {measurement.value:.4g}{unit}"


def _show(held: Assessment, language: Language) -> str:
    if held is None:
        return "–"
    if isinstance(held, bool):
        return say(FRAME, "yes" if held else "no", language)
    if isinstance(held, float):
        return f"{held:.3g}"
    if isinstance(held, tuple):
        return ", ".join(f"{each:.3g}" for each in held)
    if isinstance(held, Mapping):
        return ", ".join(f"{key}: {value}" for key, value in held.items())
    return str(held)
