"""Signing as the page does it, without the page."""

from datetime import datetime

from medloop.core.attestation import Meaning
from medloop.store import Store
from medloop.store.reading import Reading, Version
from medloop.workflow.reissue import Press, issue_due
from medloop.workflow.revising import Revising
from medloop.workflow.statement import Signing, statement_of
from medloop.workflow.stored import StoreArchive
from tests.workflow.read_cases import READER, without_pdf


def signed(  # noqa: PLR0913 - each test says what matters to it
    store: Store,
    reading: Reading,
    meaning: Meaning = Meaning.FINAL,
    *,
    now: datetime,
    language: str = "en",
    addendum: str = "",
    name: str = "",
    organization: str = "",
    revising: Revising | None = None,
) -> Version:
    """Sign a reading; its documents are not made yet."""
    revision = (revising or Revising(store, StoreArchive(store))).read(reading.id)
    signing = Signing(READER, meaning, now, language, addendum, name, organization)
    sha256 = store.archive.put(statement_of(revision, signing))
    number = len(store.readings.versions(reading.id)) + 1
    folder = f"{revision.looked.kept.folder}-reading{reading.id}-v{number}"
    edits = revision.draft.number
    version = Version(0, meaning, READER, now, language, "", folder, sha256, (), edits)
    return store.readings.sign(reading.id, version)


def press(store: Store, now: datetime, *destinations: str) -> Press:
    """What makes documents, at this moment, for these destinations."""
    wanted = dict.fromkeys(destinations, ())
    return Press(StoreArchive(store), lambda: now, wanted, makers=without_pdf())


def issued(store: Store, *destinations: str, now: datetime) -> int:
    """Make the documents of what was signed."""
    return issue_due(store, press(store, now, *destinations))
