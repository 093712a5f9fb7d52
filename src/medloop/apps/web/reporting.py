"""What routes about reports do: tell sentences, show drafts, sign; each noted in the log."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from fastapi import HTTPException

from medloop.annotation.checks import LONGEST
from medloop.annotation.fields import is_text
from medloop.apps.sources import archive_of
from medloop.apps.web.context import Context
from medloop.apps.web.openid import vouches_for
from medloop.apps.web.passwords import sign_in
from medloop.apps.web.reading_access import own_reading, seen_reading
from medloop.apps.web.refusals import reason_in
from medloop.apps.web.security import Permission, Principal, Way
from medloop.apps.web.texts import text
from medloop.clinical.conclusion import Concluded, concluded
from medloop.clinical.report.language import Language, person_name
from medloop.clinical.report.reviewed import Verdict
from medloop.clinical.reports import pictures_for
from medloop.core.attestation import Meaning
from medloop.core.errors import InputError
from medloop.core.plain import Plain, Record
from medloop.store import Entry
from medloop.store.deliveries import Delivery, DeliveryState
from medloop.store.issues import Issue, IssueState
from medloop.store.reading import Purpose, Reading, ReadingState, StaleError, Version
from medloop.workflow.basis import basis_of, changed_parts
from medloop.workflow.reissue import attested, report_html
from medloop.workflow.revising import Revising, Revision
from medloop.workflow.statement import Signing, content_sha256, statement_of

# What of a version a page links to, in this order.
LINKED: Final = (
    "report.pdf",
    "report.html",
    "sr.dcm",
    "seg.dcm",
    "rtstruct.dcm",
    "signed.json",
)
_AT_ONCE: Final = 2  # previews: each reads an image


class Proof(StrEnum):
    """How a signer shows that it is them (21 CFR 11.200)."""

    PASSWORD = "password"  # noqa: S105 - the word, no secret
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to sign; `expected` is the last edit that the page knew.

    `seen` names the parts that the report rested on when they looked at it (`basis_of`).
    `language` is that of the report, `told` that of the page.
    """

    meaning: Meaning
    language: Language
    told: Language
    addendum: str
    expected: int
    seen: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counter:
    """Where reports are looked at and signed."""

    context: Context
    revising: Revising
    _turn: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(_AT_ONCE)
    )

    def told(self, who: Principal, number: int, language: Language) -> Record:
        """Tell the sentences of a reading, its conclusion, and what was signed of it."""
        reading = seen_reading(self.context, who, number)
        self.context.trail.saw(who.name, reading.study)
        revision = self.revising.read(number)
        said = concluded(revision.case, revision.result, language)
        refusal = self.refusal(who, reading, language)
        return {
            "reading": number,
            "number": revision.draft.number,
            "sentences": _sentences(said),
            "generated": said.text,
            "tone": said.tone.value,
            "basis": dict(basis_of(self.context.store, revision)),
            "contradictions": list(said.contradictions),
            "conclusion": {
                "text": revision.draft.conclusion,
                "is_stale": revision.is_stale,
            },
            "unjudged": revision.reviewed.count(Verdict.PROPOSED),
            "signer": self._named(who, language),
            "signs_by": self.proof_of(who),
            "may_sign": not refusal,
            "refusal": refusal,
            "meanings": [each.value for each in self._meanings(number)],
            "versions": self.versions(reading, language),
        }

    def preview(self, who: Principal, number: int, language: Language) -> str:
        """Lay out the report as it would be signed now, marked as a draft."""
        reading = seen_reading(self.context, who, number)
        self.context.trail.saw(who.name, reading.study)
        with self._turn:
            revision = self.revising.whole(number)
            result = attested(revision, None)
            figures = pictures_for(revision.case, result)
            return report_html(revision, result, language, figures=figures)

    def sign(self, who: Principal, number: int, asked: Asked, *, password: str) -> Version:
        """Sign a report: 403 who may not, 409 what changed, 422 what is missing."""
        reading = self._signable(who, number, asked, Proof.PASSWORD)
        self._require_password(who, reading, asked, password)
        revision = self._expected(number, asked)
        return self._signed(who, revision, asked, {"by": Proof.PASSWORD})

    def present(self, who: Principal, number: int, asked: Asked) -> str:
        """Name what would be signed by its hash (`content_sha256`); raises as `sign`."""
        self._signable(who, number, asked, Proof.PROVIDER)
        revision = self._expected(number, asked)
        return content_sha256(revision, self._signing(who, asked, self.context.now()))

    def complete(
        self, who: Principal, number: int, asked: Asked, *, sha256: str, let_in: datetime
    ) -> Version:
        """Sign what `present` named, and nothing else; raises as `sign`.

        The provider has let the person in anew, at `let_in`.
        """
        self._signable(who, number, asked, Proof.PROVIDER)
        revision = self._expected(number, asked)
        if content_sha256(revision, self._signing(who, asked, self.context.now())) != sha256:
            raise HTTPException(409, text("report.refused.stale", asked.told))
        details = {"by": Proof.PROVIDER, "let_in": let_in.isoformat()}
        return self._signed(who, revision, asked, details)

    def _named(self, who: Principal, language: Language) -> str:
        """Name who signs as the report will, and the user where that is another name."""
        user = self.context.users.find(who.name)
        name = person_name(user.person_name, language) if user else ""
        return f"{name} ({who.name})" if name else who.name

    def proof_of(self, who: Principal) -> Proof | None:
        """Say how somebody shows that it is them; None if there is no way."""
        user = self.context.users.find(who.name)
        if user is not None and user.password:
            return Proof.PASSWORD
        settings = self.context.site.users.openid
        if user is not None and settings is not None and vouches_for(settings, user.subject):
            return Proof.PROVIDER
        return None

    def _signable(self, who: Principal, number: int, asked: Asked, proof: Proof) -> Reading:
        """Return a reading that somebody may sign now; raises as `sign`."""
        reading = own_reading(self.context, who, number)
        refusal = self.refusal(who, reading, asked.told)
        if not refusal and self.proof_of(who) is not proof:
            refusal = text(f"report.refused.by_{self.proof_of(who)}", asked.told)
        if refusal:
            raise HTTPException(403, refusal)
        self._require_sense(reading, asked)
        return reading

    def _expected(self, number: int, asked: Asked) -> Revision:
        revision = self.revising.read(number)
        if revision.draft.number != asked.expected:
            raise HTTPException(409, text("report.refused.stale", asked.told))
        changed = changed_parts(asked.seen, basis_of(self.context.store, revision))
        if changed:
            joint = "、" if asked.told is Language.CHINESE else ", "
            parts = joint.join(text(f"report.part.{part}", asked.told) for part in changed)
            raise HTTPException(409, text("report.refused.changed", asked.told, parts=parts))
        return revision

    def refusal(self, who: Principal, reading: Reading, language: Language) -> str:
        """Say why somebody cannot sign a reading; empty if they can."""
        reasons = (
            ("local", who.way is Way.LOCAL),
            ("role", not who.may(Permission.SIGN)),
            ("reader", reading.reader != who.name),
            ("token", who.way is Way.TOKEN),
            ("unproven", self.proof_of(who) is None),
            ("apart", self._is_apart(reading)),
            ("in", reading.state is ReadingState.DONE and not self._has_final(reading.id)),
        )
        for name, holds in reasons:
            if holds:
                return text(f"report.refused.{name}", language)
        return ""

    def _is_apart(self, reading: Reading) -> bool:
        """Whether a report of this reading would tell others what they may not know yet."""
        wanted = self.context.site.reading.wanted(reading.analysis)
        return wanted > 1 and reading.purpose is Purpose.READ

    def versions(self, reading: Reading, language: Language) -> list[Plain]:
        """Tell what was signed, how far its documents are, and where they went."""
        store = self.context.store
        issues = {each.version.number: each for each in store.issues.of_reading(reading.id)}
        sent = store.deliveries.of_job(reading.job)
        return [
            _version(reading, each, issues.get(each.number), sent, language)
            for each in store.readings.versions(reading.id)
        ]

    def again(self, who: Principal, number: int, version: int) -> None:
        """Let documents that could not be made be made again."""
        reading = own_reading(self.context, who, number)
        try:
            self.context.store.issues.reopen(number, version, now=self.context.now())
        except InputError as error:
            raise HTTPException(409, str(error)) from error
        details = {"reading": str(number), "version": str(version)}
        self.context.trail.did(who.name, "report asked for again", reading.study, details)

    def _meanings(self, number: int) -> tuple[Meaning, ...]:
        if self._has_final(number):
            return (Meaning.ADDENDUM,)
        return (Meaning.PRELIMINARY, Meaning.FINAL)

    def _has_final(self, number: int) -> bool:
        signed = self.context.store.readings.versions(number)
        return any(each.meaning is Meaning.FINAL for each in signed)

    def _require_sense(self, reading: Reading, asked: Asked) -> None:
        """Refuse what cannot be signed now, before a password counts."""
        if asked.meaning not in self._meanings(reading.id):
            is_early = asked.meaning is Meaning.ADDENDUM
            name = "early" if is_early else "final"
            raise HTTPException(409, text(f"report.refused.{name}", asked.told))
        if asked.meaning is Meaning.ADDENDUM and not asked.addendum.strip():
            raise HTTPException(422, text("report.refused.empty", asked.told))
        if not is_text(asked.addendum, LONGEST):
            raise HTTPException(422, text("report.refused.text", asked.told))
        if reading.number != asked.expected:
            raise HTTPException(409, text("report.refused.stale", asked.told))

    def _require_password(
        self, who: Principal, reading: Reading, asked: Asked, password: str
    ) -> None:
        """Let only the person themselves sign (21 CFR 11.200): wrong passwords lock."""
        context = self.context
        tries = context.site.users.tries
        user = sign_in(context.users, who.name, password, now=context.now(), tries=tries)
        if user is None:
            details = {"reading": str(reading.id), "meaning": asked.meaning.value}
            context.trail.did(who.name, "was refused to sign", reading.study, details)
            raise HTTPException(403, text("report.refused.password", asked.told))

    def _signing(self, who: Principal, asked: Asked, now: datetime) -> Signing:
        user = self.context.users.find(who.name)
        return Signing(
            signer=who.name,
            meaning=asked.meaning,
            at=now,
            language=asked.language.value,
            addendum=asked.addendum.strip() if asked.meaning is Meaning.ADDENDUM else "",
            name=user.person_name if user else "",
            organization=self.context.site.organization.name,
        )

    def _signed(
        self, who: Principal, revision: Revision, asked: Asked, proof: Mapping[str, str]
    ) -> Version:
        store, now = self.context.store, self.context.now()
        signing = self._signing(who, asked, now)
        sha256 = store.archive.put(statement_of(revision, signing))
        looked, reading = revision.looked, revision.reading
        count = len(store.readings.versions(reading.id)) + 1
        name = f"{looked.job.analysis}-{looked.job.id}-reading{reading.id}-v{count}"
        version = Version(
            number=0,
            meaning=asked.meaning,
            signer=who.name,
            at=now,
            language=asked.language.value,
            conclusion=signing.addendum or revision.draft.conclusion or "",
            folder=f"{looked.kept.folder.rpartition('/')[0]}/{name}",
            record=sha256,
            edits=revision.draft.number,
        )
        details = {
            "reading": str(reading.id),
            "job": str(looked.job.id),
            "meaning": asked.meaning.value,
            "language": asked.language.value,
            "edits": str(revision.draft.number),
            "sha256": sha256,
            **proof,
        }
        entry = Entry(now, who.name, "signed report", reading.study, details)
        try:
            return store.readings.sign(reading.id, version, entry=entry)
        except StaleError as error:
            raise HTTPException(409, text("report.refused.stale", asked.told)) from error
        except InputError as error:
            raise HTTPException(409, str(error)) from error


def counter_of(context: Context) -> Counter:
    """Make the counter of a node."""
    return Counter(context, Revising(context.store, archive_of(context.store, context.site)))


def _sentences(said: Concluded) -> list[Plain]:
    parts = [("headline", said.headline)]
    parts += [("sentence", each) for each in said.sentences]
    parts += [("advice", said.recommendation), ("guideline", said.guideline)]
    parts += [("alert", each) for each in said.alerts]
    parts += [("remark", each) for each in said.remarks]
    return [{"kind": kind, "text": words} for kind, words in parts if words]


def _version(
    reading: Reading,
    version: Version,
    issue: Issue | None,
    sent: tuple[Delivery, ...],
    language: Language,
) -> Record:
    state = issue.state if issue else IssueState.WAITING
    address = f"/api/readings/{reading.id}/versions/{version.number}"
    mine = [each for each in sent if issue is not None and each.issue == issue.id]
    return {
        "number": version.number,
        "meaning": version.meaning.value,
        "signer": version.signer,
        "at": version.at.isoformat(),
        "language": version.language,
        "sha256": version.record,
        "conclusion": version.conclusion,
        "edits": version.edits,
        "state": state.value,
        "reason": reason_in(language, issue.reason).words if issue else "",
        "files": [
            {"name": name, "url": f"{address}/{name}"}
            for name in LINKED
            if name in version.products
        ],
        "deliveries": [
            {
                "destination": each.destination,
                "state": each.state.value,
                "reason": reason_in(language, each.reason).words
                if each.state is not DeliveryState.DONE
                else "",
            }
            for each in mine
        ],
    }
