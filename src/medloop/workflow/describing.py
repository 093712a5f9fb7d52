"""What objects say of themselves is read when their study has settled, before somebody asks."""

import logging
from datetime import datetime

from medloop.core.errors import InputError
from medloop.dicom.web.metadata import metadata_of
from medloop.store import Store
from medloop.store.metadata import KeptMetadata
from medloop.store.query import Finder, Member

log = logging.getLogger(__name__)


def kept_metadata(store: Store) -> KeptMetadata:
    """Return the metadata kept beside a store; reading an object raises `InputError`."""

    def describe(member: Member) -> bytes:
        return metadata_of(store.archive.checked(member.sha256))

    return KeptMetadata(store.root / "metadata", describe)


def describe_settled(store: Store, since: datetime, *, now: datetime) -> datetime:
    """Read the objects of studies settled since then; returns since when to ask next.

    Raises
    ------
    ServiceError
        If database or disk cannot be reached.
    """
    kept, finder = kept_metadata(store), Finder(store.database)
    for study in finder.settled_since(since):
        try:
            for _ in kept.lines(finder.members(study)):
                pass
        except InputError as damage:  # whoever asks for it is told
            log.error("metadata are not complete: %s", damage)  # noqa: TRY400
    return now
