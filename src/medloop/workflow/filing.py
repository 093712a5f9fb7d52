"""The DICOM objects of a result, filed with the study they are about: DICOMweb shows both."""

import logging
from datetime import datetime
from pathlib import Path

from medloop.core.errors import InputError
from medloop.core.study import SopUid
from medloop.dicom.arrival import read_arrival
from medloop.store import Store
from medloop.store.arrivals import OWN, Kept

log = logging.getLogger(__name__)


def file_products(store: Store, folder: Path, *, now: datetime) -> int:
    """File the DICOM objects in a result folder, and return how many are new.

    They are never analyzed. An object that is there already stays as it was filed first: a
    second run of an analysis gives its objects the same UIDs, and another time.

    Raises
    ------
    ServiceError
        If archive or database cannot be written now; filing again does no harm.
    """
    read = {}
    for path in sorted(folder.glob("*.dcm")):
        try:
            read[path] = read_arrival(path)
        except InputError as bad:
            log.error("%s cannot be filed: %s", path.name, bad)  # noqa: TRY400
    held = store.arrivals.held([SopUid(arrival.uid) for arrival in read.values()])
    new = [
        Kept(arrival, store.archive.put(path), path.stat().st_size, OWN)
        for path, arrival in read.items()
        if arrival.uid not in held
    ]
    if new:
        store.arrivals.add(new, now=now)
    return len(new)
