"""What a signature is of: a report's content as plain values, whose hash is kept.

The same content signed by the same person at the same moment is the same bytes.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from medloop.clinical.conclusion import concluded
from medloop.clinical.rules import rules_sha256
from medloop.core.attestation import Meaning
from medloop.core.errors import InputError
from medloop.core.plain import Record, finding_to_plain, number_of, text_in, to_plain
from medloop.core.record import to_json
from medloop.workflow.revising import Revision

SCHEMA: Final = "medloop.signed/1"
# What of a statement is told again when its documents are made, and what that is called.
_TOLD_AGAIN: Final = {
    "model": "the result",
    "mask": "the mask",
    "findings": "findings",
    "assessments": "assessments",
    "generated": "sentences",
    "conclusion": "the conclusion",
}


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs, what that means, when, in which language, and what an addendum adds.

    `signer` is a user; `name` is the person's (PN, PS3.5 6.2.1) and `organization` theirs, each
    empty if not known.
    """

    signer: str
    meaning: Meaning
    at: datetime
    language: str
    addendum: str = ""
    name: str = ""
    organization: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody signed; `edits` is how many edits of the reading it holds."""

    reading: int
    edits: int
    signing: Signing
    conclusion: str
    model: str


def statement_of(revision: Revision, signing: Signing) -> bytes:
    """Write down what a reading says, for somebody to sign."""
    return _written(_said(revision, signing))


def content_sha256(revision: Revision, signing: Signing) -> str:
    """Name what would be signed, whenever it is: its statement without the moment."""
    said = _said(revision, signing)
    del said["at"]
    return hashlib.sha256(_written(said)).hexdigest()


def _said(revision: Revision, signing: Signing) -> Record:
    draft, result = revision.draft, revision.result
    told = concluded(revision.case, result, signing.language)
    return {
        "schema": SCHEMA,
        "reading": revision.reading.id,
        "edits": draft.number,
        "job": revision.looked.job.id,
        "study": str(revision.looked.study.uid),
        "analysis": revision.looked.job.analysis,
        "meaning": signing.meaning.value,
        "signer": signing.signer,
        "signer_name": signing.name,
        "organization": signing.organization,
        "at": signing.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "language": signing.language,
        "model": model_sha256(revision),
        "rules": rules_sha256(),
        "mask": draft.mask,
        "findings": [finding_to_plain(each) for each in result.findings],
        "assessments": to_plain(dict(result.assessments)),
        "generated": told.text,
        "conclusion": draft.conclusion or "",
        "addendum": signing.addendum,
    }


def _written(said: Record) -> bytes:
    text = json.dumps(said, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode()


def read_statement(data: bytes) -> Statement:
    """Read what was signed.

    Raises
    ------
    InputError
        If it is no statement.
    """
    try:
        said = json.loads(data)
        if said["schema"] != SCHEMA:
            raise InputError(f"what was signed has schema {said['schema']!r}")
        signing = Signing(
            signer=text_in(said, "signer"),
            meaning=Meaning(text_in(said, "meaning")),
            at=datetime.fromisoformat(text_in(said, "at")),
            language=text_in(said, "language"),
            addendum=text_in(said, "addendum"),
            name=text_in({"signer_name": "", **said}, "signer_name"),  # older ones have neither
            organization=text_in({"organization": "", **said}, "organization"),
        )
        return Statement(
            reading=int(number_of(said["reading"])),
            edits=int(number_of(said["edits"])),
            signing=signing,
            conclusion=text_in(said, "conclusion"),
            model=text_in(said, "model"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("what was signed cannot be read") from error


def changed_since(data: bytes, revision: Revision) -> tuple[str, ...]:
    """Name what is told otherwise now than it was signed in a statement.

    Other rules that come to the same change nothing.

    Raises
    ------
    InputError
        If it is no statement.
    """
    statement = read_statement(data)
    signed = json.loads(data)
    now = json.loads(_written(_said(revision, statement.signing)))
    return tuple(
        name for key, name in _TOLD_AGAIN.items() if key in signed and signed[key] != now[key]
    )


def model_sha256(revision: Revision) -> str:
    """Name the record of the result that a reading is of."""
    return hashlib.sha256(to_json(revision.looked.kept.record).encode()).hexdigest()
