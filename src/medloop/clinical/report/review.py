"""What a reader made of a result, in words: verdicts, status, signature."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from medloop.clinical.report.language import FRAME, Language, moment, person_name, say
from medloop.clinical.report.parts import Review, Table
from medloop.clinical.report.reviewed import Judged, Reviewed, Verdict
from medloop.core.attestation import Attestation, Meaning
from medloop.core.finding import Assessment, Finding, Result

Name = Callable[[Finding], str]


@dataclass(frozen=True, slots=True)
class Words:
    """What a reader wrote, and who: `signed` is None for a draft."""

    reader: str
    conclusion: str = ""
    addendum: str = ""
    signed: Attestation | None = None


def review_of(
    reviewed: Reviewed,
    written: Words,
    results: tuple[Result, Result],
    *,
    name: Name,
    language: Language,
) -> Review:
    """Say what the reader did; `name` calls a finding.

    `results` are the analysis' own and that of the reader.
    """
    signed = written.signed
    return Review(
        status=_status(written, language),
        limit=say(FRAME, _limit(signed), language),
        conclusion=paragraphs(written.conclusion),
        addendum=paragraphs(written.addendum),
        changes=_changes(reviewed, results, name, language),
        notes=_notes(reviewed, written, language),
        signature=_signature(signed, language) if signed else (),
    )


def paragraphs(text: str) -> tuple[str, ...]:
    """Divide a text at empty lines."""
    return tuple(part.strip() for part in text.split("\n\n") if part.strip())


def signer_of(signed: Attestation, language: Language) -> str:
    """Name who signed as people do: the person, or else the user."""
    return person_name(signed.name, language) or signed.signer


def _limit(signed: Attestation | None) -> str:
    if signed is None:
        return "not_diagnosis"
    return "preliminary_limit" if signed.meaning is Meaning.PRELIMINARY else "signed_limit"


def _status(written: Words, language: Language) -> str:
    signed = written.signed
    if signed is None:
        return say(FRAME, "draft_of", language, reader=written.reader)
    return say(
        FRAME,
        "signed_status",
        language,
        meaning=say(FRAME, f"meaning_{signed.meaning}", language),
        version=signed.version,
        signer=signer_of(signed, language),
        at=moment(signed.at),
    )


def _signature(signed: Attestation, language: Language) -> tuple[tuple[str, str], ...]:
    pairs = (
        ("signed_by", signer_of(signed, language)),
        ("signed_organization", signed.organization),
        ("signed_at", moment(signed.at)),
        ("signed_meaning", say(FRAME, f"meaning_{signed.meaning}", language)),
        ("signed_version", str(signed.version)),
        ("signed_sha", f"{signed.statement[:16]}…"),
    )
    return tuple((say(FRAME, key, language), value) for key, value in pairs if value)


def _changes(
    reviewed: Reviewed, results: tuple[Result, Result], name: Name, language: Language
) -> Table | None:
    """List every finding that the reader judged, and assessments that the reader stated."""
    rows = [
        _row(each, reviewed, name, language)
        for each in reviewed.findings
        if each.verdict is not Verdict.PROPOSED or each.finding.segment in reviewed.drawn
    ]
    for scale in sorted(reviewed.assessed):
        was, now = (_shown(each.assessments.get(scale)) for each in results)
        rows.append((scale.replace("_", " "), was, now, say(FRAME, "stated", language)))
    if not rows:
        return None
    heads = ("finding", "proposed_by", "now", "judged")
    return Table(
        say(FRAME, "review", language),
        tuple(say(FRAME, head, language) for head in heads),
        tuple(rows),
        is_words=True,
    )


def _shown(value: Assessment) -> str:
    if isinstance(value, Mapping):
        return str(value.get("Lung-RADS", "…"))
    return str(value) if isinstance(value, bool | int | float | str) else "–"


def _row(judged: Judged, reviewed: Reviewed, name: Name, language: Language) -> tuple[str, ...]:
    verdict = say(FRAME, f"verdict_{judged.verdict}", language)
    if judged.finding.segment in reviewed.drawn and judged.verdict is not Verdict.REJECTED:
        between = "，" if language is Language.CHINESE else ", "
        verdict += between + say(FRAME, "redrawn", language)
    if judged.comment:
        verdict += ("：" if language is Language.CHINESE else ": ") + judged.comment
    before, now = name(judged.before or judged.finding), name(judged.finding)
    if judged.verdict is Verdict.ADDED:
        return (judged.key, "–", now, verdict)
    if judged.verdict is Verdict.REJECTED:
        return (judged.key, before, "–", verdict)
    return (judged.key, before, now, verdict)


def _notes(reviewed: Reviewed, written: Words, language: Language) -> tuple[str, ...]:
    open_ones = reviewed.count(Verdict.PROPOSED)
    notes = []
    if open_ones:
        notes.append(say(FRAME, "unreviewed", language, count=open_ones))
    if written.conclusion:
        notes.append(say(FRAME, "own_conclusion", language))
    return tuple(notes)
