"""A signature as the plain values that result.json holds, and back."""

from datetime import UTC, datetime

from medloop.core.attestation import Attestation, Document, Drawn, Meaning
from medloop.core.plain import Record, dict_in, dicts_in, list_in, number_of, text_in


def attestation_to_plain(signed: Attestation) -> Record:
    """Describe a signature."""
    return {
        "reading": signed.reading,
        "version": signed.version,
        "meaning": str(signed.meaning),
        "signer": signed.signer,
        "signer_name": signed.name,
        "organization": signed.organization,
        "at": signed.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "language": signed.language,
        "statement": signed.statement,
        "conclusion": signed.conclusion,
        "addendum": signed.addendum,
        "predecessors": [
            {
                "study": each.study_uid,
                "series": each.series_uid,
                "sop_class": each.sop_class,
                "instance": each.sop_uid,
            }
            for each in signed.predecessors
        ],
        "drawn": {str(label): str(who) for label, who in signed.drawn},
        "described": list(signed.described),
        "amends": signed.amends,
    }


def attestation_from_plain(plain: Record) -> Attestation:
    """Read a signature.

    Raises
    ------
    KeyError, TypeError, ValueError
        If a part is missing or of the wrong kind.
    """
    return Attestation(
        reading=int(number_of(plain["reading"])),
        version=int(number_of(plain["version"])),
        meaning=Meaning(text_in(plain, "meaning")),
        signer=text_in(plain, "signer"),
        at=datetime.fromisoformat(text_in(plain, "at")),
        language=text_in(plain, "language"),
        statement=text_in(plain, "statement"),
        conclusion=text_in(plain, "conclusion"),
        addendum=text_in(plain, "addendum"),
        predecessors=tuple(
            Document(
                text_in(each, "study"),
                text_in(each, "series"),
                text_in(each, "sop_class"),
                text_in(each, "instance"),
            )
            for each in dicts_in(plain, "predecessors")
        ),
        drawn=tuple((int(n), Drawn(str(who))) for n, who in dict_in(plain, "drawn").items()),
        described=tuple(int(number_of(place)) for place in list_in(plain, "described")),
        name=text_in({"signer_name": "", **plain}, "signer_name"),  # older records have neither
        organization=text_in({"organization": "", **plain}, "organization"),
        amends=plain.get("amends") is True,
    )
