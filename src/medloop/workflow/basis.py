"""What a signed report rests on, part by part: so that what is signed is what was looked at."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from medloop.clinical.conclusion import concluded
from medloop.clinical.report.language import Language
from medloop.clinical.rules import rules_sha256
from medloop.core.edit import Action
from medloop.core.plain import Plain, finding_to_plain, to_plain
from medloop.core.study import StudyUid
from medloop.store import Store
from medloop.workflow.revising import Revision
from medloop.workflow.statement import model_sha256

Basis = Mapping[str, str]  # part -> SHA-256
PARTS: Final = ("result", "prior", "edits", "mask", "conclusion", "rules", "report")
_OWN: Final = (Action.MASK, Action.CONCLUDE)  # what these edits say is a part of its own


def basis_of(store: Store, revision: Revision) -> Basis:
    """Name by its hash each part that a report of this reading rests on.

    ``result`` is the analysis' record, ``prior`` the earlier study that it was compared with,
    with what was signed of that; ``edits``, ``mask`` and ``conclusion`` are the reader's;
    ``rules`` are those that run; ``report`` is what comes of all this: findings, assessments
    and sentences.
    """
    draft, result = revision.draft, revision.result
    edits: list[Plain] = [
        [each.action.value, each.target, each.after]
        for each in revision.edits
        if each.action not in _OWN
    ]
    told: list[Plain] = [
        [finding_to_plain(each) for each in result.findings],
        to_plain(dict(result.assessments)),
        [concluded(revision.case, result, language).text for language in Language],
    ]
    return {
        "result": model_sha256(revision),
        "prior": _sha256(_prior(store, revision)),
        "edits": _sha256(edits),
        "mask": draft.mask or "",
        "conclusion": _sha256(draft.conclusion),
        "rules": rules_sha256(),
        "report": _sha256(told),
    }


def changed_parts(seen: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """List the parts that are others now, of those that were `seen`.

    The report itself is among them only where nothing says why it changed.
    """
    found = [part for part in PARTS if part in seen and seen[part] != now.get(part)]
    return tuple(part for part in found if part != "report" or len(found) == 1)


def _prior(store: Store, revision: Revision) -> Plain:
    """Name the earlier study, and each report that was signed of it."""
    said = revision.model.assessments.get("prior")
    if not isinstance(said, Mapping):
        return None
    readings = store.readings.of_study(StudyUid(str(said.get("study", ""))))
    signed = [
        version.record for each in readings for version in store.readings.versions(each.id)
    ]
    return [to_plain(dict(said)), *sorted(signed)]


def _sha256(plain: Plain) -> str:
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
