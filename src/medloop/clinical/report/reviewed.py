"""What a reader made of each finding of a result."""

from dataclasses import dataclass
from enum import StrEnum

from medloop.core.finding import Finding


class Verdict(StrEnum):
    """What a reader made of a finding."""

    PROPOSED = "proposed"  # nothing yet
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CHANGED = "changed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Judged:
    """One finding: its key (``"2"`` of the analysis, ``"a1"`` added) and what became of it."""

    key: str
    verdict: Verdict
    finding: Finding
    before: Finding | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Everything a reader did with a result.

    `drawn` are labels whose outline is the reader's; `assessed` assessments that the reader
    stated.
    """

    findings: tuple[Judged, ...] = ()
    assessed: frozenset[str] = frozenset()
    drawn: frozenset[int] = frozenset()

    @property
    def kept(self) -> tuple[Judged, ...]:
        """Findings that stand in the corrected result, in its order."""
        return tuple(each for each in self.findings if each.verdict is not Verdict.REJECTED)

    @property
    def is_changed(self) -> bool:
        """Whether the result is another one than the analysis'."""
        touched = (Verdict.REJECTED, Verdict.CHANGED, Verdict.ADDED)
        return bool(
            self.drawn or self.assessed or any(f.verdict in touched for f in self.findings)
        )

    def is_described(self, judged: Judged) -> bool:
        """Whether what stands there of a finding is the reader's."""
        is_theirs = judged.verdict in (Verdict.CHANGED, Verdict.ADDED)
        return is_theirs or judged.finding.segment in self.drawn

    def count(self, verdict: Verdict) -> int:
        """Count findings."""
        return sum(each.verdict is verdict for each in self.findings)
