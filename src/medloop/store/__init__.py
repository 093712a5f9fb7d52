"""The only room that speaks SQL: archive, catalog, jobs, results, audit."""

from medloop.store.archive import Archive
from medloop.store.audit import Audit, Entry
from medloop.store.catalog import Catalog, Conflict, Receipt
from medloop.store.database import Store, open_store
from medloop.store.ending import end_job
from medloop.store.job import Job, JobState, TakenOverError
from medloop.store.jobs import Jobs
from medloop.store.results import Kept, OfPatient, Results

__all__ = [
    "Archive",
    "Audit",
    "Catalog",
    "Conflict",
    "Entry",
    "Job",
    "JobState",
    "Jobs",
    "Kept",
    "OfPatient",
    "Receipt",
    "Results",
    "Store",
    "TakenOverError",
    "end_job",
    "open_store",
]
