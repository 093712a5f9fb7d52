"""What a person's signature says of a result: who, when, what it means, and of what."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Meaning(StrEnum):
    """What a signature means; an addendum comes only after a final report."""

    PRELIMINARY = "preliminary"
    FINAL = "final"
    ADDENDUM = "addendum"

    @property
    def is_verified(self) -> bool:
        """Whether the signer answers for the content (PS3.3 C.17.2: VERIFIED)."""
        return self is not Meaning.PRELIMINARY


class Drawn(StrEnum):
    """Who drew a segment (Segment Algorithm Type, PS3.3 C.8.20.2)."""

    AUTOMATIC = "AUTOMATIC"
    SEMIAUTOMATIC = "SEMIAUTOMATIC"
    MANUAL = "MANUAL"


@dataclass(frozen=True, slots=True)
class Document:
    """A report that stands in a PACS, by its UIDs."""

    study_uid: str
    series_uid: str
    sop_class: str
    sop_uid: str


@dataclass(frozen=True, slots=True)
class Attestation:
    """One signature.

    `signer` is a user of the node; `name` is the person's (PN, PS3.5 6.2.1) and `organization`
    theirs, each empty if not known. `statement` is the SHA-256 of what was signed. `conclusion`
    is the reader's own text, empty where the generated one was kept. `predecessors` are the
    reports that this one follows; `drawn` says of each label who drew it; `described` are the
    places (from 1) of findings that the reader described. `amends` says that what it follows,
    final or an addendum, said otherwise; an addendum alone does not amend.
    """

    reading: int
    version: int
    meaning: Meaning
    signer: str
    at: datetime
    language: str
    statement: str
    conclusion: str = ""
    addendum: str = ""
    predecessors: tuple[Document, ...] = ()
    drawn: tuple[tuple[int, Drawn], ...] = ()
    described: tuple[int, ...] = ()
    name: str = ""
    organization: str = ""
    amends: bool = False

    def drawn_by(self, label: int) -> Drawn:
        """Tell who drew a label."""
        return dict(self.drawn).get(label, Drawn.AUTOMATIC)
