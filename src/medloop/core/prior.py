"""What an earlier study of the same patient showed, as the same analysis recorded it then."""

from dataclasses import dataclass
from datetime import UTC, datetime

from medloop.core.finding import Result
from medloop.core.study import Patient, StudyUid


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """The result of an earlier study, read from its record: without pixels and labels.

    `date` is that of the study (YYYYMMDD), `days` how long before the present one it was, more
    than 0. Findings name the lesion that they follow (`Finding.tracking`).
    """

    study: StudyUid
    date: str
    days: int
    result: Result


def days_between(earlier: str, later: str) -> int | None:
    """Count the days from one DICOM date (YYYYMMDD) to another; None where one is no date."""
    dates = []
    for text in (earlier, later):
        try:
            dates.append(datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC))
        except ValueError:
            return None
    return (dates[1] - dates[0]).days


def is_same(one: Patient, other: Patient) -> bool:
    """Whether two studies are of one patient: by identifier, never by name.

    Birth date and sex must agree where both state them; who has no identifier is nobody.
    """
    number = one.identifier.strip()
    if not number or number != other.identifier.strip():
        return False
    pairs = ((one.birth_date, other.birth_date), (one.sex, other.sex))
    return all(a.strip() == b.strip() for a, b in pairs if a.strip() and b.strip())
